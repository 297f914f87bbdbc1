"""Whether the event loop still turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from alo_operator.effects import clock

LIMIT: Final = 5.0


class LoopLag:
    """Looks `every` so many seconds; `tell` is given how late the loop just was, and the latest it ever was."""

    def __init__(self, every: float, tell: Callable[[float, float], None] = lambda *_: None) -> None:
        self._every, self._tell = every, tell
        self._seen, self._most = clock.monotonic(), 0.0

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            before = clock.monotonic()
            await asyncio.sleep(self._every)
            self._seen = clock.monotonic()
            lag = max(0.0, self._seen - before - self._every)
            self._most = max(self._most, lag)
            self._tell(lag, self._most)

    @property
    def problem(self) -> str:
        """What is wrong, or "": the loop has not turned for 5 seconds."""
        return "the event loop is blocked" if clock.monotonic() - self._seen > LIMIT else ""
