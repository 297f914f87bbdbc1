"""Making work for simulated nodes and measuring what it took, whoever looks after it."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from bench.client import Object
from bench.gauges import Meter
from bench.ground import Ground
from bench.trail import Trail, follow, grouped, per_object, quantiles
from tests.support.operations import operation, simulated_job

OPERATIONS = "asyncoperations"
JOBS = "jobs"


@dataclass(frozen=True)
class Took:
    """One load as measured: its trail and the processor seconds of each process."""

    trail: Trail
    cpu: dict[str, float]
    count: int

    def figures(self, end: str = "settled") -> dict[str, Any]:
        """What is kept of every load; rates a second, CPU in ms for each operation (or Job)."""
        seconds = self.trail.span(end)
        return {
            "count": self.count,
            "seconds": round(seconds, 2),
            "per_second": round(self.count / seconds, 2),
            "cpu_ms": {name: round(1000 * used / self.count, 2) for name, used in self.cpu.items()},
            "writes": per_object(self.trail.writes, self.count),
        }

    def of_operator(self) -> dict[str, Any]:
        """What an operator's load has beyond that."""
        trail = self.trail
        writes = [life.writes for life in trail.lives.values()]
        return {
            "own_writes": round(sum(writes) / self.count, 3),
            "own_writes_spread": grouped(writes),
            "own_reads": per_object(trail.reads, self.count),
            "refused": dict(trail.refused),
            **quantiles(trail.steps("applied", "job"), "apply_to_job"),
            **quantiles(trail.steps("done", "settled"), "job_done_to_settled"),
            **quantiles(trail.steps("settled", "released"), "settled_to_released"),
        }


async def measured(
    ground: Ground,
    namespace: str,
    names: Sequence[str],
    act: Callable[[], Coroutine[Any, Any, None]],
    *,
    kind: str = OPERATIONS,
    operator: str = "",
    pid: int | None = None,
) -> Took:
    """Do `act` and read what it took. `operator` is the user and `pid` the process that looks after the work."""
    offset = ground.mark()
    meter = Meter(ground.pids() | ({"operator": pid} if pid else {}))
    await act()
    cpu = meter.used()
    ground.mark()
    return Took(follow(ground.log, offset, namespace, names, kind=kind, operator=operator), cpu, len(names))


def is_over(operation: Object) -> bool:
    """Whether an operation has its answer and was let go."""
    return operation["status"]["promise"] != "Pending" and not operation["metadata"].get("finalizers")


def is_complete(job: Object) -> bool:
    """Whether a Job has ended with success."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Complete" and one["status"] == "True" for one in conditions)


_batches = itertools.count()


def named(prefix: str, count: int) -> list[str]:
    """Names that nobody else has, of the same length."""
    batch = next(_batches)
    return [f"{prefix}-{batch:03d}-{index:05d}" for index in range(count)]


def operations(names: Sequence[str], seconds: float, **metadata: Any) -> list[Object]:
    """Operations whose work takes so long on a simulated node."""
    work = simulated_job(seconds)
    bodies = [operation(name, job=copy.deepcopy(work)) for name in names]
    for body in bodies:
        body["metadata"] |= metadata
    return bodies


def jobs(names: Sequence[str], seconds: float) -> list[Object]:
    """The same work as bare Jobs."""
    work = simulated_job(seconds)
    head = {"apiVersion": "batch/v1", "kind": "Job"}
    return [{**head, "metadata": {"name": name}, **copy.deepcopy(work)} for name in names]
