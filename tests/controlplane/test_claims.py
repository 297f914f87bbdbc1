"""Jobs and pods of others that say they belong to an operation: what they do is not its outcome."""

import copy

import pytest

from alo_operator.desired.job import job_name_of
from tests.cluster.providers import Capability
from tests.support.operations import operation, simulated_job
from tests.support.waiting import wait_for

pytestmark = pytest.mark.needs(Capability.SIMULATED_NODES)


@pytest.mark.promise("ID-9")
def test_what_others_claim_for_an_operation_is_not_its_outcome(new_stage):
    """Another Job under its owner reference, and pods under its labels: both end first, and neither is taken."""
    with new_stage() as stage:
        stage.create(operation("real", job=simulated_job(4, message="real")))
        real = stage.job("real")
        labels = {**real["metadata"]["labels"], "app": "theirs"}
        stage.api.create("jobs", theirs("claims-all", labels, real["metadata"]["ownerReferences"]), stage.namespace)
        stage.api.create("jobs", theirs("lends-labels", labels, []), stage.namespace)

        def over():
            found = stage.api.list("jobs", stage.namespace, labelSelector="app=theirs")
            return len(found) == 2 and all(job["status"].get("succeeded") for job in found)

        wait_for(over, describe="the Jobs of others have ended")
        status = stage.settled("real")

        assert status["result"]["value"] == "real"
        assert status["job"]["name"] == job_name_of("real", stage.operation("real")["metadata"]["uid"])
        assert status["attempts"]["count"] == 1


def theirs(name, labels, owners):
    """A Job of somebody else whose pods have all labels of an operation's pods."""
    job = copy.deepcopy(simulated_job(0, message="forged"))
    job["spec"]["template"]["metadata"]["labels"] = labels
    return {"metadata": {"name": name, "labels": labels, "ownerReferences": owners}, **job}
