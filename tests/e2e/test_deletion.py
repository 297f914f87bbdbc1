"""Deletion is cancellation: the work is told, its end is recorded, and only then the object goes."""

import pytest

from tests.cluster.providers import Capability
from tests.support.history import deletion_of
from tests.support.operations import operation, shell_job
from tests.support.waiting import wait_for
from tests.support.workers import deaf_job, endless_job, unschedulable_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

CASCADES = ("background", "foreground", "orphan")
POLITE = 'printf "told to stop" > "$ALO_RESULT_FILE"; exit 42'


@pytest.fixture(scope="module")
def stage(module_stage):
    for cascade in CASCADES:
        module_stage.create(operation(cascade, job=endless_job(POLITE)))
    module_stage.create(
        operation("deaf", job=deaf_job(grace_seconds=2)),
        operation("polite-success", job=endless_job('printf "{}" > "$ALO_RESULT_FILE"; exit 0')),
        operation("nowhere", job=unschedulable_job()),
        operation("ended", job=shell_job("exit 0")),
    )
    return module_stage


def delete(stage, name, *flags):
    """Delete with kubectl, which returns when the object is gone."""
    stage.kubectl("delete", "aop", name, "--timeout=60s", *flags, timeout=90)


@pytest.mark.promise("DELETE-1", "CANCEL-3")
@pytest.mark.parametrize("cascade", CASCADES)
def test_a_deleted_operations_worker_is_told_and_ends_first(stage, cascade):
    """Whatever --cascade says, the worker gets SIGTERM, and its pod is gone before the operation is."""
    stage.started(cascade)
    (pod,) = [one["metadata"]["name"] for one in stage.pods(cascade)]
    since = stage.now()

    delete(stage, cascade, f"--cascade={cascade}")

    assert stage.last_words(pod, since) == (42, "told to stop")
    pod_gone = deletion_of(stage.events("pods", since), pod)
    operation_gone = deletion_of(stage.events("asyncoperations", since), cascade)
    assert pod_gone.version < operation_gone.version
    assert stage.jobs(cascade) == stage.pods(cascade) == []


@pytest.mark.promise("DELETE-1")
def test_the_record_of_a_deleted_operation_says_how_it_ended(stage):
    """Whoever watches sees the promise rejected as Cancelled, with who asked and when, before the object goes."""
    stage.started("polite-success")
    since = stage.now()

    delete(stage, "polite-success")

    last = deletion_of(stage.events("asyncoperations", since), "polite-success").object["status"]
    assert (last["phase"], last["promise"]) == ("Cancelled", "Rejected")  # its exit 0 came after it was told to stop
    assert last["failure"]["type"] == "Cancelled"
    assert last["cancellation"]["source"] == "Deletion"
    times = [last["cancellation"][name] for name in ("requestTime", "deliverTime", "settleTime")]
    assert times == sorted(times)


@pytest.mark.promise("DELETE-1", "CANCEL-3")
def test_a_worker_that_ignores_sigterm_is_killed_after_its_grace_period(stage):
    """Deletion waits for the grace period of two seconds, then the kernel ends the worker with 137."""
    stage.started("deaf")
    (pod,) = [one["metadata"]["name"] for one in stage.pods("deaf")]
    since = stage.now()

    delete(stage, "deaf")

    assert stage.last_words(pod, since)[0] == 137
    assert stage.pods("deaf") == []


@pytest.mark.promise("DELETE-1")
def test_work_that_cannot_start_is_deleted_without_ado(stage):
    """An operation whose pod fits no node is deleted, and takes its Job and pod along."""
    wait_for(lambda: stage.pods("nowhere"), 30, "the pod is there")

    delete(stage, "nowhere")

    assert stage.jobs("nowhere") == stage.pods("nowhere") == []


@pytest.mark.promise("DELETE-2")
def test_a_settled_operation_deletes_at_once(stage):
    """After the end nothing waits: the operation goes, and its Job with it."""
    stage.settled("ended")

    stage.kubectl("delete", "aop", "ended", "--timeout=10s")

    wait_for(lambda: not stage.jobs("ended") and not stage.pods("ended"), 30, "Job and pod are collected")


@pytest.mark.promise("ID-1")
def test_a_new_operation_of_a_deleted_ones_name_is_another_one(stage):
    """After deletion the name is free: the new operation has a Job of its own and its own result."""
    again = operation("again", job=shell_job('printf "$ALO_UID" > "$ALO_RESULT_FILE"'))
    stage.create(again)
    first = stage.settled("again")
    delete(stage, "again")
    stage.create(again)
    second = stage.settled("again")

    assert second["result"]["value"] == stage.operation("again")["metadata"]["uid"] != first["result"]["value"]
    assert second["job"]["name"] != first["job"]["name"]


@pytest.mark.promise("DELETE-1")
def test_deletion_right_after_creation_leaves_nothing_behind(stage):
    """Created and deleted within a blink, before or after the operator has seen it: no Job and no pod remain."""
    names = [f"blink-{number}" for number in range(5)]
    for name in names:
        stage.create(operation(name, job=endless_job()))
        stage.api.delete("asyncoperations", name, stage.namespace)

    wait_for(lambda: all(stage.gone(name) for name in names), 60, "all are gone")
    wait_for(lambda: not any(stage.jobs(name) or stage.pods(name) for name in names), 60, "no Job and no pod is left")
