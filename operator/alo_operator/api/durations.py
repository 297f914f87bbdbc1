"""The one grammar of durations: `90s`, `10m`, `1h30m`, `720h`, `0`."""

import re
from datetime import timedelta
from functools import lru_cache
from typing import Final

# RE2 has no look-ahead, so the pattern alone lets the empty text pass; DURATION_MIN_LENGTH refuses it.
DURATION_PATTERN: Final = r"^(0|([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,9}s)?)$"
DURATION_MIN_LENGTH: Final = 1
DURATION_MAX_LENGTH: Final = 24

_PARTS: Final = re.compile(r"0|(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,9})s)?")


@lru_cache(maxsize=1024)
def parse_duration(text: str) -> timedelta:
    """`text` as a length of time, in whole seconds and never negative.

    Raises:
        ValueError: the text is empty or breaks the grammar; the message shows how to write a duration.
    """
    match = _PARTS.fullmatch(text)
    if match is None or not text:
        raise ValueError(
            f"{text!r} is not a duration: write hours, minutes and seconds in this order, as in 1h30m or 45s"
        )
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def format_duration(length: timedelta) -> str:
    """`length` in the grammar, shortest spelling: 5400 s is `1h30m`, nothing is `0`.

    Parts of a second are dropped.

    Raises:
        ValueError: the length is negative or has a million hours and more, which the grammar cannot say.
    """
    total = length // timedelta(seconds=1)
    if length < timedelta(0):
        raise ValueError(f"a duration cannot be negative: {length}")
    hours, rest = divmod(total, 3600)
    if hours > 999_999:
        raise ValueError(f"a duration ends at 999999 hours: {length}")
    minutes, seconds = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0"
