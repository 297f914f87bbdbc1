"""An operation's life as the audit log tells it: the operator's writes, in order, by what they were for."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from tests.support.audit import OPERATOR_USER, AuditLog, Request, operation_of


class Deed(StrEnum):
    """What a write of the operator did for an operation."""

    FINALIZER = "finalizer"
    JOB = "Job"
    SAID = "status, not yet settled"
    SETTLED = "settled"
    RELEASED = "finalizer removal"
    PATCHED_JOB = "Job patch"
    DELETED_JOB = "Job deletion"
    EVENT = "Event"
    REFUSED = "refused"


class Window(StrEnum):
    """The gaps of an operation's life in which its operator may die."""

    AFTER_FINALIZER = "after the finalizer, before the Job"
    AFTER_JOB = "after the Job, before Running"
    AFTER_RUNNING = "after Running, before settled"
    AFTER_SETTLED = "after settled, before the finalizer's removal"


CUT_OFF = 504
WINDOWS = {
    (Deed.FINALIZER, Deed.JOB): Window.AFTER_FINALIZER,
    (Deed.JOB, Deed.SAID): Window.AFTER_JOB,
    (Deed.JOB, Deed.SETTLED): Window.AFTER_JOB,  # a successor that was slow to start found it ended
    (Deed.SAID, Deed.SETTLED): Window.AFTER_RUNNING,
    (Deed.SETTLED, Deed.RELEASED): Window.AFTER_SETTLED,
}


@dataclass(frozen=True)
class Death:
    """From when on a process was surely dead, and from when on its successor may have written (wall clock, UTC)."""

    dead: datetime
    successor: datetime


@dataclass
class History:
    """The writes for one operation. `deeds` has those that were accepted, each with the moment it was answered.

    `cut_off` are those whose sender was gone before the answer: the API server logs a 504, whatever became of them.
    """

    requests: list[Request] = field(default_factory=list)
    deeds: list[tuple[datetime, Deed]] = field(default_factory=list)
    refused: list[Request] = field(default_factory=list)
    cut_off: list[Request] = field(default_factory=list)

    @property
    def jobs(self) -> int:
        """How many creations of a Job were accepted."""
        return sum(deed is Deed.JOB for _, deed in self.deeds)

    def kinds(self) -> list[Deed]:
        return [deed for _, deed in self.deeds]

    def window(self, death: Death) -> Window | None:
        """The gap in which this operation was at that death; None where it was in none, or cannot be told surely."""
        if self.cut_off:
            return None
        for (before, first), (after, second) in zip(self.deeds, self.deeds[1:], strict=False):
            if before <= death.dead and after >= death.successor:
                return WINDOWS.get((first, second))
        return None

    def __str__(self) -> str:
        return ", ".join(f"{moment:%S.%f} {deed}" for moment, deed in self.deeds) or "no write"


def histories(
    audit: AuditLog, names: Iterable[str], namespace: str, *, user: str = OPERATOR_USER
) -> dict[str, History]:
    """The history of each operation since the log's mark; under "" the writes that belong to none of them."""
    # Ordered as answered: lines of requests at the same time may change places in the log.
    writes = sorted(audit.writes(user, namespace=namespace), key=lambda write: moment(write.time))
    ordered = sorted(names, key=len, reverse=True)
    found = {name: History() for name in [*ordered, ""]}
    for write in writes:
        found[owner_of(write, found, ordered)].requests.append(write)
    for history in found.values():
        history.cut_off = [request for request in history.requests if request.code == CUT_OFF]
        history.refused = [request for request in history.requests if request.code >= 300 and request.code != CUT_OFF]
        accepted = [request for request in history.requests if request.code < 300]
        history.deeds = list(zip((moment(request.time) for request in accepted), deeds_of(accepted), strict=True))
    return found


def owner_of(write: Request, names: dict[str, History], ordered: list[str]) -> str:
    """The operation a write belongs to, where names are as many as a thousand: looked up first, then searched for."""
    guess = write.name if write.resource == "asyncoperations" else write.name.rpartition("-")[0]
    if write.resource == "events":
        guess = write.name.rpartition(".")[0]
    return guess if guess in names else operation_of(write, ordered, {})


def deeds_of(accepted: list[Request]) -> Iterator[Deed]:
    """What each of one operation's accepted writes did, in their order.

    The log has no bodies. But the finalizer goes on before anything else and comes off only after the promise is
    settled, so the last status write before its removal (or the very last one) is the one that settled it.
    """
    patches = [index for index, request in enumerate(accepted) if request.resource == "asyncoperations"]
    main = [index for index in patches if not accepted[index].subresource]
    released = main[1] if len(main) > 1 else len(accepted)
    statuses = [index for index in patches if accepted[index].subresource == "status" and index < released]
    for index, request in enumerate(accepted):
        if request.resource == "jobs":
            yield {"create": Deed.JOB, "patch": Deed.PATCHED_JOB}.get(request.verb, Deed.DELETED_JOB)
        elif request.resource == "events":
            yield Deed.EVENT
        elif request.subresource == "status":
            yield Deed.SETTLED if index in statuses[-1:] else Deed.SAID
        else:
            yield Deed.FINALIZER if index == main[0] else Deed.RELEASED


def hits(found: Iterable[History], deaths: Iterable[Death]) -> Counter[Window]:
    """How many deaths met at least one operation in each gap."""
    counted: Counter[Window] = Counter(dict.fromkeys(Window, 0))
    histories = list(found)
    for death in deaths:
        counted.update({window for history in histories if (window := history.window(death))})
    return counted


def moment(text: str) -> datetime:
    """A time of the audit log."""
    return datetime.fromisoformat(text)


def now() -> datetime:
    return datetime.now(UTC)
