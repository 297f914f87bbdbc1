"""What only the API server in memory does on demand: lose events, cut streams, forget the past; what it refuses."""

import asyncio

import pytest

from alo_operator.controller.cache import Cache
from alo_operator.desired.job import job_name
from alo_operator.desired.observed import OperationView
from alo_operator.effects import paths
from alo_operator.effects.cluster import METADATA_ONLY
from alo_operator.effects.last_words import Listener
from alo_operator.errors import Gone
from tests.support.builders import make_operation
from tests.support.clocks import FakeClock
from tests.support.memory.garbage import GarbageCollector
from tests.support.memory.job_controller import JobController
from tests.support.memory.nodes import Nodes
from tests.support.memory_api import MemoryApi

PODS = paths.pods("media")
UID_LABEL = "alo-operator.io/operation-uid"


@pytest.fixture
def time(monkeypatch):
    return FakeClock().install(monkeypatch)


@pytest.fixture
def api():
    return MemoryApi()


def job(name, uid):
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example.test/work:1"}]}
    template = {"metadata": {"labels": {UID_LABEL: uid}}, "spec": pod}
    return {"metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": template}}


async def told(api, query, count):
    """The types of the first `count` events of a watch of pods."""
    found = []
    async for event in api.watch(PODS, query, patience=60, opened=asyncio.Event()):
        found.append(event["type"])
        if len(found) == count:
            break
    return found


def test_a_watch_waits_for_what_happens_next(api, time):
    """Events reach a watch that was opened before them, in their order, until its time is over."""

    async def story():
        task = asyncio.create_task(told(api, {"watch": "1", "timeoutSeconds": "30"}, 9))
        await asyncio.sleep(0)
        api.add("pods", {"metadata": {"name": "a"}, "spec": {}, "status": {}})
        await asyncio.sleep(0)
        api.change("pods", "a", lambda body: body["status"].update(phase="Running"))
        api.remove("pods", "a")
        return await task

    assert time.run(story()) == ["ADDED", "MODIFIED", "DELETED"]
    assert api.streams[0].over


def test_streams_can_be_cut_and_events_lost(api, time):
    """What was lost is never told; what came before a cut can still be read."""
    stream = api.open(PODS, {"watch": "1"})
    api.lost = lambda event: event["type"] == "MODIFIED"
    api.add("pods", {"metadata": {"name": "a"}, "spec": {}, "status": {}})
    api.change("pods", "a", lambda body: body["status"].update(phase="Running"))
    api.cut_watches()
    api.remove("pods", "a")

    assert (stream.read()["type"], stream.read(), stream.over) == ("ADDED", None, True)


def test_a_compaction_forgets_the_past(api, time):
    """Watches from before it get 410 as an event, and pages as an answer."""
    for name in "abc":
        api.add("pods", {"metadata": {"name": name}, "spec": {}})
    page = api.ask("GET", PODS, params={"limit": "1"}, accept=METADATA_ONLY)
    api.compact()

    (event,) = [api.open(PODS, {"resourceVersion": "101"}).read()]
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    with pytest.raises(Gone):
        api.ask("GET", PODS, params={"limit": "1", "continue": page["metadata"]["continue"]})


def test_the_real_listener_hears_last_words(api, time):
    """A pod that is stopped says how it ended before it goes, though its Job never counts that."""
    jobs, nodes, collector = JobController(api.server), Nodes(api.server), GarbageCollector(api.server)
    cache, body = Cache(), api.add("asyncoperations", make_operation().body())
    cache.operation_seen(body)
    operation = OperationView.from_body(body)
    name = job_name(operation)
    api.ask("POST", paths.jobs("media"), body={"apiVersion": "batch/v1", "kind": "Job", **job(name, operation.uid)})
    jobs.work()
    (pod,) = nodes.pods()
    nodes.start(pod)
    jobs.work()

    async def story():
        woken = asyncio.Event()
        listener = Listener(api, cache, lambda _: woken.set())
        await listener.listen(operation)
        api.remove("jobs", name, "Foreground")
        jobs.work()
        collector.collect()
        nodes.stop(pod, 0, '"half"')
        collector.collect()
        await woken.wait()

    time.run(story())

    (heard,) = cache.notes(operation.uid).last_words
    assert (heard.worker.end.exit_code, heard.worker.end.message) == (0, '"half"')
    assert api.find("jobs", name) is None
    assert not [body for kind, plural, body in api.events if plural == "jobs" and body["status"].get("succeeded")]


@pytest.mark.parametrize(
    "request_",
    [
        ("GET", "api/v1/namespaces/media/services", {}),
        ("DELETE", PODS, {}),
        ("GET", PODS, {"params": {"resourceVersion": "5"}}),
        ("POST", PODS, {"params": {"dryRun": "All"}, "body": {}}),
        ("PATCH", f"{PODS}/a", {"body": {}, "content_type": "application/apply-patch+yaml"}),
        ("PATCH", f"{PODS}/a/ephemeralcontainers", {"body": {}}),
        ("POST", PODS, {"body": {"metadata": {"generateName": "a-"}}}),
    ],
    ids=["kind", "collection", "version", "dry-run", "apply", "subresource", "generate-name"],
)
def test_what_is_not_modelled_is_refused_loudly(api, time, request_):
    """Nothing is answered that might be wrong."""
    api.add("pods", {"metadata": {"name": "a"}, "spec": {}})
    method, path, more = request_

    with pytest.raises(NotImplementedError):
        api.ask(method, path, **more)
