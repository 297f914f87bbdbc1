"""Many operations at once, each with the end that it must come to."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.api import Api
from tests.support.operations import operation, simulated_job
from tests.support.waiting import wait_for

Object = dict[str, Any]
CLIENTS = 8
FAILURE_CODE = 3


@dataclass(frozen=True)
class Work:
    """One operation to be made, and what has to become of it. `message` is what its worker says at the end."""

    name: str
    seconds: float = 0
    fails: bool = False
    message: str | None = None

    def manifest(self) -> Object:
        code = FAILURE_CODE if self.fails else 0
        return operation(self.name, job=simulated_job(self.seconds, code, message=self.message))

    def problems(self, found: Object | None) -> list[str]:
        """What is wrong with the operation as it is now; empty once it is settled as it has to be, and let go."""
        if found is None:
            return [f"{self.name}: gone"]
        status = found["status"]
        wrong = []
        phase = "Failed" if self.fails else "Succeeded"
        if status["phase"] != phase:
            wrong.append(f"phase {status['phase']} instead of {phase} ({status.get('failure')})")
        if found["metadata"].get("finalizers"):
            wrong.append(f"finalizers {found['metadata']['finalizers']}")
        value = None if self.fails else self.message
        if (status.get("result") or {}).get("value") != value:
            wrong.append(f"result {status.get('result')} instead of {value!r}")
        if self.fails:
            codes = {cause.get("exitCode") for cause in (status.get("failure") or {}).get("causes", ())}
            if FAILURE_CODE not in codes:
                wrong.append(f"exit code {FAILURE_CODE} is not among the causes {status.get('failure')}")
            if self.message and self.message not in str(status.get("failure")):
                wrong.append(f"{self.message!r} is not in {status.get('failure')}")
        return [f"{self.name}: {problem}" for problem in wrong]


def mixed(prefix: str, count: int, dice: random.Random, longest: float = 6.0) -> list[Work]:
    """Operations of 0 to `longest` seconds: a quarter fails, about half have something to say."""
    return [
        Work(
            f"{prefix}-{index:03d}",
            seconds=dice.choice([0, 0, round(dice.uniform(0, longest), 2)]) if longest else 0,
            fails=index % 4 == 3,
            message=f"said by {prefix}-{index:03d}" if dice.random() < 0.5 else None,
        )
        for index in range(count)
    ]


def create(kubeconfig: Path, namespace: str, work: Sequence[Work]) -> None:
    """Make all operations, as fast as several clients can."""

    def some(part: Sequence[Work]) -> None:
        client = Api(kubeconfig)
        try:
            for one in part:
                client.create("asyncoperations", one.manifest(), namespace)
        finally:
            client.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(some, [work[index::CLIENTS] for index in range(CLIENTS)]))


def pending(api: Api, namespace: str) -> bool:
    """Whether any operation has no answer yet."""
    return bool(api.list("asyncoperations", namespace, fieldSelector="status.promise=Pending", limit="1"))


def held(api: Api, namespace: str) -> int:
    """How many operations still have a finalizer."""
    return sum(bool(item["metadata"].get("finalizers")) for item in api.list("asyncoperations", namespace))


def settle(
    api: Api,
    namespace: str,
    work: Iterable[Work],
    timeout: float = 60.0,
    *,
    while_waiting: Callable[[], object] = lambda: None,
) -> Mapping[str, Object]:
    """Return when all work has come to its right end and was let go; the operations by name.

    `while_waiting` is called between looks. Raises NotInTime with what is wrong.
    """
    wanted = list(work)

    def rests() -> bool:
        while_waiting()
        return not pending(api, namespace) and held(api, namespace) == 0

    def problems() -> str:
        found = by_name(api.list("asyncoperations", namespace))
        return "; ".join(problem for one in wanted for problem in one.problems(found.get(one.name)))[:2000]

    wait_for(rests, timeout, lambda: f"all {len(wanted)} operations are settled and let go: {problems()}", 0.25)
    found = by_name(api.list("asyncoperations", namespace))
    wrong = [problem for one in wanted for problem in one.problems(found.get(one.name))]
    assert not wrong, f"{len(wrong)} are wrong: {'; '.join(wrong[:10])}"
    return found


def by_name(items: Iterable[Object]) -> dict[str, Object]:
    return {item["metadata"]["name"]: item for item in items}
