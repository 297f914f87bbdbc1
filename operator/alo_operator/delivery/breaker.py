"""A circuit breaker: a destination that is down is asked by one message now and then, not by all of them."""

from __future__ import annotations

from typing import Final

THRESHOLD: Final = 5  # failures in a row that open it
SHORTEST: Final = 10.0  # seconds until the first probe
LONGEST: Final = 300.0
LONGEST_PAUSE: Final = 3600.0
PROBE_LEASE: Final = 60.0  # a probe of which nothing was heard for so long is given up
PROBE_WAIT: Final = 5.0  # how long the others are put off while a probe is on its way


class Breaker:
    """What one destination's answers say about asking it again.

    All times are seconds of one monotonic clock, given as arguments. The rules of use, for each attempt:

    1. `held(now)`: None means go, a number that the message has to be put off for so many seconds. It changes nothing.
    2. `admit(now)` right before the attempt, with no `await` between the two: True lets it go. While the breaker is
       open it lets one through as a probe once the time is over, and holds the others until that one is back.
    3. After it, exactly one of `succeeded`, `failed` and `abandoned` (it was broken off here, or never sent, and so
       says nothing about the destination). A probe of which nothing is heard is given up after a minute.
    4. After a 429 or 503 that says Retry-After, `pause` as well.

    A failure is what speaks against the destination as a whole: no connection, bad TLS, no answer in time, 5xx and 429.
    An answer such as 400, 404 or 410 is about one message or one path: it shows that the destination is up, so call
    `succeeded`, or one wrong URL would hold up everybody else's messages to the same place.

    An attempt may be made without `admit` (the last round of a deletion is); its outcome counts all the same.
    """

    __slots__ = ("_failures", "_open_until", "_openings", "_paused_until", "_probe_until", "down_since")

    def __init__(self) -> None:
        self._failures = 0
        self._openings = 0
        self._open_until: float | None = None
        self._probe_until: float | None = None
        self._paused_until: float | None = None
        self.down_since: float | None = None  # when it was opened; None while it is not open

    @property
    def is_open(self) -> bool:
        """Whether the destination counts as down; True until a probe has got through."""
        return self._open_until is not None

    def at_rest(self, now: float) -> bool:
        """Whether there is nothing to remember: a new Breaker would behave the same."""
        paused = self._paused_until is not None and self._paused_until > now
        return not (self._failures or self.is_open or paused)

    def held(self, now: float) -> float | None:
        """The seconds until this destination may be asked again; None: now."""
        waits = [until - now for until in (self._paused_until, self._open_until) if until is not None and until > now]
        if self._probe_until is not None and self._probe_until > now:
            waits.append(min(self._probe_until - now, PROBE_WAIT))
        return max(waits, default=None)

    def admit(self, now: float) -> bool:
        """Whether an attempt may be made now; where the breaker is open, that attempt is the probe."""
        if self.held(now) is not None:
            return False
        if self.is_open:
            self._probe_until = now + PROBE_LEASE
        return True

    def succeeded(self, now: float) -> None:
        """The destination has answered: all is forgotten but a pause that it asked for."""
        self._failures = self._openings = 0
        self._open_until = self._probe_until = self.down_since = None

    def failed(self, now: float, jitter: float) -> None:
        """An attempt has failed. `jitter` in [0, 1): an even spread shortens the wait by up to a fifth."""
        if self._open_until is None:
            self._failures += 1
            if self._failures >= THRESHOLD:
                self._open(now, jitter)
        elif now >= self._open_until:
            self._open(now, jitter)
        # Else it had set out before the breaker opened, and says nothing new.

    def abandoned(self, now: float) -> None:
        """An attempt came to nothing on our side; if it was the probe, the next one may be it."""
        self._probe_until = None

    def pause(self, now: float, seconds: float) -> None:
        """The destination asked to be left alone for so many seconds; more than an hour is not granted."""
        if seconds > 0:
            until = now + min(seconds, LONGEST_PAUSE)
            self._paused_until = max(until, self._paused_until or until)
            self._probe_until = None

    def _open(self, now: float, jitter: float) -> None:
        # The exponent is bounded: 2.0 to a power past 1023 is an error, and LONGEST is reached long before.
        length = min(SHORTEST * 2.0 ** min(self._openings, 16), LONGEST)
        self._openings += 1
        if self.down_since is None:
            self.down_since = now
        self._open_until = now + length * (1 - jitter / 5)
        self._probe_until = None
