"""The product as it is installed, two replicas in pods, and operations that keep coming while their pods go."""

import pytest

from tests.cluster.providers import Capability
from tests.support.audit import AuditLog
from tests.support.availability import Stream, figures, taken
from tests.support.operations import operation, shell_job
from tests.support.waiting import wait_for

pytestmark = pytest.mark.needs(
    Capability.REAL_KUBELET, Capability.LOAD_IMAGE, Capability.SERVICES, Capability.AUDIT_LOG
)

PAUSE = 2.0  # seconds between two operations; two cores start fewer than three pods a second
SCRIPT = "sleep 1; printf 7 > $ALO_RESULT_FILE"


@pytest.fixture(scope="module")
def stage(in_cluster_stage):
    return in_cluster_stage


@pytest.fixture
def audit(cluster, api):
    return AuditLog(cluster.audit_log, api)


def judge(stage, audit, names, what):
    """Each came to its right end by the one Job that was made for it."""
    statuses = [stage.settled(name) for name in names]

    assert [(status["phase"], status["result"]["value"]) for status in statuses] == [("Succeeded", 7)] * len(names)
    found = [one for one in taken(audit, stage.api, stage.namespace, names) if one.name in names]
    assert all(len(stage.pods(name)) == 1 for name in names)
    print(f"{what}: {figures(found)}")


@pytest.mark.promise("OPER-2")
@pytest.mark.timeout(400)
def test_a_rollout_and_a_killed_leader_lose_and_double_nothing(stage, in_cluster, cluster, audit):
    """`kubectl rollout restart` replaces every pod; then the leader's pod is deleted by force."""

    def manifest(name):
        return operation(name, job=shell_job(SCRIPT))

    with Stream(cluster.kubeconfig, stage.namespace, manifest, PAUSE) as stream:
        stream.more(2)
        before = in_cluster.names()
        in_cluster.kubectl("rollout", "restart", "deployment/alo-operator")
        in_cluster.await_rollout()
        assert not before & in_cluster.names()
        stream.more(2)
        rolled = len(stream.names)
        leader = in_cluster.leader()
        in_cluster.kubectl("delete", "pod", leader, "--grace-period=0", "--force")
        wait_for(lambda: in_cluster.leader() not in {leader, ""}, 60, "another one leads")
        stream.more(2)
    print(f"{rolled} of {len(stream.names)} operations were made until the rollout was over")
    judge(stage, audit, stream.names, "rollout, then the leader's pod deleted by force")
