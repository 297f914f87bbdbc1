"""Many settled operations: what they cost in memory, at a restart, and new work beside them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from bench import gauges
from bench.client import Caller, Object, path_of
from bench.ground import OPERATOR, Ground, running, say
from bench.loads.running import OPERATIONS, is_over, named, operations
from bench.loads.steady import evenly
from bench.sizes import Sizes
from bench.trail import lines
from bench.watching import watched
from tests.support.operations import operation, simulated_job
from tests.support.operator_process import OperatorProcess

FILLERS = 32  # connections that make settled operations


async def levels(ground: Ground, caller: Caller, sizes: Sizes) -> dict[str, Any]:
    """The figures at each level of `standing`, in one namespace that fills up, as a list under `levels`."""
    namespace, there = ground.namespace("standing"), 0
    found: list[dict[str, Any]] = []
    for count in sorted(set(sizes.standing)):
        began, missing = time.monotonic(), max(0, count - there)
        await fill(caller, namespace, named("settled", missing), {"text": "to be or not to be"})
        say(f"{count} settled operations stand ({time.monotonic() - began:.0f} s for the last {missing})")
        there += missing
        found.append({"standing": count} | await level(ground, caller, sizes, namespace))
        there += sizes.probe + 1
    return {"levels": found}


async def large(ground: Ground, caller: Caller, sizes: Sizes) -> dict[str, Any]:
    """The same with few operations whose inputs are as large as they may be."""
    namespace = ground.namespace("large")
    text = {"text": "x" * (sizes.large_input - len('{"text":""}'))}
    await fill(caller, namespace, named("large", sizes.large), text)
    few = replace(sizes, probe=min(sizes.probe, 25))
    return {"standing": sizes.large, "input_bytes": sizes.large_input} | await level(ground, caller, few, namespace)


async def level(ground: Ground, caller: Caller, sizes: Sizes, namespace: str) -> dict[str, Any]:
    """Start an operator where this many stand, and give it a little work."""
    marker = named("zz-marker", 1)  # the last in the list that an operator starts with
    offset = ground.mark()
    process = ground.operator(namespace)
    async with watched(caller, OPERATIONS, namespace) as watch:
        await caller.create(OPERATIONS, namespace, operations(marker, 0))
        began = time.time()
        with running(process, wait=False):
            await watch.all(marker, is_over)
            return await _measured(ground, caller, sizes, process, _Start(namespace, marker[0], offset, began))


@dataclass(frozen=True)
class _Start:
    """Where and when the process was started (wall clock), the operation it found, and the audit log's end then."""

    namespace: str
    marker: str
    offset: int
    began: float


async def _measured(
    ground: Ground, caller: Caller, sizes: Sizes, process: OperatorProcess, start: _Start
) -> dict[str, Any]:
    process.wait_ready()
    await asyncio.to_thread(gauges.calm, process.pid)
    cpu, peak = gauges.cpu_seconds(process.pid), gauges.memory_mb(process.pid, "VmHWM")
    ground.mark()
    found = {
        "known": process.metrics()["alo_operations_known"],
        "rss_mb": round(gauges.memory_mb(process.pid), 1),
        "restart_to_first_reconcile_s": round(_first_write(ground, start) - start.began, 3),
        "restart_cpu_s": round(cpu, 2),
        "restart_peak_mb": round(peak, 1),
        "probe": await evenly(ground, caller, sizes, process, start.namespace, sizes.probe),
    }
    await asyncio.to_thread(gauges.calm, process.pid)
    return found | {"rss_after_work_mb": round(gauges.memory_mb(process.pid), 1)}


def _first_write(ground: Ground, start: _Start) -> float:
    """When the operator's first write for the operation that it found was received."""
    place = (start.namespace, start.marker)
    return min(
        line.received
        for line in lines(ground.log, start.offset)
        if line.user == OPERATOR and line.is_write and (line.namespace, line.name) == place
    )


async def fill(caller: Caller, namespace: str, names: list[str], given: Object) -> None:
    """Make operations that were settled long ago, of about 2 KB each beside their input."""
    status, path = settled(), path_of(OPERATIONS, namespace)
    work = simulated_job(0)

    async def make(name: str) -> None:
        await caller.send("POST", path, operation(name, job=work, input=given))
        await caller.send("PATCH", f"{path}/{name}/status", {"status": status}, how="merge")

    filler = Caller(caller.session, FILLERS)
    await filler.each(names, make)


def settled() -> Object:
    """The status of a success as the operator writes it."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def condition(kind: str, value: str, reason: str, message: str) -> Object:
        said = {"type": kind, "status": value, "reason": reason, "message": message}
        return said | {"lastTransitionTime": now, "observedGeneration": 1}

    return {
        "observedGeneration": 1,
        "promise": "Fulfilled",
        "phase": "Succeeded",
        "specDigest": "v1:sha256:" + 64 * "a",
        "effective": {"retention": {"job": "24h"}},
        "startTime": now,
        "completionTime": now,
        "conditions": [
            condition("Accepted", "True", "Accepted", "the operation was accepted"),
            condition("Started", "True", "Started", "the work has started"),
            condition("Completed", "True", "Succeeded", "the work has ended with success"),
            condition("Succeeded", "True", "Succeeded", "the work has ended with success"),
            condition("Ready", "True", "Succeeded", "the work has ended with success"),
            condition("Reconciling", "False", "Succeeded", ""),
            condition("Stalled", "False", "Succeeded", ""),
        ],
        "job": {"name": "settled-0123456789", "uid": "00000000-0000-0000-0000-000000000000"},
        "attempts": {"count": 1, "last": {"pod": "settled-0123456789-abcde", "exitCode": 0, "reason": "Completed"}},
        "result": {"value": {"be": 2, "not": 1, "or": 1, "to": 2}, "contentType": "application/json", "bytes": 31},
    }
