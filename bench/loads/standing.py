"""Many settled operations: what they cost in memory, at a restart, and new work beside them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any

from bench import gauges
from bench.client import Caller
from bench.ground import OPERATOR, Ground, running, say
from bench.loads.filling import fill
from bench.loads.running import OPERATIONS, is_over, named, operations
from bench.loads.steady import evenly
from bench.sizes import Sizes
from bench.trail import lines
from bench.watching import watched
from tests.support.operator_process import OperatorProcess

READY_PATIENCE = 300.0  # seconds until all that stands is listed


async def levels(ground: Ground, caller: Caller, sizes: Sizes) -> dict[str, Any]:
    """The figures at each level of `standing`, in one namespace that fills up, as a list under `levels`."""
    namespace, there = ground.namespace("standing"), 0
    found: list[dict[str, Any]] = []
    for count in sorted(set(sizes.standing)):
        began, missing = time.monotonic(), max(0, count - there)
        await fill(ground, caller, namespace, named("settled", missing), {"text": "to be or not to be"})
        say(f"{count} settled operations stand ({time.monotonic() - began:.0f} s for the last {missing})")
        there += missing
        found.append({"standing": count} | await level(ground, caller, sizes, namespace))
        there += sizes.probe + 1
    return {"levels": found}


async def large(ground: Ground, caller: Caller, sizes: Sizes) -> dict[str, Any]:
    """The same with few operations whose inputs are as large as they may be."""
    namespace = ground.namespace("large")
    text = {"text": "x" * (sizes.large_input - len('{"text":""}'))}
    await fill(ground, caller, namespace, named("large", sizes.large), text)
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
    await asyncio.to_thread(process.wait_ready, READY_PATIENCE)
    ready = time.time() - start.began
    await asyncio.to_thread(gauges.calm, process.pid)
    cpu, peak = gauges.cpu_seconds(process.pid), gauges.memory_mb(process.pid, "VmHWM")
    ground.mark()
    found = {
        "known": process.metrics()["alo_operations_known"],
        "rss_mb": round(gauges.memory_mb(process.pid), 1),
        "restart_to_first_reconcile_s": round(_first_write(ground, start) - start.began, 3),
        "restart_to_ready_s": round(ready, 3),
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
