"""The way of one process's messages to receivers, where they are lost, held up and answered too late like requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from alo_operator.api.deliveries import DeliveryError
from alo_operator.effects import clock
from alo_operator.effects.replies import Reply
from alo_operator.errors import ApiUnreachable
from tests.model.faults import Fault
from tests.model.line import Line
from tests.model.receivers import Message, refused


class Mail:
    """Stands in for `effects.transport.Transport`; `sending` is told of each message before it goes out.

    It meets the faults and delays of the process's `line`: of messages and requests together, one after the other.
    """

    def __init__(self, line: Line, sending: Callable[[Message], None]) -> None:
        self._line, self._sending = line, sending
        self._closed = False

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, patience: float, namespace: str = ""
    ) -> Reply:
        """One attempt; every failure is in the reply."""
        assert not self._closed, "a message is sent over connections that are closed"
        message = Message(url, headers["webhook-id"], body, signed="webhook-signature" in headers)
        fault = self._line.fate()
        if not self._line.dead:
            self._sending(message)
        receivers = self._line.world.receivers
        return receivers.note(message, await self._carry(message, fault, patience))

    async def _carry(self, message: Message, fault: Fault | None, patience: float) -> Reply:
        line, receivers = self._line, self._line.world.receivers
        if fault is Fault.CRASH_BEFORE:
            await line.end()
        ends = clock.monotonic() + patience
        try:
            await line.go(patience, hangs=fault is Fault.HANGS)
        except ApiUnreachable:
            return Reply(error=DeliveryError.TIMEOUT, said="no answer in time")
        if fault is Fault.UNREACHABLE:
            return refused()
        if fault is Fault.THROTTLED:
            return Reply(429, DeliveryError.HTTP_ERROR, "429", 2.0)
        if fault is Fault.BROKEN:
            return Reply(500, DeliveryError.HTTP_ERROR, "500")
        if fault is Fault.TOUCHED:
            line.world.touch(message.uid)
        reply = await receivers.hear(message, ends - clock.monotonic())
        if fault is Fault.CRASH_AFTER:
            await line.end()
        if fault is Fault.LOST_ANSWER:
            return Reply(error=DeliveryError.CONNECTION_LOST, said="hung up")
        if fault is Fault.OVERTAKEN:
            line.overtake()
        return reply

    async def close(self) -> None:
        """No more messages."""
        self._closed = True
        await asyncio.sleep(0)
