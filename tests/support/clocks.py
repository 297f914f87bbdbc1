"""Time under a test's control: a clock for `effects.clock`, and an event loop that jumps over every pause."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest

from alo_operator.effects import clock
from tests.support.building import NOON

T = TypeVar("T")
_MOMENT = 1e-6
_BOOTED = 1000.0  # what a monotonic clock shows means nothing


class FakeClock:
    """Stands at NOON until it is told to move; the wall clock can also jump alone, as it does when it is set."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._jumped = timedelta(0)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
        """Make the product ask this clock, until the test ends."""
        monkeypatch.setattr(clock, "now", self.now)
        monkeypatch.setattr(clock, "monotonic", self.monotonic)
        return self

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds) + self._jumped

    def monotonic(self) -> float:
        return _BOOTED + self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds

    def set_wall_clock(self, by: timedelta) -> None:
        self._jumped += by

    async def reaches(self, seconds: float) -> None:
        """Return at that many seconds past NOON; everything due until then happens first."""
        loop = asyncio.get_running_loop()
        then = loop.create_future()
        loop.call_at(_BOOTED + seconds, then.set_result, None)
        await then

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end on a loop whose time is this clock: what would sleep moves the clock instead.

        Raises Deadlock where nothing more can ever happen.
        """
        with asyncio.Runner(loop_factory=lambda: _Loop(self)) as runner:
            return runner.run(work)


class Deadlock(AssertionError):
    """Everything waits, and nothing is due at any time."""


class _Jumping(selectors.DefaultSelector):
    """Instead of waiting, moves the clock to when the loop wanted to wake."""

    def __init__(self, fake: FakeClock) -> None:
        super().__init__()
        self._fake = fake

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout is None:
            raise Deadlock("everything waits, and nothing is due at any time")
        if not found and timeout and timeout > 0:
            self._fake.advance(timeout)
        return found


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, fake: FakeClock) -> None:
        self._fake = fake
        super().__init__(_Jumping(fake))

    def time(self) -> float:
        return self._fake.monotonic()

    def call_at(self, when: float, *args: Any, **named: Any) -> asyncio.TimerHandle:  # type: ignore[override]
        # Real time goes on during the shortest pause; without that a loop of ever shorter ones would never end.
        return super().call_at(max(when, self.time() + _MOMENT), *args, **named)
