"""Some of the running work is cancelled."""

from __future__ import annotations

from typing import Any

from bench.client import Caller, path_of
from bench.ground import OPERATOR, Ground, running
from bench.loads.running import OPERATIONS, measured, named, operations, through
from bench.sizes import Sizes
from bench.trail import quantiles

RUNS = 60.0  # seconds that the work would take: longer than it takes to start and to cancel
RUNNING = "status.phase=Pending"
CANCEL = {"spec": {"cancel": {"reason": "measured"}}}


async def cancelled(ground: Ground, caller: Caller, sizes: Sizes) -> dict[str, Any]:
    """Each `cancel_each`-th of `cancel_of` running operations is cancelled, `rate` a second; the others run on."""
    namespace, names = ground.namespace("cancel"), named("cancel", sizes.cancel_of)
    chosen = names[:: sizes.cancel_each]

    async def stop(name: str) -> None:
        await caller.send("PATCH", path_of(OPERATIONS, namespace, name), CANCEL, how="merge")

    async def act() -> None:
        await caller.at_rate(sizes.rate, chosen, stop)
        await caller.none_left(OPERATIONS, namespace, "status.phase=Cancelling")
        await through(caller, namespace)

    with running(ground.operator(namespace)) as operator:
        await caller.create(OPERATIONS, namespace, operations(names, RUNS))
        await caller.none_left(OPERATIONS, namespace, RUNNING)
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
