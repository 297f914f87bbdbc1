"""Pauses that meet an end, a timeout, a cancellation or a slow start; and ends that come while nobody looks."""

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation, shell_job
from tests.support.waiting import wait_for
from tests.support.workers import endless_job, result_job, unschedulable_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

ENDING = ("ending-0", "ending-1", "ending-2")
UNSEEN = ("done-cancelled", "done-paused", "done-deleted", "done-lost")


@pytest.fixture(scope="module")
def stage(module_stage):
    stage = module_stage
    stage.since = stage.now()
    brief = result_job("sleep 4; echo 7")
    stage.create(
        *[operation(name, job=brief) for name in UNSEEN],
        operation("late", job=shell_job("exit 0"), suspend=True, timeouts={"scheduleToStart": "5s"}),
        operation("on-the-wall", job=endless_job(), timeouts={"scheduleToClose": "25s"}),
        operation("nowhere", job=unschedulable_job()),
        operation("both", job=endless_job()),
        *[operation(name, job=result_job("sleep 1; echo 7")) for name in ENDING],
    )
    asleep(stage)
    for name in ENDING:
        wait_for(lambda name=name: ended(stage, name), 60, "its pod has ended", 0.01)
        stage.edit(name, suspend=True)
    return stage


def asleep(stage):
    """While the operator is frozen, work is asked to stop and then ends by itself."""
    (operator,) = stage.operators.started
    wait_for(lambda: all(stage.jobs(name) for name in UNSEEN), 30, "the Jobs are there")
    operator.pause()
    stage.edit("done-cancelled", cancel={"reason": "in vain"})
    stage.edit("done-paused", suspend=True)
    stage.api.delete("asyncoperations", "done-deleted", stage.namespace)
    for name in UNSEEN:
        wait_for(lambda name=name: stage.job(name)["status"].get("succeeded") == 1, 60, "the Job is complete")
    (pod,) = stage.pods("done-lost")
    stage.api.delete("pods", pod["metadata"]["name"], stage.namespace)
    wait_for(lambda: not stage.pods("done-lost"), 30, "the pod is gone")
    operator.thaw()


def ended(stage, name):
    return any(pod["status"]["phase"] == "Succeeded" for pod in stage.pods(name))


@pytest.mark.promise("CANCEL-5")
def test_work_complete_before_it_could_be_told_to_stop_has_succeeded(stage):
    """Asked while the operator was frozen, which sees the request first and the end after it."""
    status = stage.settled("done-cancelled")

    assert (status["phase"], status["promise"], status["result"]["value"]) == ("Succeeded", "Fulfilled", 7)
    assert (status["cancellation"]["reason"], "partial" in status["result"]) == ("in vain", False)
    assert "deliverTime" not in status["cancellation"]


def test_work_complete_before_it_could_be_paused_has_succeeded(stage):
    """The promise is not held up by a pause that comes too late."""
    status = stage.settled("done-paused")

    assert (status["phase"], status["result"]["value"]) == ("Succeeded", 7)
    assert stage.condition("done-paused", "Suspended") == {}


@pytest.mark.promise("CANCEL-5")
def test_work_complete_before_its_deletion_was_seen_has_succeeded(stage):
    """The last that is told of it is its result."""
    wait_for(lambda: stage.gone("done-deleted"), 60, "the operation is gone")

    events = stage.events("asyncoperations", stage.since)
    last = [event.object["status"] for event in events if event.name == "done-deleted"][-1]
    assert (last["phase"], last["result"]["value"]) == ("Succeeded", 7)


@pytest.mark.promise("RESULT-4")
def test_work_complete_whose_pod_is_gone_has_succeeded_without_a_value(stage):
    """Nobody saw the result before the pod was deleted; the work is not run again for it."""
    status = stage.settled("done-lost")

    assert (status["phase"], status["promise"], "result" in status) == ("Succeeded", "Fulfilled", False)
    assert stage.condition("done-lost", "Succeeded")["reason"] == "ResultLost"
    assert len(stage.jobs("done-lost")) == 1
    assert stage.pods("done-lost") == []


@pytest.mark.parametrize("name", ENDING)
def test_a_pause_in_the_moment_of_the_end_loses_nothing(stage, name):
    """Its pod had ended, and the Job may not have counted it yet: the result is there all the same."""
    status = stage.settled(name)

    assert (status["phase"], status["result"]["value"]) == ("Succeeded", 7)
    assert status["attempts"]["count"] == 1


@pytest.mark.promise("TIME-1")
def test_the_time_to_start_passes_while_the_operation_is_paused(stage):
    """Paused before its start it times out without a Job, and says what it was waiting for."""
    status = stage.settled("late")

    assert (status["phase"], status["failure"]["reason"]) == ("TimedOut", "ScheduleToStartTimeout")
    assert (status["failure"]["causes"][0]["kind"], status["failure"]["causes"][0]["reason"]) == ("Condition", "Paused")
    assert ("job" in status, "startTime" in status) == (False, False)


@pytest.mark.promise("TIME-3")
def test_the_time_on_the_wall_passes_while_started_work_is_paused(stage):
    """The suspended Job is deleted, and the first start stays on record."""
    stage.has_condition("on-the-wall", "Started", "True", "Started")
    stage.edit("on-the-wall", suspend=True)
    stage.has_condition("on-the-wall", "Suspended", "True", "Paused")

    status = stage.settled("on-the-wall")

    assert (status["phase"], status["failure"]["reason"]) == ("TimedOut", "ScheduleToCloseTimeout")
    assert "startTime" in status
    assert stage.jobs("on-the-wall") == []


@pytest.mark.promise("PAUSE-3")
def test_work_that_waits_for_its_start_is_paused_and_resumed(stage):
    """Its pod goes and another one comes; that it never started stays said, with the reason of each time."""
    (before,) = wait_for(lambda: stage.pods("nowhere"), 30, "the pod is there")
    stage.edit("nowhere", suspend=True)
    stage.has_condition("nowhere", "Suspended", "True", "Paused")
    assert stage.status("nowhere")["phase"] == "Paused"
    wait_for(lambda: not stage.pods("nowhere"), 30, "the pod is gone")
    assert stage.condition("nowhere", "Started")["reason"] == "Paused"

    stage.edit("nowhere", suspend=False)
    stage.has_condition("nowhere", "Suspended", "False", "Resumed")
    (after,) = wait_for(lambda: stage.pods("nowhere"), 30, "another pod is there")

    status = stage.status("nowhere")
    assert (status["phase"], "startTime" in status) == ("Pending", False)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert stage.condition("nowhere", "Started")["status"] == "False"


@pytest.mark.promise("CANCEL-9")
def test_a_pause_and_a_cancellation_at_once_cancel(stage):
    """What ends the work goes before what holds it."""
    stage.started("both")
    stage.edit("both", suspend=True, cancel={"reason": "enough"})

    status = stage.settled("both")

    assert (status["phase"], status["cancellation"]["reason"]) == ("Cancelled", "enough")
    assert status["attempts"]["last"]["exitCode"] == 143
    assert stage.condition("both", "Suspended") == {}
