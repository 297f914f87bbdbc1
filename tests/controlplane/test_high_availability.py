"""Two replicas, and operations that keep coming while one dies, freezes, is replaced, or loses the API server."""

import random

import pytest

from tests.cluster.providers import Capability
from tests.controlplane.test_replicas import leads, pair
from tests.support.availability import Stream, figures, random_length, taken
from tests.support.histories import now
from tests.support.killing import kill
from tests.support.operations import operation, simulated_job
from tests.support.waiting import wait_for
from tests.support.work import held, pending

pytestmark = pytest.mark.needs(Capability.AUDIT_LOG, Capability.SIMULATED_NODES)

PAUSE = 0.4  # seconds between two operations
BEFORE, AFTER = 8, 8  # operations at least, on either side of what happens
LENGTHS = random.Random(11)


@pytest.fixture
def stream(cluster, namespace):
    """Operations of 0 to 3 s, a quarter of which fail, under way when the test begins."""

    def manifest(name):
        code = 3 if name.endswith(("3", "7")) else 0
        return operation(name, job=simulated_job(random_length(LENGTHS, 3), code))

    return Stream(cluster.kubeconfig, namespace, manifest, PAUSE)


@pytest.fixture
def replicas(operators):
    """The leader and the standby, which share a Lease of 4 s."""
    return pair(operators)


@pytest.fixture
def verdict(api, audit, namespace, stream):
    """A function that demands the right end of all that the stream made, and prints what it took."""

    def judge(what):
        wait_for(
            lambda: not pending(api, namespace) and held(api, namespace) == 0,
            90,
            lambda: f"all are settled and let go, {held(api, namespace)} are not",
        )
        found = {item["metadata"]["name"]: item["status"]["phase"] for item in api.list("asyncoperations", namespace)}
        wanted = {name: "Failed" if name.endswith(("3", "7")) else "Succeeded" for name in stream.names}
        assert found == wanted
        print(f"{what}: {figures(taken(audit, api, namespace, stream.names))}")

    return judge


@pytest.mark.promise("OPER-2")
def test_a_rolling_update_loses_and_doubles_nothing(replicas, stream, verdict):
    """Each replica is stopped and started in turn, the leader first, while operations come and run."""
    with stream:
        stream.more(BEFORE)
        for replica in replicas:
            replica.restart()
            wait_for(lambda: any(map(leads, replicas)), describe="one of them leads")
        stream.more(AFTER)
    verdict("rolling update")


@pytest.mark.promise("OPER-2")
@pytest.mark.full
def test_a_killed_leader_loses_and_doubles_nothing(replicas, stream, verdict):
    """SIGKILL in the middle of it; the standby takes over when the Lease has run out."""
    leader, standby = replicas
    with stream:
        stream.more(BEFORE)
        kill(leader)
        wait_for(lambda: leads(standby), describe="the standby leads")
        stream.more(AFTER)
    verdict("leader killed")


@pytest.mark.promise("OPER-2")
@pytest.mark.full
def test_a_frozen_leader_that_thaws_loses_and_doubles_nothing(replicas, stream, verdict):
    """It sleeps past its Lease and wakes up while the other one leads, in the middle of the other's work."""
    leader, standby = replicas
    with stream:
        stream.more(BEFORE)
        leader.pause()
        wait_for(lambda: leads(standby), describe="the standby leads")
        stream.more(2)
        leader.thaw()
        wait_for(lambda: leader.probe("readyz") == 200 and not leads(leader), describe="the thawed one stands by")
        stream.more(AFTER)
    verdict("leader frozen")


@pytest.mark.promise("OPER-4")
@pytest.mark.needs(Capability.STOP_COMPONENT)
# Python leaves a socket to the collector where the server goes between connection and handshake.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_an_api_server_that_restarts_loses_and_doubles_nothing(cluster, replicas, stream, verdict):
    """Killed and started again under both replicas, and under whoever makes operations."""
    for replica in replicas:
        replica.expect_errors("Request attempt")
    with stream:
        stream.more(BEFORE)
        cluster.stop_component("kube-apiserver", force=True)
        down = now()
        cluster.start_component("kube-apiserver")
        away = (now() - down).total_seconds()
        stream.more(AFTER)
        wait_for(lambda: any(map(leads, replicas)), describe="one of them leads")
    verdict(f"API server restarted, away for {away:.1f} s")
