"""Brings settled operations back when their retention is over, however far away that is.

Only what is due soon has a wake-up in the queue; the rest is looked over once a minute, by the clock on the wall. So
days of waiting cost no memory, and a clock that jumps is noticed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from alo_operator.controller.cache import Cache
from alo_operator.controller.workqueue import WorkQueue
from alo_operator.effects import clock

EVERY: Final = 60.0
SOON: Final = 1.5 * EVERY  # seconds; longer than a look takes to come round
_AT_ONCE: Final = 5_000  # operations looked over before the event loop gets a turn


class Reminders:
    """Puts what is due into the queue's last lane; `leading` says whether this replica may act on it."""

    def __init__(self, cache: Cache, queue: WorkQueue, leading: Callable[[], bool]) -> None:
        self._cache, self._queue, self._leading = cache, queue, leading
        self._now = asyncio.Event()

    def soon(self) -> None:
        """Look everything over at once."""
        self._now.set()

    def rested(self, uid: str) -> None:
        """An operation has come to rest, or what is due of it has changed."""
        due = self._cache.due(uid)
        if due is not None:
            self._remind(uid, due)

    async def run(self) -> None:
        """Look everything over every minute, until cancelled."""
        while True:
            await self.look()
            try:
                # Not wait_for, which in Python 3.11 lets a cancellation pass that comes together with the event.
                async with asyncio.timeout(EVERY):
                    await self._now.wait()
            except TimeoutError:
                continue
            finally:
                self._now.clear()

    async def look(self) -> None:
        """One look at all operations that rest."""
        if not self._leading():
            return
        for count, (uid, due) in enumerate(self._cache.resting(), start=1):
            self._remind(uid, due)
            if count % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _remind(self, uid: str, due: int) -> None:
        delay = due - clock.now().timestamp()
        if delay <= SOON and self._leading():
            self._queue.add_after(uid, delay, idle=True)
