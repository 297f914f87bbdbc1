"""What can be reached at most: the operator's requests alone, its framework alone, and its writes alone."""

from __future__ import annotations

import json
from typing import Any

from bench import gauges
from bench.client import Caller
from bench.ground import OPERATOR, Ground, running
from bench.loads.running import OPERATIONS, is_over, measured, named, operations
from bench.sizes import Sizes
from bench.watching import watched

PATIENCE = 600.0  # seconds for all operations of one load


async def throughput(ground: Ground, caller: Caller, sizes: Sizes) -> dict[str, Any]:
    """As many operations as in the burst: a client sends for them what our operator would, and decides nothing."""
    namespace, names = ground.namespace("floor"), named("least", sizes.burst)
    peer = ground.peer("floor_throughput", namespace)

    async def act() -> None:
        await caller.create(OPERATIONS, namespace, operations(names, 0))
        await watch.all(names, is_over, PATIENCE)

    with running(peer):
        async with watched(caller, OPERATIONS, namespace) as watch:
            took = await measured(ground, namespace, names, act, operator=peer.user, pid=peer.pid)
    return took.figures() | took.of_operator()


async def events(ground: Ground, caller: Caller, sizes: Sizes) -> dict[str, Any]:
    """Empty handlers see the events of operations that our operator works on; CPU in ms for each operation."""
    namespace, names = ground.namespace("floor"), named("floor", sizes.preset)

    async def act() -> None:
        await caller.create(OPERATIONS, namespace, operations(names, 0))
        await watch.all(names, is_over)

    peer = ground.peer("floor_events", namespace)
    with running(ground.operator(namespace)) as operator, running(peer):
        before = gauges.cpu_seconds(peer.pid)
        async with watched(caller, OPERATIONS, namespace) as watch:
            await measured(ground, namespace, names, act, operator=OPERATOR, pid=operator.pid)
        gauges.calm(peer.pid)
        used = gauges.cpu_seconds(peer.pid) - before
        return {"count": len(names), "cpu_ms": round(1000 * used / len(names), 2), "rss_mb": _rss(peer.pid)}


async def writes(ground: Ground, caller: Caller, sizes: Sizes) -> dict[str, Any]:
    """Nothing but PATCHes; CPU in ms for each of them."""
    namespace = ground.namespace("writes")
    await caller.create(OPERATIONS, namespace, operations(named("patched", 50), 0))
    peer = ground.peer("floor_writes", namespace, writes=sizes.patches)
    peer.start(wait=False)
    found: dict[str, Any] = json.loads(peer.finish().splitlines()[-1])
    return found | {"cpu_ms": round(found["cpu_ms"], 3), "per_second": round(found["writes"] / found["seconds"], 1)}


def _rss(pid: int) -> float:
    return round(gauges.memory_mb(pid), 1)
