"""When a message that did not arrive is sent again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from alo_operator.api.durations import format_duration, parse_duration

MAX_STEPS: Final = 32
LONGEST_STEP: Final = timedelta(hours=720)
LONGEST_RETRY_AFTER: Final = timedelta(hours=24)

_LEAST: Final = 0.8
_SPREAD: Final = 0.4  # 0.8 to 1.2 times the step
_NOW: Final = timedelta(0)


@dataclass(frozen=True)
class Schedule:
    """The pauses between attempts; the first attempt is immediate, so there is one attempt more than pauses."""

    delays: tuple[timedelta, ...]

    DEFAULT: ClassVar[Schedule]

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """A schedule as it is written in options, such as `5s,5m,30m,2h`: 1 to 32 pauses of at most 720h.

        Raises:
            ValueError: says which pause is wrong, or that there are none or too many.
        """
        steps = [step.strip() for step in text.split(",")]
        if not text.strip():
            raise ValueError("a schedule needs at least one pause, as in 5s,5m,30m")
        if len(steps) > MAX_STEPS:
            raise ValueError(f"a schedule has at most {MAX_STEPS} pauses, and this one has {len(steps)}")
        delays = tuple(parse_duration(step) for step in steps)
        for step, delay in zip(steps, delays, strict=True):
            if delay > LONGEST_STEP:
                raise ValueError(f"the pause {step} is longer than {format_duration(LONGEST_STEP)}")
        return cls(delays)

    def delay(self, attempts: int, seed: str, retry_after: float | None = None) -> timedelta | None:
        """The pause after `attempts` failed ones; None when there is to be no other.

        It is spread by up to 20 % either way, by `seed` and number alone: the same question has the same answer, and
        different seeds do not come back all at once. `retry_after`: the seconds the receiver asked for; the pause is
        never shorter than those, but for what is beyond a day.
        """
        if attempts <= 0:
            return _NOW
        if attempts > len(self.delays):
            return None
        digest = hashlib.sha256(f"{seed}:{attempts}".encode("utf-8", "surrogatepass")).digest()
        fraction = int.from_bytes(digest[:6], "big") / 2**48
        pause = self.delays[attempts - 1] * (_LEAST + _SPREAD * fraction)
        longest = LONGEST_RETRY_AFTER.total_seconds()
        asked = timedelta(seconds=min(retry_after, longest)) if retry_after and retry_after > 0 else _NOW
        return max(pause, asked)

    def remaining(self, attempts: int) -> timedelta:
        """The longest that all pauses after `attempts` failed ones can take together, as far as we choose them."""
        return sum(self.delays[max(attempts - 1, 0) :], _NOW) * 6 / 5

    def __str__(self) -> str:
        return ",".join(format_duration(delay) for delay in self.delays)


# About three days; the sample schedule of Standard Webhooks 1.0.
Schedule.DEFAULT = Schedule.parse("5s,5m,30m,2h,5h,10h,14h,20h,24h")
