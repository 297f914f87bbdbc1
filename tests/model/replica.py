"""The real operator in virtual time: a whole `controller.app.App`, with a stand-in for Kopf and without a network."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable
from typing import Any

import kopf
import pytest

from alo_operator.api.names import LABEL_MANAGED, MANAGED_VALUE
from alo_operator.controller import app as application
from alo_operator.controller import options, startup
from alo_operator.controller.app import App
from tests.model.faults import Fault
from tests.model.line import Line, Request
from tests.model.mail import Mail
from tests.model.receivers import Message
from tests.model.simulation import Simulation, Tasks
from tests.model.telling import SCHEDULE
from tests.model.world import Body, World

_RUNNING: contextvars.ContextVar[Replica] = contextvars.ContextVar("running")


def stand_in_for_kopf(patched: pytest.MonkeyPatch) -> None:
    """Have every `App` run without Kopf's watches, and without the checks of a cluster that is not there."""

    async def operator(*, registry: kopf.OperatorRegistry, **_: Any) -> None:
        await _RUNNING.get().serve(registry)

    async def check(*_: Any) -> None:
        return

    patched.setattr(kopf, "operator", operator)
    patched.setattr(startup, "check", check)


class Replica:
    """One replica, process after process; what survives a crash is only what the API server has.

    `sent` is told of each request and `posted` of each message, with this replica; `refused` of each answer 422.
    `position` is the number of API events that were delivered to the process or given up.
    """

    def __init__(
        self,
        world: World,
        sim: Simulation,
        identity: str,
        sent: Callable[[Replica, Request], None],
        posted: Callable[[Replica, Message], None],
        refused: Callable[[Request, str], None],
    ) -> None:
        self._world, self._sim, self._sent, self._refused = world, sim, sent, refused
        self._posted = posted
        self.identity = identity
        self.crashes = 0
        self.alive = False
        self.position = 0
        self._put_off: list[tuple[str, str, Body]] = []
        self._line: Line | None = None
        self._struck: list[Fault] = []
        sim.turning.append(self._tell_watches)

    # -- its life

    def start(self) -> None:
        """A new process: it lists everything, as Kopf does at first, and takes part in the election."""
        assert not self.alive
        self.alive = True
        self._struck += self._line.struck if self._line else ()
        self._tasks: Tasks = {}
        self._line = Line(self._world, self._crashed, lambda request: self._sent(self, request), self._refused)
        self._line.overtake = self._overtake
        given = options.parse(
            [
                *("run", "--all-namespaces", "--http-address=127.0.0.1:0", "--identity", self.identity),
                *("--lease-duration=30s", "--lease-retry=3s", f"--delivery-schedule={SCHEDULE}"),
            ]
        )
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(application, "Cluster", lambda *_, **__: self._line)
            mail = Mail(self._line, lambda message: self._posted(self, message))
            patched.setattr(application, "Transport", lambda *_, **__: mail)
            self.app = App(given)
        self._handlers: dict[str, Callable[..., Any]] = {}
        self._stopping = asyncio.Event()
        _RUNNING.set(self)
        self._process = self._sim.start(self.app.run(), self._tasks)
        self._sim.settle()

    async def serve(self, registry: kopf.OperatorRegistry) -> None:
        """What `kopf.operator` does: the start-up, the first lists, then news until the end, and the clean-up."""
        self._handlers = {_plural(handler): handler.fn for handler in registry._watching.get_all_handlers()}
        await _act(registry, "STARTUP")
        self._relist()
        await self._stopping.wait()
        await _act(registry, "CLEANUP")

    def crash(self) -> None:
        """The process is killed."""
        if not self.alive:
            return
        assert self._line
        self.alive, self._line.dead = False, True
        self.crashes += 1
        for task in list(self._tasks):
            task.cancel()

    def stop(self) -> None:
        """SIGTERM: passes under way are finished and the Lease is given up."""
        if not self.alive:
            return
        self.line.release()
        self._stopping.set()
        self._sim.pass_time(22)
        self._sim.loop.set_exception_handler(self._sim.note)
        assert self._process.done() or not self.alive, "the process does not end"
        self.alive, self.line.dead = False, True
        for task in list(self._tasks):
            task.cancel()
        self._sim.settle()

    @property
    def line(self) -> Line:
        assert self._line
        return self._line

    @property
    def leading(self) -> bool:
        return self.alive and self.app.elector.leading

    @property
    def well(self) -> bool:
        """Whether it runs, if nobody has ended it."""
        return not self.alive or not self._process.done()

    def strike(self, fault: Fault, place: int) -> None:
        """`fault` at one of the next requests that serve an operation; 0: the next one."""
        self.line.fates[self.line.count + place] = fault

    def all_struck(self) -> list[Fault]:
        """The faults that its processes have met."""
        return [*self._struck, *(self._line.struck if self._line else ())]

    # -- its news

    def catch_up(self, most: int = 1_000_000, *, late: str = "") -> None:
        """The next events, in order; those of the kind `late` only with a later call, as each kind has its watch."""
        if self.alive:
            fresh = self._world.api.events[self.position : self.position + most]
            self.position += len(fresh)
            events = [*self._put_off, *fresh]
            self._put_off = [event for event in events if event[1] == late]
            self._take_in([event for event in events if event[1] != late])
            self._sim.settle()

    def miss(self, count: int) -> bool:
        """The next events are never told; whether there were any."""
        before = self.position
        self.position = min(self.position + count, len(self._world.api.events))
        return self.position > before

    def hear_again(self, which: int) -> None:
        """An old event comes once more."""
        if self.alive and self._world.api.events:
            self._take_in([self._world.api.events[which % len(self._world.api.events)]])
            self._sim.settle()

    def begin_anew(self) -> None:
        """The watches are cut and begin with lists; what went away meanwhile is not told."""
        if self.alive:
            self.line.cut()
            self._relist()
            self._sim.settle()

    def _relist(self) -> None:
        self.position, self._put_off = len(self._world.api.events), []
        for plural in self._handlers:
            for body in self._world.every(plural):
                self._tell(None, plural, body)

    def _take_in(self, events: list[tuple[str, str, Body]]) -> None:
        for kind, plural, body in events:
            self._tell(kind, plural, body)

    def _tell(self, kind: str | None, plural: str, body: Body) -> None:
        managed = plural != "jobs" or body["metadata"].get("labels", {}).get(LABEL_MANAGED) == MANAGED_VALUE
        if plural in self._handlers and managed:
            self._sim.start(self._handlers[plural](event={"type": kind, "object": body}), self._tasks)

    def _overtake(self) -> None:
        events, self.position = self._world.api.events[self.position :], len(self._world.api.events)
        self._take_in(events)

    def _crashed(self) -> None:
        self.crash()

    def _tell_watches(self) -> None:
        if self.alive:
            self.line.tell()


async def _act(registry: kopf.OperatorRegistry, activity: str) -> None:
    handlers: list[Any] = list(registry._activities.get_all_handlers())
    for handler in handlers:
        if handler.activity.name == activity:
            await handler.fn()


def _plural(handler: Any) -> str:
    return str(handler.selector.plural or handler.selector.any_name)


class Defects(logging.Handler):
    """Keeps what the operator logged as its own defect: it survives those, so nothing else would show them."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))
