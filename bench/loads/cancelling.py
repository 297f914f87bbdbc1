"""Some of the running work is cancelled."""

from __future__ import annotations

from typing import Any

from bench.client import Caller, path_of
from bench.ground import OPERATOR, Ground, running
from bench.loads.running import OPERATIONS, is_over, measured, named, operations
from bench.sizes import Sizes
from bench.trail import quantiles
from bench.watching import watched

RUNS = 45.0  # seconds that the work would take: longer than it takes to start and to cancel
CANCEL = {"spec": {"cancel": {"reason": "measured"}}}


async def cancelled(ground: Ground, caller: Caller, sizes: Sizes) -> dict[str, Any]:
    """Each `cancel_each`-th of `cancel_of` running operations is cancelled, `rate` a second; the others run on."""
    namespace, names = ground.namespace("cancel"), named("cancel", sizes.cancel_of)
    chosen = names[:: sizes.cancel_each]

    async def stop(name: str) -> None:
        await caller.send("PATCH", path_of(OPERATIONS, namespace, name), CANCEL, how="merge")

    async def act() -> None:
        await caller.at_rate(sizes.rate, chosen, stop)
        await watch.all(names, is_over)

    with running(ground.operator(namespace)) as operator:
        async with watched(caller, OPERATIONS, namespace) as watch:
            await caller.create(OPERATIONS, namespace, operations(names, RUNS))
            await watch.all(names, lambda one: one["status"]["phase"] == "Running")
            took = await measured(ground, namespace, names, act, operator=OPERATOR, pid=operator.pid)
    lives = [took.trail.lives[name] for name in chosen]
    return {
        "count": sizes.cancel_of,
        "cancelled": len(chosen),
        "own_writes": round(sum(life.writes for life in lives) / len(lives), 3),
        "refused": dict(took.trail.refused),
        **quantiles(took.trail.steps("cancelled", "pods_gone"), "cancel_to_pods_gone"),
        **quantiles(took.trail.steps("cancelled", "settled"), "cancel_to_settled"),
    }
