"""Each of the three timeouts stops the work, keeps what it had, and says which one passed."""

from datetime import datetime, timedelta

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation, shell_job
from tests.support.waiting import wait_for
from tests.support.workers import endless_job, unschedulable_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

HALF = endless_job('printf "half" > "$ALO_RESULT_FILE"; exit 0')


@pytest.fixture(scope="module")
def stage(module_stage):
    module_stage.create(
        operation("anew", job=HALF, timeouts={"startToClose": "12s"}),
        operation("too-long", job=HALF, timeouts={"startToClose": "5s"}),
        operation("too-late", job=HALF, timeouts={"scheduleToClose": "30s"}),
        operation("no-start", job=unschedulable_job(), timeouts={"scheduleToStart": "5s"}),
        operation("paused", job=shell_job("exit 0"), suspend=True, timeouts={"scheduleToClose": "5s"}),
    )
    return module_stage


def timed_out(stage, name, reason):
    """The status of an operation that has ended for this timeout, with everything that ran gone."""
    status = stage.settled(name)
    assert (status["phase"], status["promise"]) == ("TimedOut", "Rejected"), status
    assert (status["failure"]["type"], status["failure"]["reason"]) == ("TimedOut", reason)
    assert (status["cancellation"]["source"], status["cancellation"]["reason"]) == ("Timeout", reason)
    assert stage.condition(name, "Succeeded")["reason"] == reason
    assert stage.pods(name) == stage.jobs(name) == []
    return status


def took(status, since, until="completionTime"):
    return datetime.fromisoformat(status[until]) - datetime.fromisoformat(since)


@pytest.mark.promise("TIME-2")
def test_the_time_to_work_counts_anew_after_a_resume(stage):
    """Paused after its first start, the work has all of startToClose from its second start on."""
    stage.started("anew")
    stage.has_condition("anew", "Started", "True", "Started")
    stage.edit("anew", suspend=True)
    stage.has_condition("anew", "Suspended", "True", "Paused")
    stage.edit("anew", suspend=False)
    again = stage.has_condition("anew", "Started", "True", "Started")["lastTransitionTime"]
    first = stage.status("anew")["startTime"]

    status = timed_out(stage, "anew", "StartToCloseTimeout")

    assert took(status, again) >= timedelta(seconds=12)
    assert (status["startTime"], again > first) == (first, True)


@pytest.mark.promise("TIME-2", "TIME-4")
def test_work_that_takes_too_long_ends_with_its_partial_result(stage):
    """startToClose counts from the start; what the worker wrote on SIGTERM is kept."""
    status = timed_out(stage, "too-long", "StartToCloseTimeout")

    assert (status["result"]["value"], status["result"]["partial"]) == ("half", True)
    assert "took longer than 5s (timeouts.startToClose)" in status["failure"]["message"]
    assert took(status, status["startTime"]) >= timedelta(seconds=5)


@pytest.mark.promise("TIME-3", "TIME-4")
def test_an_operation_that_is_not_over_in_time_ends_with_its_partial_result(stage):
    """scheduleToClose counts from the creation."""
    status = timed_out(stage, "too-late", "ScheduleToCloseTimeout")

    assert (status["result"]["value"], status["result"]["partial"]) == ("half", True)
    assert "within 30s (timeouts.scheduleToClose)" in status["failure"]["message"]
    assert took(status, stage.operation("too-late")["metadata"]["creationTimestamp"]) >= timedelta(seconds=30)


@pytest.mark.promise("TIME-1")
def test_work_that_does_not_start_in_time_ends_without_a_start(stage):
    """scheduleToStart counts from the creation."""
    status = timed_out(stage, "no-start", "ScheduleToStartTimeout")

    assert "startTime" not in status
    assert "within 5s (timeouts.scheduleToStart); it was waiting: Unschedulable" in status["failure"]["message"]
    (cause,) = status["failure"]["causes"]
    assert (cause["kind"], cause["name"], cause["reason"]) == ("Condition", "Started", "Unschedulable")


@pytest.mark.promise("TIME-3")
def test_a_pause_stops_no_clock_on_the_wall(stage):
    """scheduleToClose passes while the operation is paused, and no Job was ever made."""
    status = timed_out(stage, "paused", "ScheduleToCloseTimeout")

    assert "job" not in status
    assert "paused by spec.suspend" in status["failure"]["message"]


@pytest.mark.promise("TIME-5")
def test_the_job_s_own_deadline_ends_the_work_of_a_dead_operator(orphaned):
    """With no operator from its start on, the work is ended by the Job's backstop; the next one says what passed."""

    def ended():
        conditions = orphaned.job("orphan")["status"].get("conditions", ())
        return any((one["type"], one["reason"]) == ("Failed", "DeadlineExceeded") for one in conditions)

    wait_for(ended, 150, "the Job has ended by its deadline", interval=1)
    (operator,) = orphaned.operators.started
    operator.start()

    status = orphaned.settled("orphan")
    assert (status["phase"], status["failure"]["reason"]) == ("TimedOut", "StartToCloseTimeout")
    assert "no operator was there to end it sooner" in status["failure"]["message"]
    assert orphaned.pods("orphan") == []
