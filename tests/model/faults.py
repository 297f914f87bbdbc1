"""What can go wrong at one request of a pass: each strikes once, at the chosen request, and then is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Self

from alo_operator.errors import ApiUnreachable, ServerBusy
from tests.model.replica import Crash
from tests.model.world import World


class Fault(Enum):
    """A kind of trouble."""

    NONE = auto()
    CRASH_BEFORE = auto()  # the process ends before the request is sent
    CRASH_AFTER = auto()  # it ends after the API server has done it
    LOST_ANSWER = auto()  # done, but the answer never comes
    UNREACHABLE = auto()  # not done, and no answer
    BUSY = auto()  # not done: 503
    TOUCHED = auto()  # somebody writes the operation just before


@dataclass
class Strike:
    """`fault` at the request number `place`, counted from 0 from when it is entered."""

    world: World
    fault: Fault
    place: int
    touch: Callable[[], None]

    def __enter__(self) -> Self:
        self._asked = 0
        self.world.api.before, self.world.api.after = self._before, self._after
        return self

    def __exit__(self, *_: object) -> None:
        self.world.api.before, self.world.api.after = self.world.refuse_jobs, lambda *_: None

    def _before(self, method: str, path: str) -> None:
        struck = self._asked == self.place
        self._asked += 1
        if struck and self.fault is Fault.CRASH_BEFORE:
            raise Crash
        if struck and self.fault is Fault.UNREACHABLE:
            raise ApiUnreachable("no answer")
        if struck and self.fault is Fault.BUSY:
            raise ServerBusy(503, "ServiceUnavailable", "later")
        if struck and self.fault is Fault.TOUCHED:
            self.touch()
        self.world.refuse_jobs(method, path)

    def _after(self, method: str, path: str) -> None:
        if self._asked - 1 != self.place:
            return
        if self.fault is Fault.CRASH_AFTER:
            raise Crash
        if self.fault is Fault.LOST_ANSWER:
            raise ApiUnreachable("the answer was lost")
