"""Pause and resume: the pods stop, the attempt starts afresh, and status says what is true at each step."""

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation, shell_job
from tests.support.waiting import stays, wait_for
from tests.support.workers import pod_spec, result_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

SETTINGS = "how-long"  # the ConfigMap that decides how long the next attempt works
BACKSTOP = 300 + 300 + 60


def patient_job():
    """Say `up`, then work for as long as the ConfigMap says, then give the attempt's id as the result."""
    job = shell_job(
        "trap 'exit 143' TERM; echo up; sleep $SECONDS_OF_WORK & wait $!; printf \"$ALO_ATTEMPT\" > $ALO_RESULT_FILE"
    )
    source = {"configMapKeyRef": {"name": SETTINGS, "key": "seconds"}}
    pod_spec(job)["containers"][0]["env"] = [{"name": "SECONDS_OF_WORK", "valueFrom": source}]
    return job


@pytest.fixture(scope="module")
def stage(module_stage):
    module_stage.since = module_stage.now()
    module_stage.api.create(
        "configmaps", {"metadata": {"name": SETTINGS}, "data": {"seconds": "1000"}}, module_stage.namespace
    )
    timeouts = {"scheduleToStart": "5m", "startToClose": "5m"}
    module_stage.create(
        operation("later", job=result_job("echo 1"), suspend=True),
        operation("running", job=patient_job(), timeouts=timeouts),
        operation("hasty", job=patient_job()),
    )
    return module_stage


def states(stage, name):
    """What status has said of an operation, in order: `phase, reason of Suspended`."""
    said = []
    for event in stage.events("asyncoperations", stage.since):
        status = event.object.get("status", {})
        reasons = [one["reason"] for one in status.get("conditions", ()) if one["type"] == "Suspended"]
        said += [(status["phase"], *reasons)] if event.name == name else []
    return [now for before, now in zip([None, *said], said, strict=False) if now != before]


@pytest.mark.promise("PAUSE-2", "PAUSE-4")
def test_an_operation_paused_before_its_start_makes_no_job(stage):
    """It is Paused and has neither Job nor finalizer, also after its operator was replaced."""
    stage.has_condition("later", "Suspended", "True", "Paused")
    (operator,) = stage.operators.started
    stage.started("running")
    stage.has_condition("running", "Started", "True", "Started")
    operator.restart()

    stays(lambda: not stage.jobs("later"), 2, "no Job is made")
    assert stage.status("later")["phase"] == "Paused"
    assert stage.condition("later", "Started")["reason"] == "Paused"


@pytest.mark.promise("PAUSE-1")
def test_paused_work_stops_and_says_so_once_its_pods_have_ended(stage):
    """Pausing is recorded at once; Paused comes after the last pod's end, and the backstop is off."""
    (pod,) = stage.pods("running")
    since = stage.now()
    assert stage.job("running")["spec"]["activeDeadlineSeconds"] == BACKSTOP

    stage.edit("running", suspend=True)

    stage.has_condition("running", "Suspended", "True", "Paused")
    assert stage.status("running")["phase"] == "Paused"
    wait_for(lambda: not stage.pods("running"), 30, "its pod is deleted")
    paused = [
        event
        for event in stage.events("asyncoperations", since)
        if event.name == "running" and event.object["status"]["phase"] == "Paused"
    ]
    # Kubernetes deletes a pod a moment after its last container has ended.
    over = [
        event for event in stage.events("pods", since) if event.object["status"]["phase"] in ("Succeeded", "Failed")
    ]
    assert over[0].version < paused[0].version
    spec = stage.job("running")["spec"]
    assert (spec["suspend"], "activeDeadlineSeconds" in spec) == (True, False)
    stage.first_attempt = pod["metadata"]["uid"]


@pytest.mark.promise("PAUSE-4")
def test_paused_work_stays_paused_while_its_operator_is_replaced(stage):
    """A new process finds the pause on record and leaves it."""
    (operator,) = stage.operators.started
    operator.restart()

    stays(lambda: stage.status("running")["phase"] == "Paused" and not stage.pods("running"), 2, "it stays paused")


@pytest.mark.promise("PAUSE-3")
def test_resumed_work_starts_afresh_and_succeeds(stage):
    """A new attempt with an id of its own gives the result; the first start stands, and the backstop is back."""
    before = stage.status("running")["startTime"]
    stage.edit("running", suspend=False)
    stage.has_condition("running", "Suspended", "False", "Resumed")
    stage.has_condition("running", "Started", "True", "Started")
    with_backstop = "the backstop is back"
    wait_for(lambda: stage.job("running")["spec"].get("activeDeadlineSeconds") == BACKSTOP, 30, with_backstop)
    finish(stage)
    stage.edit("running", suspend=True)
    stage.has_condition("running", "Suspended", "True", "Paused")
    stage.edit("running", suspend=False)

    status = stage.settled("running")

    assert (status["phase"], status["startTime"]) == ("Succeeded", before)
    assert status["result"]["value"] != stage.first_attempt
    assert stage.condition("running", "Suspended") == {}
    once = [("Running", "Pausing"), ("Paused", "Paused"), ("Pending", "Resumed")]
    assert [state for state in states(stage, "running") if len(state) > 1 and state[0] != "Running"] == once[1:] * 2
    assert ("Running", "Pausing") in states(stage, "running")


def finish(stage):
    """From now on attempts end at once."""
    stage.api.patch("configmaps", SETTINGS, {"data": {"seconds": "0"}}, stage.namespace)


@pytest.mark.promise("PAUSE-2")
def test_an_operation_paused_before_its_start_runs_when_it_is_resumed(stage):
    """Nothing is left of the pause but a fulfilled promise."""
    stage.edit("later", suspend=False)

    assert stage.settled("later")["result"]["value"] == 1


def test_a_pause_taken_back_at_once_does_no_harm(stage):
    """Whatever the operator has seen of it, the work goes on or starts afresh, and ends well."""
    stage.started("hasty")
    finish(stage)
    stage.edit("hasty", suspend=True)
    stage.edit("hasty", suspend=False)

    def resumed():
        job = stage.job("hasty")
        return not job["spec"].get("suspend") and stage.status("hasty")["observedGeneration"] == 3

    wait_for(resumed, 60, lambda: f"the work goes on: {stage.status('hasty')}")
    if "Suspended" in [one["type"] for one in stage.status("hasty")["conditions"]]:
        assert stage.settled("hasty")["phase"] == "Succeeded"
    else:
        stage.edit("hasty", cancel={})
        assert stage.settled("hasty")["phase"] == "Cancelled"
