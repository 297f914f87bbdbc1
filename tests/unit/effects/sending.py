"""One sender with a cache and an API server in memory, for the tests of what tells callbacks."""

import asyncio

from alo_operator.controller.cache import Cache
from alo_operator.delivery.address import AddressRule
from alo_operator.desired.subscriptions import target_of
from alo_operator.effects.send import Sender
from alo_operator.effects.signing_keys import SigningKeys
from alo_operator.effects.transport import SendSettings, Transport
from tests.support.builders import make_operation
from tests.support.memory_api import MemoryApi


def callback(name, url, **fields):
    return {"name": name, "url": url, "format": "CloudEvents", **fields}


class Place:
    """One sender with a cache and an API server in memory; `woken` are the uids of operations to look at again."""

    def __init__(self, **settings):
        self.api, self.cache, self.lease = MemoryApi(), Cache(), 10.0
        self.settings = SendSettings(allow=AddressRule.parse(["127.0.0.0/8"]), **{"timeout": 20.0, **settings})
        self.woken, self.seen, self.news = [], [], asyncio.Event()
        self.sender = Sender(
            self.api,
            self.cache,
            Transport(self.settings),
            SigningKeys(self.api),
            wake=self._wake,
            fence=lambda: self.lease,
            settings=self.settings,
            observer=lambda *found: self.seen.append(found[:3]),
        )

    def _wake(self, uid, urgent):
        self.woken.append((uid, urgent))
        self.news.set()

    def settled(self, *callbacks, number=1, version=None, result=None, **annotations):
        """An operation that has ended, as the cache has it: its uid."""
        uid = f"00000000-0000-4000-8000-{number:012}"
        operation = make_operation(f"resize-{number}", uid).settled().with_finalizer().annotated(**annotations)
        operation = operation.spec(callbacks=list(callbacks), metadata={"by": "billing"}).version(
            version or 1000 + number
        )
        entries = [
            {"name": one.name, "state": "Pending", "target": target_of(one)} for one in operation.view().spec.callbacks
        ]
        operation = operation.status(deliveries=entries, **({"result": result} if result else {}))
        self.cache.operation_seen(operation.body())
        return uid

    def offer(self, uid, *names, **how):
        self.sender.offer(self.cache.operation(uid), names, **how)

    def notes(self, uid):
        return self.cache.notes(uid)

    async def until(self, condition, seconds=60.0):
        """Wait until what the sender noted is so."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.news.clear()
                await self.news.wait()

    async def told(self, uid, *names, **how):
        """Offer, and the answers once none is in the sender's hands."""
        self.offer(uid, *names, **how)
        await self.until(lambda: not self.notes(uid).sending)
        return {found.callback: found for found in self.notes(uid).answers}


def play(scene, **settings):
    """Run `scene(place)` with a sender that is stopped after it."""

    async def run():
        place = Place(**settings)
        try:
            return await scene(place)
        finally:
            await place.sender.stop()

    return asyncio.run(run())
