"""A kubelet that stops, with work on its node: given up after a minute, and the node tidies up when it is back."""

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation
from tests.support.waiting import wait_for
from tests.support.workers import endless_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE, Capability.STOP_COMPONENT)


@pytest.mark.full
@pytest.mark.promise("CANCEL-8")
def test_work_on_a_stopped_node_is_given_up_and_tidied_up_later(stage, cluster):
    """The container runs on for all that anybody can tell, and the record says so; its answer stays when it is gone."""
    stage.operators.start()
    stage.create(operation("stranded", job=endless_job(grace_seconds=1)))
    stage.started("stranded")
    (pod,) = stage.pods("stranded")
    cluster.stop_component("kubelet")
    try:
        stage.edit("stranded", cancel={"reason": "its node is dead"})
        settled = stage.settled("stranded")

        assert settled["phase"] == "Cancelled"
        (cause,) = settled["failure"]["causes"]
        assert (cause["name"], cause["reason"]) == (pod["metadata"]["name"], "PodAbandoned")
        assert stage.pods("stranded")[0]["status"]["phase"] == "Running"
    finally:
        cluster.start_component("kubelet")

    wait_for(lambda: not stage.pods("stranded") and not stage.jobs("stranded"), 120, "Job and pod are gone")
    assert stage.status("stranded") == settled
