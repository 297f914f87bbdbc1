"""Virtual time: one event loop for all operator processes of a life, whose clock moves only when a test lets it.

Everything that is ready runs at once (`settle`); timers fire in their order as time passes (`pass_time`), or all late
and together, as after the machine was suspended (`leap`).
"""

from __future__ import annotations

import asyncio
import contextvars
import selectors
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Final

import pytest

from tests.support.clocks import FakeClock

_MOST_TURNS: Final = 20_000  # of the loop at one moment; more is a hot loop
_MOMENT: Final = 1e-6
Tasks = dict[asyncio.Task[Any], None]
"""In the order of their start, so that all that happens to them has an order, too."""
OWNER: contextvars.ContextVar[Tasks | None] = contextvars.ContextVar("owner", default=None)
"""Where the tasks of the running process are noted; tasks that these start inherit it."""


class HotLoop(AssertionError):
    """Something runs again and again without time passing."""


class Simulation:
    """The loop and the clock. `moved` are called after each change of time, `turning` before each run of the loop."""

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        self.clock = FakeClock().install(patched)
        self.loop = _Loop(self.clock)
        self.loop.set_task_factory(_task)
        self.loop.set_exception_handler(self.note)
        self.moved: list[Callable[[], None]] = []
        self.turning: list[Callable[[], None]] = []
        self.problems: list[str] = []

    def close(self) -> None:
        """End all tasks, and the loop."""
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.settle()
        self.loop.close()

    def start(self, work: Coroutine[Any, Any, Any], owner: Tasks) -> asyncio.Task[Any]:
        """Begin `work` on behalf of a process, whose tasks are noted in `owner`."""
        context = contextvars.copy_context()
        context.run(OWNER.set, owner)
        return self.loop.create_task(work, context=context)

    def settle(self) -> None:
        """Run until everything waits for time, or for somebody else."""
        for call in self.turning:
            call()
        self.loop.turns = 0
        self.loop.run_forever()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, each timer firing at its moment."""
        end = self.clock.seconds + seconds
        self.settle()
        while (due := self.loop.next_timer()) is not None and due <= end:
            self.clock.seconds = max(self.clock.seconds, due) + _MOMENT
            self._tell()
            self.settle()
        self.leap(max(0.0, end - self.clock.seconds))

    def leap(self, seconds: float) -> None:
        """Let time pass at one stroke: what was due meanwhile is late."""
        self.clock.advance(seconds)
        self._tell()
        self.settle()

    def set_wall_clock(self, by: timedelta) -> None:
        """Somebody sets the clock; timers do not notice."""
        self.clock.set_wall_clock(by)
        self._tell()

    def _tell(self) -> None:
        for call in self.moved:
            call()

    def note(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "asynchronous generator is already running" in str(context.get("exception")):
            return  # a killed process closes nothing properly, and need not
        self.problems.append(f"{context.get('message')}: {context.get('exception')!r}")


class _Stopping(selectors.DefaultSelector):
    """Instead of waiting, ends the loop's run."""

    loop: _Loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            self.loop.stop()
        self.loop.turns += 1
        if self.loop.turns > _MOST_TURNS:
            self.loop.stop()
            raise HotLoop("something runs again and again without time passing")
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: FakeClock) -> None:
        self._fake, self.turns = clock, 0
        selector = _Stopping()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self._fake.monotonic()

    def next_timer(self) -> float | None:
        """When the next timer fires, on the clock's own scale."""
        base = self._fake.monotonic() - self._fake.seconds
        waiting = [handle.when() for handle in self._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        return min(waiting) - base if waiting else None


def _task(loop: asyncio.AbstractEventLoop, work: Any, **named: Any) -> asyncio.Task[Any]:
    task = asyncio.Task(work, loop=loop, **named)
    context = named.get("context")
    owner = context.get(OWNER) if context is not None else OWNER.get()
    if owner is not None:
        owner[task] = None
        task.add_done_callback(lambda done: owner.pop(done, None))
    return task
