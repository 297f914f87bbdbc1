"""The API server goes away, or the operator sleeps through what happens: afterwards everything is as it should be."""

import random

import pytest

from tests.cluster.providers import Capability
from tests.support.audit import owners_of
from tests.support.operations import operation, simulated_job
from tests.support.waiting import wait_for
from tests.support.work import Work, create, mixed, settle

pytestmark = pytest.mark.needs(Capability.SIMULATED_NODES)


def jobs_by_owner(api, namespace):
    return sorted(owners_of(api.list("jobs", namespace)).values())


@pytest.mark.promise("OPER-4")
@pytest.mark.needs(Capability.STOP_COMPONENT)
def test_a_restart_of_the_api_server_harms_nothing(api, cluster, namespace, operators):
    """The operator lives through it; everything settles, and no work is done twice."""
    operator = operators.start()
    work = mixed("op", 30, random.Random(3), longest=4)
    create(cluster.kubeconfig, namespace, work)
    wait_for(lambda: api.list("jobs", namespace), describe="the work has begun", interval=0.02)
    # Kopf says at level error that its watches have lost their server; they come back by themselves.
    operator.expect_errors("Request attempt")
    cluster.stop_component("kube-apiserver", force=True)
    wait_for(lambda: "could not be" in operator.tail(200), describe="the operator notices", interval=0.05)
    cluster.start_component("kube-apiserver")

    settle(api, namespace, work, timeout=120)
    assert operator.running
    assert jobs_by_owner(api, namespace) == sorted(one.name for one in work)
    more = [Work("afterwards", message="done")]
    create(cluster.kubeconfig, namespace, more)
    settle(api, namespace, [*work, *more], timeout=60)


@pytest.mark.promise("OPER-1")
def test_what_happened_while_the_operator_slept_is_caught_up(api, cluster, namespace, operators):
    """Operations made, deleted and ended while the operator was frozen are found, finished and let go."""
    operator = operators.start()
    running = [Work(f"running-{index}", seconds=2, fails=bool(index % 2), message="done") for index in range(6)]
    create(cluster.kubeconfig, namespace, running)
    api.create("asyncoperations", operation("unwanted", job=simulated_job(600)), namespace)
    wait_for(
        lambda: len(jobs_by_owner(api, namespace)) == len(running) + 1, describe="all work has begun", interval=0.02
    )
    operator.pause()
    fresh = [Work(f"fresh-{index}", message="made while it slept") for index in range(6)]
    create(cluster.kubeconfig, namespace, fresh)
    api.delete("asyncoperations", "unwanted", namespace)
    api.create("asyncoperations", operation("short-lived", job=simulated_job()), namespace)
    api.delete("asyncoperations", "short-lived", namespace)

    def ended():
        jobs = api.list("jobs", namespace)
        return sum(any(c["status"] == "True" for c in job["status"].get("conditions", ())) for job in jobs)

    wait_for(lambda: ended() >= len(running), describe="the running Jobs end while nobody looks")
    assert api.get("asyncoperations", namespace, "unwanted") is not None, "the finalizer holds it"
    operator.thaw()

    wait_for(lambda: api.get("asyncoperations", namespace, "unwanted") is None, describe="the deleted one is let go")
    settle(api, namespace, [*running, *fresh])
    names = sorted(one.name for one in [*running, *fresh])
    wait_for(lambda: jobs_by_owner(api, namespace) == names, describe="one Job for each, none for the deleted ones")
