"""Who is told next: one line of waiting messages for each destination of a namespace, and room for a few at a time.

Three bounds, so that destinations that hang hold up themselves, then their namespace, and everybody last. Within them
namespaces take turns, and within a namespace its destinations.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from alo_operator.api.spec import Callback
from alo_operator.delivery.breaker import Breaker
from alo_operator.desired.observed import OperationView

AT_ONCE: Final = 256
AT_ONCE_NAMESPACE: Final = 64
AT_ONCE_LINE: Final = 16
WAITING: Final = 2000  # of one line
LINES: Final = 4096  # whose destinations are remembered

Key = tuple[str, str]
"""An operation's uid and a callback's name."""


@dataclass(slots=True)
class Item:
    """One message to be sent: about `operation` as its status was read back, to `callback`.

    `target` is that of its delivery in status; `last` and `deadline` as in the step SendCallbacks.
    """

    operation: OperationView
    callback: Callback
    target: str | None
    last: bool = False
    deadline: datetime | None = None

    @property
    def key(self) -> Key:
        return self.operation.uid, self.callback.name


@dataclass(slots=True)
class Line:
    """One destination as one namespace sees it."""

    namespace: str
    origin: str
    breaker: Breaker = field(default_factory=Breaker)
    waiting: OrderedDict[Key, Item] = field(default_factory=OrderedDict)
    in_flight: int = 0

    @property
    def ready(self) -> bool:
        return bool(self.waiting) and self.in_flight < AT_ONCE_LINE


@dataclass(slots=True)
class _Room:
    """One namespace: how many of its messages are on their way, and its lines that could send more."""

    in_flight: int = 0
    ready: OrderedDict[str, Line] = field(default_factory=OrderedDict)


class Lines:
    """All lines. Nothing here waits or does anything: `take` says what to send now, `done` that it is over."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._lines: OrderedDict[tuple[str, str], Line] = OrderedDict()
        self._rooms: dict[str, _Room] = {}
        self._ready: OrderedDict[str, _Room] = OrderedDict()

    def __len__(self) -> int:
        return len(self._lines)

    def line(self, namespace: str, origin: str, now: float) -> Line:
        """The line to a destination; where there are too many, those of which there is least to remember go."""
        place = namespace, origin
        if place not in self._lines:
            self._lines[place] = Line(namespace, origin)
            if len(self._lines) > LINES:
                self._forget(place, now)
        self._lines.move_to_end(place)
        return self._lines[place]

    def add(self, line: Line, item: Item) -> bool:
        """Let `item` wait; False where as many wait already as may."""
        if len(line.waiting) >= WAITING:
            return False
        line.waiting[item.key] = item
        self._offer(line)
        return True

    def take(self) -> tuple[Line, Item] | None:
        """The next message to send, which counts as on its way from now on; None: none, or no room."""
        if self.in_flight >= AT_ONCE or not self._ready:
            return None
        namespace, room = self._ready.popitem(last=False)
        _, line = room.ready.popitem(last=False)
        _, item = line.waiting.popitem(last=False)
        line.in_flight += 1
        room.in_flight += 1
        self.in_flight += 1
        self._offer(line)
        if room.ready and room.in_flight < AT_ONCE_NAMESPACE:
            self._ready[namespace] = room
        return line, item

    def done(self, line: Line) -> None:
        """One message of the line is over."""
        room = self._rooms[line.namespace]
        line.in_flight -= 1
        room.in_flight -= 1
        self.in_flight -= 1
        self._offer(line)
        if room.ready and room.in_flight < AT_ONCE_NAMESPACE:
            self._ready.setdefault(line.namespace, room)
        self._clean(line.namespace)

    def withdraw(self, line: Line, keys: list[Key]) -> list[Item]:
        """Take messages out of the line that are still waiting in it."""
        found = [item for key in keys if (item := line.waiting.pop(key, None))]
        room = self._rooms.get(line.namespace)
        if room and not line.waiting:
            room.ready.pop(line.origin, None)
            if not room.ready:
                self._ready.pop(line.namespace, None)
            self._clean(line.namespace)
        return found

    def all(self) -> Iterator[Line]:
        """Every line."""
        yield from list(self._lines.values())

    def _offer(self, line: Line) -> None:
        if not line.ready:
            return
        room = self._rooms.setdefault(line.namespace, _Room())
        room.ready.setdefault(line.origin, line)
        if room.in_flight < AT_ONCE_NAMESPACE:
            self._ready.setdefault(line.namespace, room)

    def _clean(self, namespace: str) -> None:
        room = self._rooms[namespace]
        if not room.in_flight and not room.ready:
            del self._rooms[namespace]

    def _forget(self, but: tuple[str, str], now: float) -> None:
        idle = [
            place for place, line in self._lines.items() if place != but and not line.waiting and not line.in_flight
        ]
        rested = [place for place in idle if self._lines[place].breaker.at_rest(now)]
        for place in rested or idle[: 1 + LINES // 10]:
            del self._lines[place]
