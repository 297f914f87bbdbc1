"""Which operation is next: a queue without duplicates, with three lanes, wake-up times and a backoff for each key."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable
from enum import IntEnum
from typing import Final

from alo_operator.effects import clock

BACKOFF_FIRST: Final = 0.2
BACKOFF_LAST: Final = 60.0


class _Lane(IntEnum):
    URGENT = 0
    USUAL = 1
    IDLE = 2


class WorkQueue:
    """Keys to work off, each by one worker at a time; all times are seconds.

    A key added while it is being worked on comes again afterwards. Urgent keys go before the rest, idle ones after it.

    `taken` is told of each key that is handed out: the word of its lane, and the seconds it waited.
    """

    def __init__(self, taken: Callable[[str, float], None] = lambda *_: None) -> None:
        self._taken = taken
        self._order = itertools.count()
        self._entries: asyncio.PriorityQueue[tuple[_Lane, int, str]] = asyncio.PriorityQueue()
        self._queued: dict[str, tuple[_Lane, int]] = {}  # the entry that counts; others of the same key are passed over
        self._since: dict[str, float] = {}  # when what waits, or came in during its pass, was first added
        self._running: set[str] = set()
        self._dirty: dict[str, _Lane] = {}
        self._failures: dict[str, int] = {}
        self._wakes: list[tuple[float, str, bool]] = []
        self._wake_of: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._queued)

    def add(self, key: str, *, urgent: bool = False, idle: bool = False) -> None:
        """Have `key` worked on soon; `idle`: when nothing else waits."""
        self._add(key, _Lane.URGENT if urgent else _Lane.IDLE if idle else _Lane.USUAL)

    def add_after(self, key: str, delay: float, *, idle: bool = False) -> None:
        """Have `key` worked on in `delay` seconds; an earlier wake-up of it stands."""
        due = clock.monotonic() + max(0.0, delay)
        if self._wake_of.get(key, float("inf")) <= due:
            return
        self._wake_of[key] = due
        heapq.heappush(self._wakes, (due, key, idle))
        if self._wakes[0][0] == due:
            self._arm()

    def retry(self, key: str) -> float:
        """Have `key` worked on again after its backoff (0.2 s doubling to 60 s, with jitter); the delay chosen."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(BACKOFF_LAST, BACKOFF_FIRST * 2.0 ** min(failures, 20)) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
        self.add_after(key, delay)
        return delay

    def forget_failures(self, key: str) -> None:
        """The next `retry` of `key` starts from the beginning."""
        self._failures.pop(key, None)

    async def get(self) -> str:
        """The next key, which is then being worked on until `done`."""
        while True:
            lane, turn, key = await self._entries.get()
            if self._queued.get(key) == (lane, turn):
                break
        del self._queued[key]
        self._running.add(key)
        self._taken(lane.name.lower(), clock.monotonic() - self._since.pop(key))
        self._wake_of.pop(key, None)  # whoever works on it decides anew when to look again
        return key

    def done(self, key: str) -> None:
        """The work on `key` has ended; what came in meanwhile is queued."""
        self._running.discard(key)
        if key in self._dirty:
            self._add(key, self._dirty.pop(key))

    def clear(self) -> None:
        """Drop everything that waits; what is being worked on goes on."""
        while not self._entries.empty():
            self._entries.get_nowait()
        self._queued.clear()
        self._since.clear()
        self._dirty.clear()
        self._failures.clear()
        self._wakes.clear()
        self._wake_of.clear()

    def _add(self, key: str, lane: _Lane) -> None:
        self._since.setdefault(key, clock.monotonic())
        if key in self._running:
            self._dirty[key] = min(lane, self._dirty.get(key, lane))
            return
        if key in self._queued and self._queued[key][0] <= lane:
            return
        self._queued[key] = lane, next(self._order)
        self._entries.put_nowait((*self._queued[key], key))

    def _arm(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._wakes:
            delay = max(0.0, self._wakes[0][0] - clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._fire)

    def _fire(self) -> None:
        now = clock.monotonic()
        while self._wakes and self._wakes[0][0] <= now:
            due, key, idle = heapq.heappop(self._wakes)
            if self._wake_of.get(key) == due:
                del self._wake_of[key]
                self.add(key, idle=idle)
        self._arm()
