"""The first look of a process: what is new need not wait until everything that has ended was listed."""

import asyncio

from alo_operator.controller.cache import Cache
from alo_operator.controller.resync import Resync
from tests.support.builders import make_operation
from tests.support.memory_api import MemoryApi


def test_what_is_new_begins_before_the_first_lists_are_read(clock):
    """No watch has told of anything yet: the one nobody has looked at is woken, the others wait to be told of."""
    api, cache, woken = MemoryApi(), Cache(), []
    for name, operation in {
        "ended": make_operation("ended").settled(),
        "known": make_operation("known").status(observedGeneration=1),
        "new": make_operation("new"),
    }.items():
        made = operation.body()
        api.add("asyncoperations", made)
        api.change("asyncoperations", name, lambda body, made=made: body.update(status=made.get("status", {})))
    resync = Resync(api, cache, (None,), lambda uid, urgent: woken.append((uid, urgent)))

    async def story():
        looking = asyncio.create_task(resync.run())
        await clock.reaches(1)
        looking.cancel()

    clock.run(story())
    new = api.find("asyncoperations", "new")["metadata"]["uid"]
    assert woken == [(new, False)]
    assert list(cache.unsettled()) == [new]
    assert not resync.synced
