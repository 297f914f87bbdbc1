"""Telling callbacks: messages are sent in the background, and what came of each is noted for the next plan."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from alo_operator.api import limits
from alo_operator.api.deliveries import DeliveryError
from alo_operator.delivery.address import destination
from alo_operator.delivery.answer import Answer
from alo_operator.desired.observed import OperationView
from alo_operator.effects import clock
from alo_operator.effects.cluster import Cluster
from alo_operator.effects.lines import Item, Line, Lines
from alo_operator.effects.messages import Messages
from alo_operator.effects.records import Records
from alo_operator.effects.replies import Reply
from alo_operator.effects.signing_keys import NoSigningKey, SigningKeys
from alo_operator.effects.transport import SendSettings, Transport
from alo_operator.errors import ApiError, ApiUnreachable, InvalidCallbackUrl

logger = logging.getLogger(__name__)

LINE_FULL: Final = (5.0, 15.0)  # seconds until a message may come back that found no place in its line
OUR_SIDE: Final = 5.0  # until one that the API server could not be asked for is tried again
NOT_OURS: Final = 2.0  # until one is looked at again that found the Lease not ours

Observer = Callable[[str, str, int | None, float], None]
"""Told of every attempt: format, `Delivered` or the word of the error, HTTP status (None: none came), seconds."""


class Sender:
    """Tells callbacks, those of one destination in one namespace in a line of their own, and notes what came of it.

    `offer` notes a callback as `sending` at once. Later each is taken from there, and either an Answer is added, or
    `held` says until when its destination is not to be asked; no attempt was made then. After that `wake` is called
    with the operation's uid, and whether somebody waits for it. What is offered is what the API server has in status.

    Nothing is sent unless `fence` is above 0, the seconds for which the Lease is surely ours. An attempt under way when
    it is lost goes on: the next leader's would be a repetition under the same id, as after any crash.
    """

    def __init__(
        self,
        cluster: Cluster,
        records: Records,
        transport: Transport,
        keys: SigningKeys,
        *,
        wake: Callable[[str, bool], None],
        fence: Callable[[], float],
        settings: SendSettings,
        observer: Observer = lambda *_: None,
    ) -> None:
        self._records, self._transport = records, transport
        self._messages = Messages(cluster, keys, settings.inline_limit)
        self._wake, self._fence, self._settings, self._observer = wake, fence, settings, observer
        self._lines = Lines()
        self._hands: dict[str, dict[str, tuple[Line, Item]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = False

    def offer(
        self, operation: OperationView, names: Sequence[str], *, last: bool = False, deadline: datetime | None = None
    ) -> None:
        """Take these callbacks of a settled operation in hand; returns at once, and never raises.

        `last`: the attempt is made even where the destination counts as down, and is over by `deadline`.
        """
        known = {callback.name: callback for callback in (operation.spec and operation.spec.callbacks) or ()}
        targets = {delivery.name: delivery.target for delivery in operation.status.deliveries or ()}
        chosen = [name for name in names if name in known]
        self._note(operation.uid, sending=chosen)
        if self._over:
            return  # the next process, or the next leader, begins with what status says
        for name in chosen:
            if found := self._hands.get(operation.uid, {}).get(name):
                item = found[1]
                item.last, item.deadline = item.last or last, deadline or item.deadline
                continue
            self._take(Item(operation, known[name], targets.get(name), last, deadline))
        self._go()

    def clear(self) -> None:
        """The Lease is not ours any more: what waits for its turn is dropped."""
        for uid in list(self._hands):
            dropped = self._drop(uid)
            if self._records.operation(uid):
                self._note(uid, sent=dropped)

    async def stop(self, patience: float = 0.0) -> None:
        """Send nothing more, let attempts under way end for `patience` seconds, and close all connections."""
        self._over = True
        self.clear()
        if self._tasks and patience > 0:
            await asyncio.wait(self._tasks, timeout=patience)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._transport.close()

    @property
    def in_flight(self) -> int:
        """How many attempts are under way."""
        return self._lines.in_flight

    @property
    def lines_open(self) -> int:
        """How many destinations are left alone for a while, as they failed several times in a row."""
        return sum(line.breaker.is_open for line in self._lines.all())

    # -- what waits

    def _take(self, item: Item) -> None:
        now = clock.monotonic()
        try:
            origin = destination(item.callback.url).origin
        except InvalidCallbackUrl as error:
            self._settle(item, _answer(item, Reply(error=DeliveryError.INVALID_CALLBACK_URL, said=str(error))))
            return
        line = self._lines.line(item.operation.namespace, origin, now)
        pause = None if item.last else line.breaker.held(now)
        if pause is not None:
            self._settle(item, pause, line)
        elif self._lines.add(line, item):
            self._hands.setdefault(item.operation.uid, {})[item.callback.name] = line, item
        else:
            self._settle(item, random.uniform(*LINE_FULL))  # noqa: S311 - so that not all come back at once

    def _drop(self, uid: str) -> list[str]:
        """Take what waits of an operation out of its lines; the callbacks' names."""
        dropped = []
        for line, item in list(self._hands.get(uid, {}).values()):
            if self._lines.withdraw(line, [item.key]):
                self._let_go(item)
                dropped.append(item.callback.name)
        return dropped

    def _hold_back(self, line: Line) -> None:
        """Put off what waits in a line whose destination has turned out to be down, or has asked for a pause."""
        pause = line.breaker.held(clock.monotonic())
        if pause is None:
            return
        for item in self._lines.withdraw(line, [key for key, item in line.waiting.items() if not item.last]):
            self._settle(item, pause, line)

    def _go(self) -> None:
        while found := self._lines.take():
            line, item = found
            task = asyncio.create_task(self._carry(line, item), name=f"telling {item.callback.name} of {item.key[0]}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    # -- what is on its way

    async def _carry(self, line: Line, item: Item) -> None:
        try:
            outcome = await self._attempt(line, item)
        except Exception:
            logger.exception("a callback was not told", extra={"uid": item.operation.uid})
            outcome = _answer(item, Reply(error=DeliveryError.INTERNAL_ERROR, said="see the operator's log"))
        finally:
            self._lines.done(line)
        self._settle(item, outcome, line)
        self._hold_back(line)
        self._go()

    async def _attempt(self, line: Line, item: Item) -> Answer | float:
        """One attempt; where none was made, the seconds after which one may be."""
        if self._fence() <= 0:
            return NOT_OURS
        if not self._wanted(item) or self._patience(item) <= 0:
            return 0.0
        now = clock.monotonic()
        if not item.last and not line.breaker.admit(now):
            return line.breaker.held(now) or 0.0
        heard, began, start = False, clock.now(), now
        try:
            message, headers = await self._messages.build(item.operation, item.callback)
            if self._fence() <= 0:  # keys and value may have taken their time
                return NOT_OURS
            if (patience := self._patience(item)) <= 0:
                return 0.0
            began, start = clock.now(), clock.monotonic()
            reply = await self._transport.post(
                item.callback.url, headers, message.body, patience=patience, namespace=item.operation.namespace
            )
            heard = _teach(line, reply, hurried=patience < self._settings.timeout)
        except NoSigningKey as refusal:
            reply = Reply(error=refusal.word, said=refusal.message)
        except (ApiError, ApiUnreachable) as error:
            logger.info("a callback waits for the API server", extra={"uid": item.operation.uid, "error": str(error)})
            return OUR_SIDE
        finally:
            if not heard and not item.last:
                line.breaker.abandoned(clock.monotonic())
        self._tell_observer(item, reply, clock.monotonic() - start)
        return _answer(item, reply, began)

    def _wanted(self, item: Item) -> bool:
        """Whether the operation is still there, with this very callback, after the wait in the line."""
        operation = self._records.operation(item.operation.uid)
        return bool(operation and operation.spec and item.callback in (operation.spec.callbacks or ()))

    def _patience(self, item: Item) -> float:
        """The seconds that an attempt may take."""
        if item.deadline is None:
            return self._settings.timeout
        return min(self._settings.timeout, (item.deadline - clock.now()).total_seconds())

    # -- what came of it

    def _settle(self, item: Item, outcome: Answer | float, line: Line | None = None) -> None:
        self._let_go(item)
        uid, name = item.key
        if self._records.operation(uid) is None:
            return
        if isinstance(outcome, Answer):
            self._note(uid, sent=[name], answer=outcome)
            if outcome.error:
                shown = {"uid": uid, "callback": name, "error": outcome.error}
                logger.info("a callback could not be told", extra=shown)
        else:
            until = clock.now() + timedelta(seconds=_spread(outcome))
            self._note(uid, sent=[name], held_until=until, down_since=_down_since(line))
        self._wake(uid, item.last)

    def _let_go(self, item: Item) -> None:
        uid, name = item.key
        held = self._hands.get(uid, {})
        if name in held and held[name][1] is item:
            del held[name]
            if not held:
                del self._hands[uid]

    def _note(
        self,
        uid: str,
        *,
        sending: Iterable[str] = (),
        sent: Sequence[str] = (),
        answer: Answer | None = None,
        held_until: datetime | None = None,
        down_since: datetime | None = None,
    ) -> None:
        notes = self._records.notes(uid)
        sending = frozenset(sending)
        changed = sending | set(sent)
        held = tuple((name, until) for name, until in notes.held if name not in changed)
        down = tuple((name, since) for name, since in notes.down if name not in changed)
        if held_until:
            held += tuple((name, held_until) for name in sent)
        if down_since:
            down += tuple((name, down_since) for name in sent)
        notes = replace(
            notes,
            sending=(notes.sending | sending) - frozenset(sent),
            answers=(*notes.answers, answer) if answer else notes.answers,
            held=held,
            down=down,
        )
        self._records.note(uid, notes)

    def _tell_observer(self, item: Item, reply: Reply, seconds: float) -> None:
        outcome = str(reply.error) if reply.error else "Delivered"
        self._observer(str(item.callback.format), outcome, reply.status, seconds)


def _answer(item: Item, reply: Reply, began: datetime | None = None) -> Answer:
    error = limits.clip(f"{reply.error}: {reply.said}", limits.DELIVERY_ERROR) if reply.error else ""
    return Answer(
        callback=item.callback.name,
        target=item.target,
        time=began or clock.now(),
        status=reply.status,
        error=error,
        final=reply.final,
        retry_after=reply.retry_after,
    )


def _teach(line: Line, reply: Reply, *, hurried: bool) -> bool:
    """Let the line's breaker know what a reply says of the destination; whether it says anything.

    `hurried`: there was less time than usual, so that silence says nothing.
    """
    now = clock.monotonic()
    if reply.error is DeliveryError.INVALID_CALLBACK_URL or (hurried and reply.error is DeliveryError.TIMEOUT):
        return False
    if reply.status is not None and reply.status < 500 and reply.status != 429:
        line.breaker.succeeded(now)
    else:
        line.breaker.failed(now, random.random())  # noqa: S311 - a spread
    if reply.retry_after:
        line.breaker.pause(now, reply.retry_after)
    return True


def _down_since(line: Line | None) -> datetime | None:
    """Since when a line is held back because its destination is down; None where that is not why."""
    now = clock.monotonic()
    if line is None or line.breaker.down_since is None or line.breaker.held(now) is None:
        return None
    return clock.now() - timedelta(seconds=now - line.breaker.down_since)


def _spread(seconds: float) -> float:
    """`seconds` or a little more, so that those who wait for one destination do not all come back at once."""
    return seconds + random.uniform(0, min(5.0, seconds / 5))  # noqa: S311 - a spread
