"""Being told to stop: SIGTERM, seen by polling, by waiting, or as an exception in the main thread."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Iterable
from types import FrameType
from typing import Any, Final

from alo_operator.errors import Cancelled

MARGIN: Final = 2.0  # seconds of the grace period that are left for leaving


class Stop:
    """Whether the work was told to stop, and when.

    With `interrupt`, the signal raises Cancelled in the main thread, once. `grace` is the pod's
    terminationGracePeriodSeconds. Nothing here takes a lock, as a signal may find the main thread holding it.
    """

    def __init__(self, *, interrupt: bool = True, grace: float = 30.0) -> None:
        self.signal: int | None = None
        self._interrupt, self._grace = interrupt, grace
        self._since = 0.0
        self._process = os.getpid()
        self._held = 0
        self._raised = False
        self._previous: dict[int, Any] = {}
        # Readable for ever once the signal has come: any number of threads can wait on it.
        self._told_fd, self._tell_fd = os.pipe()

    def __del__(self) -> None:
        os.close(self._told_fd)
        os.close(self._tell_fd)

    @property
    def told(self) -> bool:
        return self.signal is not None

    def listen(self, signals: Iterable[int] = (signal.SIGTERM,)) -> None:
        """Take these signals. Outside the main thread nothing happens, as Python allows it only there."""
        if threading.current_thread() is threading.main_thread():
            for number in signals:
                self._previous[number] = signal.signal(number, self._tell)

    def deafen(self) -> None:
        """From now on the signals are noted and raise nothing."""
        self._interrupt = False

    def restore(self) -> None:
        """Give the signals back to whoever had them before."""
        for number, handler in self._previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._previous.clear()

    def wait(self, seconds: float | None) -> bool:
        """Sleep until the signal comes, `seconds` at most (None: for ever). Returns whether it has come."""
        poll = select.poll()
        poll.register(self._told_fd, select.POLLIN)
        return bool(poll.poll(None if seconds is None else max(0.0, seconds) * 1000))

    def remaining(self) -> float:
        """Seconds until the work has to be over; infinite as long as nobody told it to stop."""
        return float("inf") if self.signal is None else self._since + self._grace - MARGIN - time.monotonic()

    def check(self) -> None:
        """Raise Cancelled if the work was told to stop, as often as it is asked, in any thread."""
        if self.told:
            self._raised = self._raised or threading.current_thread() is threading.main_thread()
            raise Cancelled(f"told to stop by {signal.Signals(self.signal or 0).name}")

    def held(self, *, then_raise: bool = True) -> Held:
        """Hold Cancelled back inside a `with`; it is raised at the end, or not at all without `then_raise`."""
        return Held(self, then_raise=then_raise)

    def _tell(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a forked child: it shares the pipe, and is to end as any process does
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        if not self.told:
            self._since, self.signal = time.monotonic(), number
            os.write(self._tell_fd, b"!")
        if not self._held:
            self._interrupt_once()

    def _interrupt_once(self) -> None:
        if self.told and self._interrupt and not self._raised:
            self.check()

    def _change_held(self, by: int) -> None:
        self._held += by


class Held:
    """See Stop.held. In other threads than the main one it does nothing: nothing is ever raised there."""

    def __init__(self, stop: Stop, *, then_raise: bool) -> None:
        self._stop, self._then_raise = stop, then_raise

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._stop._change_held(1)  # noqa: SLF001 - two halves of one thing

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if threading.current_thread() is threading.main_thread():
            self._stop._change_held(-1)  # noqa: SLF001
            if self._then_raise and error is None and not self._stop._held:  # noqa: SLF001
                self._stop._interrupt_once()  # noqa: SLF001
