"""A load as the API server's audit log tells it: who wrote how often, and how long each step took."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.client import AGENT
from tests.support.audit import WRITE_VERBS

JOB_CONTROLLER = "system:serviceaccount:kube-system:job-controller"
FINAL = {"ResponseComplete", "Panic"}


@dataclass(frozen=True, slots=True)
class Line:
    """One finished request; times in seconds since 1970, to the microsecond."""

    user: str
    agent: str
    verb: str
    resource: str  # with its subresource: asyncoperations/status
    namespace: str
    name: str
    code: int
    received: float
    answered: float

    @property
    def is_write(self) -> bool:
        return self.verb in WRITE_VERBS and not self.resource.endswith("reviews")


def lines(log: Path, offset: int) -> Iterator[Line]:
    """The finished requests from that byte of the log on."""
    with log.open("rb") as file:
        file.seek(offset)
        for text in file:
            if not text.endswith(b"\n"):
                return  # half written
            event: dict[str, Any] = json.loads(text)
            if event.get("stage") in FINAL:
                yield _line(event)


def _line(event: dict[str, Any]) -> Line:
    target = event.get("objectRef") or {}
    parts = (target.get("resource", ""), target.get("subresource", ""))
    return Line(
        user=event.get("user", {}).get("username", ""),
        agent=event.get("userAgent", ""),
        verb=event.get("verb", ""),
        resource="/".join(filter(None, parts)),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=(event.get("responseStatus") or {}).get("code", 0),
        received=_seconds(event["requestReceivedTimestamp"]),
        answered=_seconds(event["stageTimestamp"]),
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@dataclass
class Life:
    """Moments of one operation or Job; None where the log has none. `deed` are accepted writes of its operator."""

    applied: float | None = None  # its creation was received
    applied_answer: float | None = None
    job: float | None = None  # the creation of its Job was answered
    done: float | None = None  # the last write of the Job's status was answered
    settled: float | None = None  # the operator's last write of the status was answered
    released: float | None = None  # the operator's last write was answered
    cancelled: float | None = None  # the caller's patch was answered
    pods_gone: float | None = None
    writes: int = 0
    refused: int = 0


@dataclass
class Trail:
    """One load: lives by name of the operation (or Job), and requests counted."""

    lives: dict[str, Life] = field(default_factory=dict)
    writes: Counter[str] = field(default_factory=Counter)  # by actor
    reads: Counter[str] = field(default_factory=Counter)  # of the operator: verb and resource
    refused: Counter[str] = field(default_factory=Counter)  # of the operator

    def steps(self, start: str, end: str) -> list[float]:
        """Seconds from one moment to another, of all that have both, sorted."""
        both = ((getattr(life, start), getattr(life, end)) for life in self.lives.values())
        return sorted(later - first for first, later in both if first is not None and later is not None)

    def span(self, end: str) -> float:
        """Seconds from the first creation to the last of the moments `end`."""
        first = min(life.applied for life in self.lives.values() if life.applied is not None)
        return float(max(getattr(life, end) for life in self.lives.values()) - first)


def actor(line: Line) -> str:
    """Who it was, in a word: `caller`, the service account's or component's own name, or the user."""
    if line.agent.startswith(AGENT):
        return "caller"
    return line.user.rpartition(":")[2] or line.user


def follow(
    log: Path, offset: int, namespace: str, names: Sequence[str], *, kind: str = "asyncoperations", operator: str = ""
) -> Trail:
    """Read one load off the log: objects `names` of `kind`, whose operator is the user `operator`.

    With kind `jobs` the objects are bare Jobs, and `settled` is when they were complete.
    """
    trail = Trail(lives={name: Life() for name in names})
    for line in lines(log, offset):
        if line.namespace != namespace:
            continue
        ours = operator != "" and line.user == operator
        if line.is_write:
            trail.writes[actor(line)] += 1
        elif ours and line.verb != "watch":
            trail.reads[f"{line.verb} {line.resource}"] += 1
        life = trail.lives.get(_owner(line, kind))
        if ours and line.is_write and line.code >= 300:
            trail.refused[f"{line.verb} {line.resource} {line.code}"] += 1
            if life:
                life.refused += 1
        elif life is not None and line.is_write and line.code < 300:
            _note(life, line, kind, ours)
    if kind == "jobs":
        for life in trail.lives.values():
            life.settled = life.done
    return trail


def _owner(line: Line, kind: str) -> str:
    """The object that a request belongs to: Jobs are called `<operation>-<hash>`, pods `<job>-<hash>`."""
    resource, name = line.resource.partition("/")[0], line.name
    if resource == "pods":
        resource, name = "jobs", name.rpartition("-")[0]
    if resource == "jobs" and kind != "jobs":
        name = name.rpartition("-")[0]
    return name if resource != "events" else name.rpartition(".")[0]


def _note(life: Life, line: Line, kind: str, ours: bool) -> None:
    what = f"{line.verb} {line.resource}"
    if ours:
        life.writes += 1
        life.released = line.answered
        if what == f"patch {kind}/status":
            life.settled = line.answered
    if what == f"create {kind}":
        life.applied, life.applied_answer = line.received, line.answered
    elif what == "create jobs":
        life.job = line.answered
    elif what == "update jobs/status" and line.user == JOB_CONTROLLER:
        life.done = line.answered
    elif what == f"patch {kind}" and actor(line) == "caller":
        life.cancelled = line.answered
    elif what == "delete pods":
        life.pods_gone = line.answered  # the last one, after the grace period, takes the pod away


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of them do not exceed; None where there are none."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * round(share * 1000) // 1000) - 1))]


def quantiles(seconds: Sequence[float], name: str) -> dict[str, float | None]:
    """p50, p99 and the largest in milliseconds, under keys that begin with `name`."""
    values: dict[str, Callable[[], float | None]] = {
        "p50": lambda: percentile(seconds, 0.5),
        "p99": lambda: percentile(seconds, 0.99),
        "max": lambda: seconds[-1] if seconds else None,
    }
    found = {f"{name}_{key}_ms": value() for key, value in values.items()}
    return {key: None if value is None else round(value * 1000, 1) for key, value in found.items()}


def per_object(counted: Counter[str], count: int) -> dict[str, float]:
    """How often each happened for one object."""
    return {name: round(number / count, 3) for name, number in counted.most_common()}


def grouped(values: Iterable[int]) -> dict[str, int]:
    """How many objects have each number."""
    found: dict[int, int] = defaultdict(int)
    for value in values:
        found[value] += 1
    return {str(key): found[key] for key in sorted(found)}
