"""Whose turn it is: at most as many operations of a template have work as its limit says, the oldest first.

All of it is memory. What holds a place is known from Jobs and status alone, so after a restart or a failover nobody is
let in until everything has been listed (`open`).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from alo_operator.desired.observed import OperationView
from alo_operator.desired.template_view import Key

Place = tuple[datetime, str]
"""What the line is ordered by: creation and uid."""


@dataclass(slots=True)
class _Line:
    """The unsettled operations of one template: those with work or about to have it, those who wait, all others."""

    limit: int | None = None
    holding: set[str] = field(default_factory=set)
    promised: set[str] = field(default_factory=set)  # of the holding, those whose Job is not known yet
    waiting: list[Place] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)


class Turns:
    """The lines of all templates. `wake` is called for those whose turn may have come, with a uid and "not urgent"."""

    def __init__(self, wake: Callable[[str, bool], None] = lambda *_: None) -> None:
        self._wake = wake
        self._lines: dict[Key, _Line] = {}
        self._key_of: dict[str, Key] = {}
        self._asked: set[str] = set()
        self._open = True

    # -- what is told

    def seen(self, operation: OperationView, *, working: bool) -> None:
        """An operation has changed; `working`: its Job is known."""
        template = operation.spec.template_ref if operation.spec else None
        if template is None or operation.settled:
            self.left(operation.uid)
            return
        key = (operation.namespace, template.name)
        self._key_of[operation.uid] = key
        line = self._lines.setdefault(key, _Line())
        place = line.places.setdefault(operation.uid, (operation.created, operation.uid))
        if working or operation.status.job:
            self._start(line, place)
        elif operation.uid not in line.holding:
            self._queue(line, place, willing=_willing(operation))

    def working(self, uid: str) -> None:
        """Its Job is known."""
        if line := self._line(uid):
            self._start(line, line.places[uid])

    def left(self, uid: str) -> None:
        """The operation has its answer, or is gone."""
        line = self._line(uid)
        if line is None:
            return
        key = self._key_of.pop(uid)
        place = line.places.pop(uid)
        line.holding.discard(uid)
        line.promised.discard(uid)
        _remove(line.waiting, place)
        self._asked.discard(uid)
        if not line.places and line.limit is None:
            del self._lines[key]
        self._call(line)

    def limit(self, key: Key, limit: int | None) -> None:
        """What the template says now; None: any number, or there is no such template."""
        line = self._lines.get(key)
        if line is None:
            if limit is not None:
                self._lines[key] = _Line(limit)
            return
        line.limit = limit
        if limit is None and not line.places:
            del self._lines[key]

    def close(self) -> None:
        """Let nobody in until `open`; what was promised is void."""
        self._open = False
        for line in self._lines.values():
            for uid in line.promised:
                insort(line.waiting, line.places[uid])
            line.holding -= line.promised
            line.promised.clear()

    def open(self) -> None:
        """Everything has been listed: go on."""
        self._open = True
        for line in self._lines.values():
            self._call(line)

    # -- what is asked

    def take(self, uid: str) -> bool:
        """Whether it is this operation's turn; if so it holds a place until it is settled or leaves it."""
        line = self._line(uid)
        if line is None:
            return False
        self._asked.add(uid)
        if uid in line.holding:
            return True
        place = line.places[uid]
        self._queue(line, place, willing=True)
        if not self._open:
            return False
        if line.limit is not None and bisect_left(line.waiting, place) >= line.limit - len(line.holding):
            return False
        _remove(line.waiting, place)
        line.holding.add(uid)
        line.promised.add(uid)
        return True

    def leave(self, uid: str) -> None:
        """The operation wants no work for now: its place, where it has one, is the next one's."""
        line = self._line(uid)
        if line and uid in line.promised:
            line.promised.discard(uid)
            line.holding.discard(uid)
            self._call(line)

    def passed(self, uid: str) -> None:
        """A pass over it is over; whoever did not even ask, for whatever reason, holds nobody up."""
        line = self._line(uid)
        if line and uid not in self._asked and _remove(line.waiting, line.places[uid]):
            self._call(line)
        self._asked.discard(uid)

    @property
    def waiting(self) -> int:
        """How many stand in the lines of templates with a limit."""
        return sum(len(line.waiting) for line in self._lines.values() if line.limit is not None)

    def without_work(self, key: Key) -> tuple[str, ...]:
        """Uids of the operations of a template for which no Job is known."""
        line = self._lines.get(key)
        return tuple(uid for uid in line.places if uid not in line.holding or uid in line.promised) if line else ()

    # -- inside

    def _line(self, uid: str) -> _Line | None:
        key = self._key_of.get(uid)
        return self._lines[key] if key else None

    def _start(self, line: _Line, place: Place) -> None:
        line.holding.add(place[1])
        line.promised.discard(place[1])
        _remove(line.waiting, place)

    def _queue(self, line: _Line, place: Place, *, willing: bool) -> None:
        index = bisect_left(line.waiting, place)
        there = index < len(line.waiting) and line.waiting[index] == place
        if willing and not there:
            line.waiting.insert(index, place)
        elif there and not willing:
            del line.waiting[index]
            self._call(line)

    def _call(self, line: _Line) -> None:
        """Wake those who may start now."""
        if not self._open or line.limit is None:
            return
        for _, uid in line.waiting[: max(0, line.limit - len(line.holding))]:
            self._wake(uid, False)


def _willing(operation: OperationView) -> bool:
    """Whether it would start if it could; the others hold nobody up."""
    spec = operation.spec
    stopping = operation.deleting or operation.status.cancellation or (spec and spec.cancel)
    return bool(operation.readable and spec and not spec.suspend and not stopping and not operation.not_supported)


def _remove(waiting: list[Place], place: Place) -> bool:
    index = bisect_left(waiting, place)
    if index < len(waiting) and waiting[index] == place:
        del waiting[index]
        return True
    return False
