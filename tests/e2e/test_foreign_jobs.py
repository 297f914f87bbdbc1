"""Jobs that bear the name an operation's Job must have."""

import pytest

from alo_operator.desired.job import job_name
from alo_operator.desired.observed import OperationView
from tests.cluster.providers import Capability
from tests.support.operations import operation, shell_job
from tests.support.waiting import wait_for
from tests.support.workers import unschedulable_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)


@pytest.mark.promise("ID-7")
def test_a_job_of_our_name_that_is_somebody_elses_is_left_alone(stage):
    """The promise is rejected as JobNameConflict, the foreign Job stays as it is, and deletion leaves it too."""
    stage.create(operation("taken", job=shell_job("exit 0")))
    name = job_name(OperationView.from_body(stage.operation("taken")))
    foreign = unschedulable_job()
    foreign["spec"]["suspend"] = True
    stage.api.create("jobs", {"metadata": {"name": name}} | foreign, stage.namespace)
    before = wait_for(lambda: conditions_of(stage, name), 30, "the Job controller has seen the foreign Job")

    stage.operators.start()
    status = stage.settled("taken")

    assert (status["phase"], status["failure"]["reason"]) == ("Failed", "JobNameConflict")
    assert name in status["failure"]["message"]
    stage.kubectl("delete", "aop", "taken", "--timeout=10s")
    assert conditions_of(stage, name) == before
    assert "deletionTimestamp" not in stage.api.get("jobs", stage.namespace, name)["metadata"]


def conditions_of(stage, name):
    """Version and conditions of a Job; None while it has none."""
    job = stage.api.get("jobs", stage.namespace, name)
    found = job.get("status", {}).get("conditions")
    return (job["metadata"]["resourceVersion"], found) if found else None
