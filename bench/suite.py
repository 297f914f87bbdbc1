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

Load = Callable[[Ground, Caller, Sizes], Awaitable[dict[str, Any]]]

ORDER: tuple[tuple[str, Load], ...] = (
    ("burst", burst.ours),
    ("floor_throughput", floors.throughput),
    ("textbook", burst.textbook),
    ("preset", burst.preset),
    ("floor_events", floors.events),
    ("floor_writes", floors.writes),
    ("steady", steady.steady),
    ("cancel", cancelling.cancelled),
    ("large", standing.large),
    ("standing", standing.levels),
)
# Which number of Sizes there are of bare Jobs before and after a load; none where it is short, or not compared.
BARE = {
    "burst": "burst",
    "floor_throughput": "burst",
    "textbook": "burst",
    "steady": "bare",
    "cancel": "bare",
    "standing": "bare",
}

# What further runs do again: the loads that figures are read from; the others are there to compare with.
AGAIN = frozenset({"burst", "preset", "steady", "standing"})


async def run(ground: Ground, sizes: Sizes, only: frozenset[str]) -> dict[str, Any]:
    """Do the loads in `only` (empty: all). Raw figures by name, those of bare Jobs as `bare_before`, `bare_after`.

    `took_s` of a load is how long it took from its first preparation to its last reading, without the bare Jobs.
    """
    found: dict[str, Any] = {"load_average": round(gauges.load(), 2), "kubernetes": ground.version}
    began = time.monotonic()
    async with caller(ground.cluster.kubeconfig, sizes.creators) as client:
        last: dict[str, Any] | None = None
        for name, load in ORDER:
            if only and name not in only:
                continue
            count = getattr(sizes, BARE[name]) if name in BARE else None
            # Those after one load are those before the next, unless they are fewer.
            if count and (last is None or last["count"] != count):
                last = await _bare(ground, client, count)
            found[name] = await _load(name, load(ground, client, sizes))
            if count:
                found[name]["bare_before"] = last
                last = found[name]["bare_after"] = await _bare(ground, client, count)
    return found | {"seconds": round(time.monotonic() - began)}


async def _bare(ground: Ground, client: Caller, count: int) -> dict[str, Any]:
    """So many bare Jobs; without them there is nothing to compare with, so that an error ends the run."""
    began = time.monotonic()
    found = await burst.bare(ground, client, count)
    say(f"{count} bare Jobs took {time.monotonic() - began:.0f} s: {found['per_second']:g}/s")
    return found


async def _load(name: str, load: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """What was measured, and how long that took. A load that fails takes the others' figures not along."""
    began = time.monotonic()
    say(name)
    try:
        found = await load
    except Exception as error:  # noqa: BLE001 - whatever it met
        say(f"{name} failed: {error!r}")
        found = {"failed": repr(error)}
    found["took_s"] = round(time.monotonic() - began, 1)
    say(f"{name} took {found['took_s']:.0f} s")
    return found
