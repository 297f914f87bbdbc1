"""One run: all loads in their order, with bare Jobs before and after each, so that drift shows."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from bench import gauges
from bench.client import Caller, caller
from bench.ground import Ground, say
from bench.loads import burst, cancelling, floors, standing, steady
from bench.sizes import Sizes

Load = Callable[[Ground, Caller, Sizes], Awaitable[Any]]

BARE = "bare"
ORDER: tuple[tuple[str, Load], ...] = (
    ("burst", burst.ours),
    ("textbook", burst.textbook),
    ("preset", burst.preset),
    ("floor_events", floors.events),
    ("floor_writes", floors.writes),
    ("steady", steady.steady),
    ("cancel", cancelling.cancelled),
    ("large", standing.large),
    ("standing", standing.levels),
)
WITHOUT_BARE = {"preset", "floor_events", "floor_writes", "large"}  # too short to drift, or not compared with bare Jobs


async def run(ground: Ground, sizes: Sizes, only: frozenset[str]) -> dict[str, Any]:
    """Do the loads in `only` (empty: all). Raw figures by name, those of bare Jobs as `bare_before`, `bare_after`."""
    found: dict[str, Any] = {"load_average": round(gauges.load(), 2), "kubernetes": ground.version}
    began = time.monotonic()
    async with caller(ground.cluster.kubeconfig, sizes.creators) as client:
        last: dict[str, Any] | None = None
        for name, load in ORDER:
            if only and name not in only:
                continue
            compared = name not in WITHOUT_BARE
            if compared and last is None:
                last = await _bare(ground, client, sizes)
            say(name)
            try:
                found[name] = await load(ground, client, sizes)
            except Exception as error:  # noqa: BLE001 - what one load meets must not take the others' figures along
                say(f"{name} failed: {error!r}")
                found[name] = {"failed": repr(error)}
            if compared and last is not None:
                found[name]["bare_before"] = last
                last = found[name]["bare_after"] = await _bare(ground, client, sizes)
    return found | {"seconds": round(time.monotonic() - began)}


async def _bare(ground: Ground, client: Caller, sizes: Sizes) -> dict[str, Any]:
    say(BARE)
    return await burst.bare(ground, client, sizes)
