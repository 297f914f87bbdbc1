"""What an operation costs the API server: the operator's writes, counted in the audit log, Leases apart."""

import pytest

from tests.cluster.providers import Capability
from tests.support.histories import Deed, histories
from tests.support.operations import operation, simulated_job
from tests.support.waiting import wait_for
from tests.support.work import Work, create, pending, settle

pytestmark = pytest.mark.needs(Capability.AUDIT_LOG, Capability.SIMULATED_NODES)

SHORT = [Deed.FINALIZER, Deed.JOB, Deed.SETTLED, Deed.RELEASED]
LONG = [Deed.FINALIZER, Deed.JOB, Deed.SAID, Deed.SETTLED, Deed.RELEASED]


def with_event(deeds):
    """The Event goes out before the finalizer, so that a crash in between cannot lose it."""
    return [*deeds[:-1], Deed.EVENT, deeds[-1]]


@pytest.mark.promise("OPER-3", "FAIL-5")
def test_a_success_costs_at_most_five_writes_and_no_event(api, cluster, namespace, operator, audit):
    """Work that ends at once is never reported as running: four writes; work of three seconds takes the fifth."""
    short = [Work(f"short-{index}", message="done") for index in range(5)]
    long = [Work(f"long-{index}", seconds=3, message="done") for index in range(5)]
    create(cluster.kubeconfig, namespace, [*short, *long])

    settle(api, namespace, [*short, *long])

    found = histories(audit, [work.name for work in [*short, *long]], namespace)
    assert {work.name: found[work.name].kinds() for work in long} == {work.name: LONG for work in long}
    for work in short:
        # A simulated pod of 0 s may still be seen ready for longer than a second where the machine is busy.
        assert found[work.name].kinds() in (SHORT, LONG), f"{work.name}: {found[work.name]}"
    assert [str(write) for history in found.values() for write in history.refused] == []
    assert found[""].requests == []
    assert api.list("events", namespace, fieldSelector="involvedObject.kind=AsyncOperation") == []


@pytest.mark.promise("FAIL-5")
def test_a_failure_costs_one_event_more(api, cluster, namespace, operator, audit):
    """A failed operation is told of in exactly one Event, which names the reason."""
    failing = [Work("fails-at-once", fails=True), Work("fails-later", seconds=3, fails=True, message="no disk")]
    create(cluster.kubeconfig, namespace, failing)
    settle(api, namespace, failing)

    def told():
        return api.list("events", namespace, fieldSelector="involvedObject.kind=AsyncOperation")

    wait_for(lambda: len(told()) >= 2, describe="one Event for each failure")
    found = histories(audit, [work.name for work in failing], namespace)

    assert found["fails-at-once"].kinds() in (with_event(SHORT), with_event(LONG))
    assert found["fails-later"].kinds() == with_event(LONG)
    assert sorted((event["involvedObject"]["name"], event["reason"], event["type"]) for event in told()) == [
        ("fails-at-once", "NonZeroExit", "Warning"),
        ("fails-later", "NonZeroExit", "Warning"),
    ]


@pytest.mark.promise("START-4")
def test_waiting_costs_one_write_for_each_changed_reason(api, cluster, namespace, operator, audit):
    """An operation whose quota is full says so once, however often it is looked at and tried, and then runs."""
    quota = {"metadata": {"name": "full"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    api.create("resourcequotas", quota, namespace)
    wait_for(lambda: api.get("resourcequotas", namespace, "full").get("status"), describe="the quota is in force")
    api.create("asyncoperations", operation("waits", job=simulated_job()), namespace)

    def refusals():
        return histories(audit, ["waits"], namespace)["waits"].refused

    # Tries come 2, 4, 8 ... seconds apart; three of them show that a try costs no write of its own.
    wait_for(lambda: len(refusals()) >= 3, timeout=40, describe="the Job is tried three times", interval=0.5)
    waiting = histories(audit, ["waits"], namespace)["waits"]
    assert [str(write).split()[:2] for write in waiting.refused] == [["create", "jobs"]] * len(waiting.refused)
    assert len([deed for deed in waiting.kinds() if deed is not Deed.FINALIZER]) == 1, str(waiting)
    started = next(
        condition
        for condition in api.get("asyncoperations", namespace, "waits")["status"]["conditions"]
        if condition["type"] == "Started"
    )
    assert (started["status"], started["reason"]) == ("False", "QuotaExceeded")

    api.delete("resourcequotas", "full", namespace)
    wait_for(lambda: not pending(api, namespace), timeout=60, describe="it runs once the quota is gone")
    settle(api, namespace, [Work("waits")])
    assert histories(audit, ["waits"], namespace)["waits"].kinds() in (
        [Deed.FINALIZER, Deed.SAID, *SHORT[1:]],
        [Deed.FINALIZER, Deed.SAID, *LONG[1:]],
    )
