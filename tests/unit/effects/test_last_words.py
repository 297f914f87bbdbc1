"""Listening to pods, against a small server that streams watch events as the API server does."""

import asyncio
import json

import pytest
from aiohttp import web

from alo_operator.desired.observed import Notes
from alo_operator.effects import cluster as cluster_module
from alo_operator.effects.cluster import Cluster
from alo_operator.effects.credentials import Credentials
from alo_operator.effects.last_words import Listener
from alo_operator.errors import ApiUnreachable
from tests.support.builders import UID, make_operation, make_pod

OPERATION = make_operation().view()
END, HANG = "end of the stream", "nothing more comes"


class Memory:
    """The part of the cache that a listener uses."""

    def __init__(self):
        self.found = Notes()

    def notes(self, uid):
        assert uid == UID
        return self.found

    def note(self, uid, notes):
        self.found = notes


class Stage:
    """A server that streams `script` to whoever watches, and a listener; `turn` lets the script go on."""

    def __init__(self, script, status=200):
        self.script, self.status = script, status
        self.turn, self.asked, self.woken = asyncio.Event(), [], asyncio.Event()
        self.memory = Memory()

    async def __aenter__(self):
        app = web.Application()
        app.router.add_get("/api/v1/namespaces/media/pods", self.answer)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        (address,) = self.runner.addresses
        self.cluster = Cluster(lambda: Credentials(server=f"http://127.0.0.1:{address[1]}"))
        self.listener = Listener(self.cluster, self.memory, lambda _: self.woken.set())
        return self

    async def __aexit__(self, *_):
        await self.listener.stop()
        await self.cluster.close()
        await self.runner.cleanup()

    async def answer(self, request):
        self.asked.append(dict(request.query))
        if self.status != 200:
            return web.json_response({"reason": "Forbidden", "message": "no"}, status=self.status)
        stream = web.StreamResponse()
        await stream.prepare(request)
        await self.turn.wait()
        for event in self.script:
            if event == END:
                return stream
            if event == HANG:
                await asyncio.Event().wait()
            line = event if isinstance(event, bytes) else json.dumps(event).encode() + b"\n"
            await stream.write(line)
        return stream

    async def heard(self):
        """What the listener has noted by the time it wakes the operation: names and exit codes."""
        async with asyncio.timeout(10):
            await self.woken.wait()
        return {pod.name: pod.worker.end.exit_code for pod in self.memory.found.last_words}


def event(kind, pod):
    return {"type": kind, "object": pod.body()}


def ended(name="a", code=0):
    return make_pod(name).running().status(containerStatuses=[]).exited("main", code, "Completed", "bye")


ALIVE = make_pod("a").running()


def listen_to(script, status=200):
    """What is heard of a script: (names and exit codes, how often the server was asked)."""

    async def play():
        async with Stage(script, status) as stage:
            await stage.listener.listen(OPERATION)
            stage.turn.set()
            return await stage.heard(), stage.asked

    return asyncio.run(play())


def test_a_pod_s_end_is_heard_once_it_is_deleted():
    """Its last MODIFIED has exit code and message; DELETED ends the listening."""
    heard, asked = listen_to([event("ADDED", ALIVE), event("MODIFIED", ended()), event("DELETED", ended()), HANG])

    assert heard == {"a": 0}
    (query,) = asked
    assert query["labelSelector"] == f"alo-operator.io/operation-uid={UID}"
    assert query["watch"] == "1"


def test_all_pods_have_to_be_gone():
    """The first DELETED is not the end where another pod is still there."""
    heard, _ = listen_to(
        [
            event("ADDED", ALIVE),
            event("ADDED", make_pod("b").running()),
            event("DELETED", ended("a", 143)),
            event("MODIFIED", ended("b", 0)),
            event("DELETED", ended("b", 0)),
            HANG,
        ]
    )

    assert heard == {"a": 143, "b": 0}


def test_a_deletion_that_tells_no_end_keeps_what_was_heard_before():
    """The last state of a pod may lack what an earlier event had."""
    heard, _ = listen_to([event("ADDED", ALIVE), event("MODIFIED", ended("a", 7)), event("DELETED", ALIVE), HANG])

    assert heard == {"a": 7}


@pytest.mark.parametrize(
    "rest",
    [
        [END],
        [{"type": "ERROR", "object": {"kind": "Status", "code": 410}}, HANG],
        [b'{"type": "MODI', END],
        [b"not JSON\n", HANG],
    ],
    ids=["the stream ends", "an ERROR event", "half a line", "no JSON"],
)
def test_a_watch_that_is_cut_short_ends_with_what_was_heard(rest):
    """Nobody's cancellation hangs on it."""
    heard, _ = listen_to([event("ADDED", ALIVE), event("MODIFIED", ended("a", 3)), *rest])

    assert heard == {"a": 3}


def test_a_refused_watch_is_as_good_as_nothing_heard():
    """Without the right to watch pods, cancelling works and partial results are lost."""
    heard, asked = listen_to([], status=403)

    assert (heard, len(asked)) == ({}, 1)


def test_events_may_arrive_in_any_pieces():
    """A line is a line, however it is cut into packets."""
    whole = json.dumps(event("DELETED", ended("a", 5))).encode() + b"\n"

    heard, _ = listen_to([whole[:10], whole[10:60], whole[60:], HANG])

    assert heard == {"a": 5}


def test_listening_returns_only_when_the_watch_is_open():
    """The Job is deleted right after it, and the pod may end at once."""

    async def play():
        async with Stage([HANG]) as stage:
            await stage.listener.listen(OPERATION)
            return stage.asked, stage.memory.found

    asked, notes = asyncio.run(play())
    assert len(asked) == 1
    assert (notes.listening, notes.last_words) == (True, None)


def test_forgotten_listening_ends_without_a_word_and_can_begin_anew():
    """Where the Job was not deleted after all, nothing has been heard and nobody is woken."""

    async def play():
        async with Stage([event("ADDED", ALIVE), HANG]) as stage:
            await stage.listener.listen(OPERATION)
            stage.listener.forget(OPERATION)
            forgotten = stage.memory.found
            await stage.listener.listen(OPERATION)
            return forgotten, stage.memory.found, len(stage.asked), stage.woken.is_set()

    forgotten, again, asked, woken = asyncio.run(play())
    assert (forgotten.listening, forgotten.last_words) == (False, None)
    assert (again.listening, again.last_words, asked, woken) == (True, None, 2, False)


def test_too_many_watches_leave_room_for_requests(monkeypatch):
    """Beyond the limit work is stopped without being listened to, and requests still pass."""
    monkeypatch.setattr(cluster_module, "WATCHES", 0)

    async def play():
        async with Stage([HANG], status=200) as stage:
            await stage.listener.listen(OPERATION)
            heard = await stage.heard()
            watch = stage.cluster.watch("/x", {}, patience=1, opened=asyncio.Event())
            with pytest.raises(ApiUnreachable, match="open already"):
                await anext(watch)
            return heard, stage.asked

    assert asyncio.run(play()) == ({}, [])
