"""How much of something may happen: a bucket that fills by itself."""

from __future__ import annotations

from alo_operator.effects import clock


class Allowance:
    """At most `burst` at once and `rate` a second over time."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._filled = burst, clock.monotonic()

    def take(self) -> float:
        """Take one. 0: it was there; else nothing was taken, and the seconds until there is one."""
        now = clock.monotonic()
        self._left = min(self._burst, self._left + (now - self._filled) * self._rate)
        self._filled = now
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self._rate
