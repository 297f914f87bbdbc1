"""Cancelling before the start, during it, and while paused: by the spec and by deletion, all side by side."""

import pytest

from tests.cluster.providers import Capability
from tests.support.history import deletion_of
from tests.support.operations import operation, shell_job
from tests.support.waiting import wait_for
from tests.support.workers import deaf_job, endless_job, image_job, pod_spec, unschedulable_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

NO_REGISTRY = "127.0.0.1:9/missing:1"  # nothing listens there
GRACE = 4  # seconds in which a second request meets work that is being stopped
WAYS = ("spec", "deletion")


def job_without_volume():
    """A Job whose container waits for a volume."""
    job = shell_job("exit 0")
    pod = pod_spec(job)
    pod["volumes"] = [{"name": "data", "secret": {"secretName": "absent"}}]
    pod["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    return job


PLACES = {
    "paused-early": {"job": shell_job("exit 0"), "suspend": True},
    "no-node": {"job": unschedulable_job()},
    "no-image": {"job": image_job(NO_REGISTRY)},
    "no-volume": {"job": job_without_volume()},
    "paused-late": {"job": endless_job('printf "{}" > "$ALO_RESULT_FILE"; exit 0')},
    "stopping": {"job": deaf_job(grace_seconds=GRACE)},
    "deaf": {"job": deaf_job(grace_seconds=2)},
}
SIGNS = {
    "no-node": {"Unschedulable"},
    "no-image": {"ErrImagePull", "ImagePullBackOff"},
    "no-volume": {"ContainerCreating"},
}
NEVER_STARTED = ("paused-early", "no-node", "no-image", "no-volume")
EVERY = [(place, way) for place in PLACES for way in WAYS]
UNHELD = ("paused-early", "deletion")  # there is nothing to cancel, so no finalizer holds it
TWICE = ("spec-spec", "spec-deletion", "deletion-spec", "deletion-deletion")


def named(place, way):
    return f"{place}-{way}"


@pytest.fixture(scope="module")
def stage(module_stage):
    """Everything is brought to its place, then all of it is asked to stop."""
    stage = module_stage
    stage.since = stage.now()
    stage.create(*[operation(named(place, way), **PLACES[place]) for place, way in EVERY])
    stage.create(*[operation(name, job=deaf_job(grace_seconds=GRACE)) for name in TWICE])
    for place, way in EVERY:
        arrive(stage, place, named(place, way))
    for name in TWICE:
        stage.started(name)
    for place, way in EVERY:
        ask(stage, named(place, way), way)
    for name in TWICE:
        first, second = name.split("-")
        ask(stage, name, first)
        stage.has_condition(name, "CancelRequested", "True", first.title())
        ask(stage, name, second, "another reason")
    stage.ends = ends(stage, [named(*one) for one in EVERY] + list(TWICE))
    return stage


def arrive(stage, place, name):
    """Return when an operation is where it is to be cancelled."""
    if place == "paused-early":
        stage.has_condition(name, "Suspended", "True", "Paused")
    elif place in NEVER_STARTED:
        wait_for(lambda: waits(stage, place, name), 60, "the pod waits for what is missing", 0.5)
    else:
        stage.started(name)
        stage.has_condition(name, "Started", "True", "Started")
        if place != "deaf":
            stage.edit(name, suspend=True)
            stage.has_condition(name, "Suspended", "True", "Pausing" if place == "stopping" else "Paused")


def waits(stage, place, name):
    """Whether the pod is seen to be kept from starting, for the reason that this place is about."""
    status = next((pod["status"] for pod in stage.pods(name)), {})
    signs = [one.get("reason") for one in status.get("conditions", ())]
    signs += [one["state"].get("waiting", {}).get("reason") for one in status.get("containerStatuses", ())]
    return not SIGNS[place].isdisjoint(signs)


def ask(stage, name, way, reason="withdrawn"):
    if way == "spec":
        stage.edit(name, cancel={"reason": reason})
    else:
        stage.api.delete("asyncoperations", name, stage.namespace)


def ends(stage, names):
    """The last status of each operation, also of those that are gone."""
    kept = [name for name in names if "deletion" not in name]
    found = {name: stage.settled(name) for name in kept}
    gone = [name for name in names if name not in kept]
    wait_for(lambda: all(stage.gone(name) for name in gone), 120, "the deleted ones are gone")
    events = stage.events("asyncoperations", stage.since)
    return found | {name: deletion_of(events, name).object["status"] for name in gone}


@pytest.mark.promise("CANCEL-9")
@pytest.mark.parametrize(("place", "way"), [one for one in EVERY if one != UNHELD])
def test_work_is_cancelled_wherever_it_is(stage, place, way):
    """Cancelled, with who asked and when; nothing is left running, and what never started says so."""
    status = stage.ends[named(place, way)]

    assert (status["phase"], status["promise"]) == ("Cancelled", "Rejected"), status
    assert (status["failure"]["type"], status["failure"]["reason"]) == ("Cancelled", "Cancelled")
    assert status["failure"]["retryable"] is False
    assert status["cancellation"]["source"] == way.title()
    assert status["cancellation"]["reason"] == ("withdrawn" if way == "spec" else "the operation was deleted")
    assert status["cancellation"]["requestTime"] <= status["cancellation"]["settleTime"]
    assert stage.jobs(named(place, way)) == stage.pods(named(place, way)) == []
    assert ("startTime" in status) == (place not in NEVER_STARTED)
    assert ("job" in status) == ("deliverTime" in status["cancellation"]) == (place != "paused-early")
    assert "result" not in status


def test_an_operation_that_never_had_a_job_is_deleted_at_once(stage):
    """Paused before its start it has no finalizer: nothing has to be told, so its deletion needs no operator."""
    status = stage.ends[named(*UNHELD)]

    assert (status["phase"], status["promise"], "job" in status) == ("Paused", "Pending", False)
    assert stage.jobs(named(*UNHELD)) == []


@pytest.mark.promise("CANCEL-3")
@pytest.mark.parametrize("way", WAYS)
def test_the_end_of_a_deaf_worker_is_on_record(stage, way):
    """Killed after its grace period, it ended with 137."""
    assert stage.ends[named("deaf", way)]["attempts"]["last"]["exitCode"] == 137


@pytest.mark.promise("CANCEL-6")
@pytest.mark.parametrize("name", TWICE)
def test_of_two_requests_the_first_one_stands(stage, name):
    """A second reason, a deletion after the request, or a request after the deletion changes nothing on record."""
    status = stage.ends[name]

    first = name.split("-")[0]
    assert status["phase"] == "Cancelled"
    assert status["cancellation"]["source"] == first.title()
    assert status["cancellation"]["reason"] == ("withdrawn" if first == "spec" else "the operation was deleted")
    assert status["attempts"]["last"]["exitCode"] == 137
