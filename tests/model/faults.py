"""What can go wrong with one request of an operator."""

from __future__ import annotations

from enum import Enum, auto


class Fault(Enum):
    """A kind of trouble; each strikes one request and then is over."""

    CRASH_BEFORE = auto()  # the process ends before the request is sent
    CRASH_AFTER = auto()  # it ends after the API server has done it
    LOST_ANSWER = auto()  # done, but the answer never comes
    UNREACHABLE = auto()  # not done, and no answer
    HANGS = auto()  # not done, and no answer until the client's own timeout
    THROTTLED = auto()  # not done: 429
    BROKEN = auto()  # not done: 500
    TOUCHED = auto()  # somebody writes the operation just before
    OVERTAKEN = auto()  # all that happens meanwhile is told before the answer comes
