"""Letting everything come to rest: all work ends, every event is told, and the operator runs until nothing is due."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from tests.model.replica import Replica
from tests.model.world import World
from tests.support.clocks import FakeClock

_ROUNDS: Final = 60
_QUIET: Final = 3
_AT_LEAST: Final = timedelta(seconds=1)


def come_to_rest(world: World, replica: Replica, time: FakeClock) -> None:
    """Run until three rounds have changed nothing. Raises AssertionError where that does not come."""
    world.api.before, world.api.after = world.refuse_jobs, lambda *_: None
    quiet = 0
    for _ in range(_ROUNDS):
        before = len(world.api.events)
        world.everything_ends()
        replica.catch_up()
        replica.look_at_everything()
        wake = replica.reconcile_all()
        time.advance(max(wake or _AT_LEAST, _AT_LEAST).total_seconds())
        quiet = quiet + 1 if len(world.api.events) == before and wake is None else 0
        if quiet == _QUIET:
            return
    raise AssertionError("there is no rest: something is written or waited for again and again")
