"""Work that comes evenly: how long each step takes while nothing queues."""

from __future__ import annotations

from typing import Any

from bench.client import Caller
from bench.ground import OPERATOR, Ground, running
from bench.loads.burst import counted
from bench.loads.running import OPERATIONS, is_over, measured, named, operations
from bench.sizes import Sizes
from bench.watching import watched
from tests.support.operator_process import OperatorProcess


async def steady(ground: Ground, caller: Caller, sizes: Sizes) -> dict[str, Any]:
    """`steady` operations at `rate` a second, whose work takes `steady_work` seconds."""
    namespace = ground.namespace("steady")
    with running(ground.operator(namespace)) as operator:
        return await evenly(ground, caller, sizes, operator, namespace, sizes.steady)


async def evenly(
    ground: Ground, caller: Caller, sizes: Sizes, operator: OperatorProcess, namespace: str, count: int
) -> dict[str, Any]:
    """`count` operations at `rate` a second, with an operator that runs."""
    names = named("steady", count)

    async def act() -> None:
        bodies = operations(names, sizes.steady_work)
        await caller.create_at(sizes.rate, OPERATIONS, namespace, bodies)
        await watch.all(names, is_over)

    before = operator.metrics()
    async with watched(caller, OPERATIONS, namespace) as watch:
        took = await measured(ground, namespace, names, act, operator=OPERATOR, pid=operator.pid)
    return took.figures() | took.of_operator() | counted(before, operator.metrics(), count)
