"""Cancelling by spec.cancel: the work is told, its last words are kept, and the record stays."""

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation, shell_job
from tests.support.waiting import wait_for
from tests.support.workers import deaf_job, endless_job, result_job, unschedulable_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

RUNNING = ("polite", "deaf", "talkative", "fickle")
HALF = endless_job('printf "{\\"done\\": 3}" > "$ALO_RESULT_FILE"; exit 0')


@pytest.fixture(scope="module")
def stage(module_stage):
    module_stage.since = module_stage.now()
    module_stage.create(
        operation("polite", job=HALF),
        operation("deaf", job=deaf_job(grace_seconds=2)),
        operation("talkative", job=endless_job("echo leaving; exit 1")),
        operation("fickle", job=HALF),
        operation("withheld", job=shell_job("exit 0"), suspend=True),
        operation("refused", job=shell_job("exit 0"), suspend=True, cancel={"reason": "never mind"}),
        operation("nowhere", job=unschedulable_job()),
        operation("ended", job=result_job("echo 1")),
    )
    for name in RUNNING:
        module_stage.started(name)
        cancel(module_stage, name, f"no {name} work any more")
    return module_stage


def cancel(stage, name, reason):
    stage.edit(name, cancel={"reason": reason})


def cancelled(stage, name):
    """The status of an operation that has ended as Cancelled by the spec, with its times in order."""
    status = stage.settled(name)
    assert (status["phase"], status["promise"]) == ("Cancelled", "Rejected"), status
    assert (status["failure"]["type"], status["failure"]["reason"]) == ("Cancelled", "Cancelled")
    assert status["cancellation"]["source"] == "Spec"
    return status


@pytest.mark.promise("CANCEL-1", "CANCEL-3", "CANCEL-4")
def test_cancelled_work_keeps_its_record_and_its_partial_result(stage):
    """The worker gets SIGTERM, writes what it has and exits 0: Cancelled, with that result marked partial."""
    status = cancelled(stage, "polite")

    assert status["result"]["value"] == {"done": 3}
    assert status["result"]["partial"] is True
    assert status["attempts"]["last"]["exitCode"] == 0
    assert status["failure"]["message"] == "cancelled: no polite work any more"
    times = [status["cancellation"][name] for name in ("requestTime", "deliverTime", "settleTime")]
    assert times == sorted(times)
    assert stage.pods("polite") == stage.jobs("polite") == []
    assert stage.condition("polite", "CancelRequested")["reason"] == "Spec"


@pytest.mark.promise("CANCEL-3")
def test_work_that_ignores_sigterm_is_killed_after_its_grace_period(stage):
    """The kernel ends it with 137 after two seconds; it gives no result, and its end is on record."""
    status = cancelled(stage, "deaf")

    assert status["attempts"]["last"]["exitCode"] == 137
    assert "result" not in status


@pytest.mark.promise("CANCEL-4")
def test_the_log_of_cancelled_work_is_no_result(stage):
    """A worker that logs a line and exits 1 leaves that line as its message, which nobody takes for a value."""
    status = cancelled(stage, "talkative")

    assert status["attempts"]["last"]["exitCode"] == 1
    assert "result" not in status


@pytest.mark.promise("CANCEL-6")
def test_a_request_once_recorded_stands(stage):
    """Taking spec.cancel back later changes neither the outcome nor the reason."""
    stage.edit("fickle", cancel=None)

    status = cancelled(stage, "fickle")

    assert status["cancellation"]["reason"] == "no fickle work any more"


@pytest.mark.promise("CANCEL-2", "CANCEL-9")
def test_work_cancelled_before_its_start_never_gets_a_job(stage):
    """Whether it is created so or cancelled while it is paused."""
    stage.has_condition("withheld", "Suspended", "True", "Paused")
    cancel(stage, "withheld", "not needed")

    for name in ("refused", "withheld"):
        status = cancelled(stage, name)
        assert "job" not in status
        assert "startTime" not in status
        assert "deliverTime" not in status["cancellation"]
    made = {
        event.object["metadata"]["labels"]["alo-operator.io/operation"] for event in stage.events("jobs", stage.since)
    }
    assert not made & {"refused", "withheld"}


@pytest.mark.promise("CANCEL-9")
def test_work_that_cannot_start_is_cancelled_without_ado(stage):
    """A pod that fits no node is taken away with its Job."""
    wait_for(lambda: stage.pods("nowhere"), 30, "the pod is there")
    cancel(stage, "nowhere", "no such node")

    status = cancelled(stage, "nowhere")

    assert "startTime" not in status
    assert stage.pods("nowhere") == stage.jobs("nowhere") == []


@pytest.mark.promise("CANCEL-7")
def test_cancelling_after_the_end_is_recorded_and_changes_nothing(stage):
    """The answer stands; status says that somebody asked, with one write."""
    before = stage.settled("ended")
    cancel(stage, "ended", "too late")

    stage.has_condition("ended", "CancelRequested", "True", "Spec")

    after = stage.status("ended")
    assert after["cancellation"]["reason"] == "too late"
    kept = ("phase", "promise", "result", "startTime", "completionTime", "attempts")
    assert {key: after.get(key) for key in kept} == {key: before.get(key) for key in kept}
    assert (after["phase"], after["observedGeneration"]) == ("Succeeded", 2)


@pytest.mark.promise("CANCEL-5")
def test_work_complete_before_the_request_is_delivered_is_fulfilled(stage):
    """Asked while no operator runs and after the Job has completed: the next operator finds a success."""
    (operator,) = stage.operators.started
    stage.create(operation("first", job=result_job("sleep 1; echo 7")))
    wait_for(lambda: stage.jobs("first"), 30, "the Job is there")
    operator.kill()
    wait_for(lambda: stage.job("first")["status"].get("succeeded") == 1, 60, "the Job is complete")
    cancel(stage, "first", "in vain")

    operator.start()

    status = stage.settled("first")
    assert (status["phase"], status["result"]["value"]) == ("Succeeded", 7)
    assert "deliverTime" not in status.get("cancellation", {})
