"""Nodes that die or go away with work on them: what can be told is told, and no operation hangs on them."""

from datetime import datetime, timedelta

import pytest

from tests.cluster.providers import Capability
from tests.support.lost_nodes import CANCELLED, DELETED, MOVED, TIMED_OUT
from tests.support.waiting import wait_for

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE, Capability.SIMULATED_NODES)

GONE = "its node may be gone, and the work still running"


def abandoned(status):
    """The one cause of an end that did not wait for ever: it came a minute after the grace period."""
    (cause,) = status["failure"]["causes"]
    assert (cause["kind"], cause["reason"]) == ("Pod", "PodAbandoned")
    assert GONE in cause["message"]
    told, over = (datetime.fromisoformat(status["cancellation"][name]) for name in ("deliverTime", "settleTime"))
    assert over - told >= timedelta(seconds=60)
    return cause


@pytest.mark.promise("CANCEL-8")
def test_work_on_a_dead_node_is_given_up_after_a_minute(lost_nodes):
    """Cancelled by the spec: the record says that the pod did not go, and which."""
    status = lost_nodes.settled(CANCELLED)

    assert (status["phase"], status["failure"]["type"]) == ("Cancelled", "Cancelled")
    assert abandoned(status)["name"] == lost_nodes.pods(CANCELLED)[0]["metadata"]["name"]
    assert GONE in lost_nodes.condition(CANCELLED, "Succeeded")["message"]


def test_a_timeout_of_work_on_a_dead_node_is_given_up_alike(lost_nodes):
    """The phase is TimedOut, with the timeout that passed."""
    status = lost_nodes.settled(TIMED_OUT)

    assert (status["phase"], status["failure"]["reason"]) == ("TimedOut", "StartToCloseTimeout")
    abandoned(status)


@pytest.mark.promise("CANCEL-8")
def test_deletion_of_work_on_a_dead_node_does_not_hang(lost_nodes):
    """The operation goes after the same minute, and the Event that stays says why."""
    wait_for(lambda: lost_nodes.gone(DELETED), 120, "the operation is gone")

    about = f"involvedObject.name={DELETED},reason=Cancelled"
    (event,) = lost_nodes.api.list("events", lost_nodes.namespace, fieldSelector=about)
    assert event["message"].startswith("cancelled: the operation was deleted")
    assert GONE in event["message"]


@pytest.mark.promise("JOB-3")
def test_work_on_a_deleted_node_is_moved_without_using_up_an_attempt(lost_nodes):
    """Kubernetes takes the pod away as disrupted; the Job's next one runs elsewhere, and it is the first attempt."""
    status = lost_nodes.settled(MOVED)

    assert (status["phase"], status["attempts"]["count"]) == ("Succeeded", 1)
    assert status["result"]["value"] == "really run"
    assert "failed" not in lost_nodes.job(MOVED)["status"]
