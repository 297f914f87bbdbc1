"""Those who are told of outcomes: receivers of every temper, and what each was sent and has taken."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from alo_operator.api.deliveries import DeliveryError
from alo_operator.api.names import LABEL_SIGNING_KEY
from alo_operator.effects.replies import Reply

Body = dict[str, Any]

SECRET: Final = "hook-key"
SLOWLY: Final = 3.0  # seconds until a slow receiver has taken a message
PAUSE: Final = 3.0  # seconds that a busy one asks for
STUTTERS: Final = 2  # how often one that stutters fails with each message


class Temper(StrEnum):
    """What a receiver does with what it is sent; the name of its callback, too."""

    TAKES = "takes"
    SIGNED = "signed"  # takes all, and wants it signed
    SLOW = "slow"  # takes all, after a while
    STUTTERS = "stutters"  # takes each message at the third time
    BUSY = "busy"  # asks for a pause at first
    FLAPS = "flaps"  # takes all while it is up
    GONE = "gone"  # wants no more
    HANGS = "hangs"  # never answers
    DEAD = "dead"  # takes no connections


def callback(temper: Temper) -> Body:
    """An entry of spec.callbacks for a receiver of that temper."""
    body: Body = {"name": temper.value, "url": f"https://{temper}.example.test/outcomes", "format": "CloudEvents"}
    if temper is Temper.SIGNED:
        body |= {"format": "StandardWebhooks", "secretRef": {"name": SECRET, "key": "key"}}
    return body


def secret() -> Body:
    """The Secret with the key that messages are signed with."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "labels": {LABEL_SIGNING_KEY: "true"}},
        "data": {"key": base64.b64encode(b"whsec_" + base64.b64encode(bytes(range(32)))).decode()},
    }


@dataclass(frozen=True)
class Message:
    """One POST as it left: `id` is that of the message, `data` what it says of the operation `uid`."""

    url: str
    id: str
    body: bytes
    signed: bool

    @property
    def data(self) -> Body:
        found: Body = json.loads(self.body)["data"]
        return found

    @property
    def uid(self) -> str:
        return str(self.data["operation"]["uid"])

    @property
    def key(self) -> tuple[str, str]:
        return self.id, self.url

    @property
    def origin(self) -> str:
        return origin_of(self.url)


class Receivers:
    """All of them, and what they were sent (`sent`), have taken (`taken`) and not taken (`failed`), by id and URL."""

    def __init__(self) -> None:
        self.up = True  # those that flap
        self.sent: Counter[tuple[str, str]] = Counter()
        self.taken: Counter[tuple[str, str]] = Counter()
        self.failed: Counter[tuple[str, str]] = Counter()
        self.failures: Counter[str] = Counter()  # by origin
        self.seen: Counter[str] = Counter()  # how often a receiver of each temper was asked

    def note(self, message: Message, reply: Reply) -> Reply:
        """What the operator is told of an attempt."""
        if reply.error:
            self.failed[message.key] += 1
            self.failures[message.origin] += 1
        return reply

    async def hear(self, message: Message, patience: float) -> Reply:
        """A message has arrived; the sender waits for `patience` seconds."""
        temper, key = Temper(message.origin.partition(".")[0]), message.key
        self.seen[temper] += 1
        if temper is Temper.HANGS or (temper is Temper.SLOW and patience < SLOWLY):
            await _passed(patience)
            return Reply(error=DeliveryError.TIMEOUT, said=f"no answer within {patience} s")
        if temper is Temper.DEAD or (temper is Temper.FLAPS and not self.up):
            return refused()
        if temper is Temper.GONE:
            return Reply(410, DeliveryError.GONE, "410 Gone")
        if temper is Temper.STUTTERS and self.sent[key] <= STUTTERS:
            return Reply(500, DeliveryError.HTTP_ERROR, "500")
        if temper is Temper.BUSY and self.sent[key] == 1:
            return Reply(429, DeliveryError.HTTP_ERROR, "429", PAUSE)
        if temper is Temper.SLOW:
            await _passed(SLOWLY)
        self.taken[key] += 1
        return Reply(200)


async def _passed(seconds: float) -> None:
    """Until that much virtual time has passed."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().create_future()


def origin_of(url: str) -> str:
    """The host of a receiver."""
    return urlsplit(url).netloc


def refused() -> Reply:
    """Nobody takes connections there."""
    return Reply(error=DeliveryError.CONNECTION_REFUSED, said="nobody takes connections there")
