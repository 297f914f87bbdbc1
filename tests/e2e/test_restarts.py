"""An operator that is killed between two writes, or away when time runs out: the next one carries on from there."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.cluster.providers import Capability
from tests.support.holding import Write, holding
from tests.support.operations import operation, shell_job
from tests.support.waiting import stays, wait_for
from tests.support.workers import endless_job, pod_spec, unschedulable_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

BACKSTOP = 300 + 300 + 60
HALF = endless_job('printf "half" > "$ALO_RESULT_FILE"; exit 0')


def slow_to_start():
    """A Job whose container cannot be made before the ConfigMap is there."""
    job = shell_job("echo up; sleep 2")
    source = {"configMapKeyRef": {"name": "settings", "key": "any"}}
    pod_spec(job)["containers"][0]["env"] = [{"name": "ANY", "valueFrom": source}]
    return job


@pytest.fixture(scope="module")
def stage(module_stage):
    stage = module_stage
    limits = {"scheduleToStart": "5m", "startToClose": "5m"}
    stage.create(
        operation("paused", job=HALF, timeouts=limits),
        operation("cancelled", job=HALF),
        operation("overdue", job=HALF, timeouts={"startToClose": "12s"}),
    )
    for name in ("overdue", "paused", "cancelled"):
        stage.started(name)
    with holding(stage, "paused") as stage.hold:
        yield stage


def created(stage, name):
    return datetime.fromisoformat(stage.operation(name)["metadata"]["creationTimestamp"])


@pytest.mark.promise("TIME-6")
def test_time_that_runs_out_while_no_operator_looks_has_run_out(stage):
    """The next one ends the work with its cause and its partial result; work that has started meanwhile goes on."""
    (operator,) = stage.operators.started
    began = stage.has_condition("overdue", "Started", "True", "Started")["lastTransitionTime"]
    stage.create(
        operation("no-start", job=unschedulable_job(), timeouts={"scheduleToStart": "10s"}),
        operation("unseen", job=slow_to_start(), timeouts={"scheduleToStart": "10s"}),
    )
    wait_for(lambda: stage.jobs("no-start") and stage.jobs("unseen"), 10, "both Jobs are there", 0.02)
    operator.kill()
    stage.api.create("configmaps", {"metadata": {"name": "settings"}, "data": {"any": "x"}}, stage.namespace)
    stage.started("unseen")
    over = max(datetime.fromisoformat(began) + timedelta(seconds=12), created(stage, "unseen") + timedelta(seconds=10))
    wait_for(lambda: datetime.now(UTC) > over, 60, "the limits have passed")
    assert {stage.status(name)["promise"] for name in ("overdue", "no-start", "unseen")} == {"Pending"}

    operator.start()

    late = stage.settled("overdue")
    assert (late["phase"], late["failure"]["reason"]) == ("TimedOut", "StartToCloseTimeout")
    assert (late["result"]["value"], late["result"]["partial"]) == ("half", True)
    never = stage.settled("no-start")
    assert (never["phase"], never["failure"]["reason"]) == ("TimedOut", "ScheduleToStartTimeout")
    assert never["failure"]["causes"][0]["reason"] == "Unschedulable"
    assert stage.settled("unseen")["phase"] == "Succeeded"


@pytest.mark.promise("PAUSE-4")
def test_a_pause_survives_its_operator_at_each_step(stage):
    """Killed after the record, and killed before it could say Paused: the next one does what is left, and says it."""
    (operator,) = stage.operators.started
    stage.has_condition("paused", "Started", "True", "Started")
    stage.hold(Write.JOB_PATCH)
    stage.edit("paused", suspend=True)
    stage.has_condition("paused", "Suspended", "True", "Pausing")
    assert not stage.job("paused")["spec"]["suspend"]
    assert len(stage.pods("paused")) == 1
    operator.kill()

    stage.hold(Write.PAUSED)
    operator.start()
    wait_for(lambda: stage.job("paused")["spec"]["suspend"] and not stage.pods("paused"), 60, "the pods are stopped")
    assert stage.condition("paused", "Suspended")["reason"] == "Pausing"
    assert "activeDeadlineSeconds" not in stage.job("paused")["spec"]
    operator.kill()

    stage.hold(None)
    operator.start()
    stage.has_condition("paused", "Suspended", "True", "Paused")
    assert stage.status("paused")["phase"] == "Paused"
    operator.kill()

    operator.start()
    stays(lambda: stage.status("paused")["phase"] == "Paused" and not stage.pods("paused"), 1, "it stays paused")


@pytest.mark.promise("PAUSE-4")
def test_a_resume_survives_its_operator_at_each_step(stage):
    """Killed before it could record the resume, and before the Job's own deadline was back."""
    (operator,) = stage.operators.started
    first = stage.status("paused")["startTime"]
    stage.hold(Write.RESUMED)
    stage.edit("paused", suspend=False)
    wait_for(lambda: not stage.job("paused")["spec"]["suspend"], 30, "the Job is resumed")
    assert stage.status("paused")["phase"] == "Paused"
    operator.kill()

    stage.hold(Write.JOB_PATCH)
    operator.start()
    stage.has_condition("paused", "Suspended", "False", "Resumed")
    stage.started("paused")
    assert "activeDeadlineSeconds" not in stage.job("paused")["spec"]
    operator.kill()

    stage.hold(None)
    operator.start()
    stage.has_condition("paused", "Started", "True", "Started")
    wait_for(
        lambda: stage.job("paused")["spec"].get("activeDeadlineSeconds") == BACKSTOP, 30, "the Job's deadline is back"
    )
    status = stage.status("paused")
    assert (status["phase"], status["startTime"]) == ("Running", first)


@pytest.mark.promise("CANCEL-6")
def test_a_cancellation_survives_its_operator_at_each_step(stage):
    """Killed after the record, and killed before it could settle: who asked first, and when, stands."""
    (operator,) = stage.operators.started
    stage.hold(Write.JOB_DELETION)
    stage.edit("cancelled", cancel={"reason": "withdrawn"})
    stage.has_condition("cancelled", "CancelRequested", "True", "Spec")
    assert len(stage.pods("cancelled")) == 1
    asked = stage.status("cancelled")["cancellation"]["requestTime"]
    operator.kill()

    stage.hold(Write.SETTLED)
    operator.start()
    wait_for(lambda: not stage.jobs("cancelled"), 60, "Job and pod are gone")
    assert stage.status("cancelled")["phase"] == "Cancelling"
    operator.kill()

    stage.hold(None)
    operator.start()
    status = stage.settled("cancelled")
    assert (status["phase"], status["cancellation"]["requestTime"]) == ("Cancelled", asked)
    assert status["cancellation"]["reason"] == "withdrawn"
