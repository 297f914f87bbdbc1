"""Somebody else's hands on Job and pods: the promise is settled all the same."""

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation, shell_job
from tests.support.waiting import wait_for
from tests.support.workers import endless_job, pod_spec

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

CASCADES = ("background", "foreground", "orphan")
SWITCH = "second-attempt"  # a ConfigMap; once it is there, an attempt of `twice_job` ends by itself


def twice_job():
    job = shell_job('echo up; [ -n "$SECOND" ] || sleep 1000', backoffLimit=1)
    source = {"configMapKeyRef": {"name": SWITCH, "key": "second", "optional": True}}
    pod_spec(job)["containers"][0]["env"] = [{"name": "SECOND", "valueFrom": source}]
    return job


@pytest.fixture(scope="module")
def stage(module_stage):
    module_stage.create(*[operation(f"job-{cascade}", job=endless_job()) for cascade in CASCADES])
    module_stage.create(
        operation("pod", job=endless_job("echo stopped; exit 143")),
        operation("pod-retried", job=twice_job()),
        operation("finished", job=shell_job("printf 7 > $ALO_RESULT_FILE")),
    )
    return module_stage


@pytest.mark.promise("JOB-5")
@pytest.mark.parametrize("cascade", CASCADES)
def test_a_job_deleted_by_hand_settles_as_unknown(stage, cascade):
    """Nobody can say whether the work was done, so the promise is rejected with OutcomeUnknown, and soon."""
    name = f"job-{cascade}"
    stage.started(name)

    stage.kubectl("delete", "job", stage.job(name)["metadata"]["name"], f"--cascade={cascade}", "--wait=false")
    if cascade == "orphan":
        # Nobody stops an orphaned pod, and while it runs there may still be something to know.
        wait_for(lambda: not stage.jobs(name), 30, "the Job is gone")
        stage.kubectl("delete", "pod", stage.pods(name)[0]["metadata"]["name"], "--wait=false")
    status = stage.settled(name, timeout=60)

    assert (status["phase"], status["failure"]["reason"]) == ("Failed", "OutcomeUnknown")
    assert status["failure"]["type"] == "InfrastructureFailed"
    assert stage.jobs(name) == []


def test_a_pod_deleted_by_hand_fails_work_without_retries(stage):
    """With backoffLimit 0 the deleted pod was the only attempt."""
    stage.started("pod")
    (pod,) = stage.pods("pod")

    stage.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")
    status = stage.settled("pod", timeout=60)

    assert (status["phase"], status["promise"]) == ("Failed", "Rejected")
    assert status["failure"]["causes"][0]["kind"] == "Job"


@pytest.mark.promise("JOB-4")
def test_a_pod_deleted_by_hand_is_replaced_where_retries_are_left(stage):
    """The Job's own retry makes a second attempt, which is counted."""
    stage.started("pod-retried")
    (pod,) = stage.pods("pod-retried")
    stage.api.create("configmaps", {"metadata": {"name": SWITCH}, "data": {"second": "yes"}}, stage.namespace)

    stage.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")
    status = stage.settled("pod-retried")

    assert (status["phase"], status["attempts"]["count"]) == ("Succeeded", 2)


@pytest.mark.promise("ID-6")
def test_a_finished_job_deleted_by_hand_takes_nothing_from_the_record(stage):
    """The result is in status; Job and pod are no longer needed, and no second run begins."""
    result = stage.settled("finished")["result"]

    stage.kubectl("delete", "job", stage.job("finished")["metadata"]["name"])

    wait_for(lambda: not stage.pods("finished"), 30, "the pod is gone")
    assert stage.status("finished")["result"] == result
    assert result["value"] == 7
    assert stage.jobs("finished") == []
