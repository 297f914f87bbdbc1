"""Two replicas and one Lease: whoever leads does the work, and whoever lost the Lease writes nothing."""

import random

import pytest

from tests.cluster.providers import Capability
from tests.support.audit import owners_of
from tests.support.histories import CUT_OFF, histories, hits, moment, now
from tests.support.killing import IN_FLIGHT, dice, kill, pass_time
from tests.support.operator_process import SYSTEM_NAMESPACE
from tests.support.waiting import wait_for
from tests.support.work import Work, create, mixed, settle

pytestmark = pytest.mark.needs(Capability.AUDIT_LOG, Capability.SIMULATED_NODES)

LEASE = {"lease_duration": "4s", "lease_renew": "1s", "arguments": ["--lease-retry", "0.3s"]}


def leads(replica):
    """Whether it says that it holds the Lease."""
    return replica.running and replica.metrics().get("alo_leader") == 1


def pair(operators):
    """A leader and a standby, both warm."""
    replicas = [operators.start(name, **LEASE) for name in ("alo-0", "alo-1")]
    wait_for(lambda: any(map(leads, replicas)), describe="one of the replicas leads")
    return sorted(replicas, key=leads, reverse=True)


def taken_by(audit, replica, since):
    """When the API server first accepted a Lease write of this replica after `since`; None if never."""
    lease = replica.lease_name
    times = (
        moment(request.time)
        for request in audit.writes(leases=True, resource="leases", name=lease)
        if f"({replica.identity})" in request.agent and request.code < 300
    )
    return min((time for time in times if time > since), default=None)


def taken_over(audit, replica, since, timeout=30.0):
    """Wait for this replica's first accepted Lease write after `since`, and return its time."""
    return wait_for(
        lambda: taken_by(audit, replica, since), timeout, f"{replica.identity} takes the Lease", interval=0.2
    )


def check(api, audit, namespace, work):
    """Everything is settled rightly, each by the one Job that was made for it."""
    settle(api, namespace, work, timeout=90)
    found = histories(audit, [one.name for one in work], namespace)
    assert sorted(owners_of(api.list("jobs", namespace)).values()) == sorted(one.name for one in work)
    made = {one.name: (found[one.name].jobs, len(found[one.name].cut_off)) for one in work}
    assert {name: counts for name, counts in made.items() if counts[0] != 1 and not (counts[0] == 0 < counts[1])} == {}
    return found


def crashes(api, cluster, namespace, operators, audit, times):
    """Kill whoever leads, `times` times, each time with new work under way; the dead come back as standby."""
    chance = dice()
    leader, standby = pair(operators)
    work, deaths, gaps = [], [], []
    for turn in range(times):
        fresh = mixed(f"turn-{turn:02d}", 15, chance)
        work += fresh
        create(cluster.kubeconfig, namespace, fresh)
        pass_time(chance.uniform(0, 1.5))
        deaths.append(kill(leader))
        gaps.append((taken_over(audit, standby, deaths[-1].dead) - deaths[-1].dead).total_seconds())
        leader.start()
        leader, standby = standby, leader
    found = check(api, audit, namespace, work)
    print(f"failover after a crash: {', '.join(f'{gap:.1f} s' for gap in gaps)} (Lease of 4 s)")
    print({str(window): count for window, count in hits(found.values(), deaths).items()})


@pytest.mark.promise("OPER-2")
def test_a_standby_takes_over_from_a_crashed_leader(api, cluster, namespace, operators, audit):
    """The leader dies three times at random moments: no outcome is lost, and no work is done twice."""
    crashes(api, cluster, namespace, operators, audit, 3)


@pytest.mark.promise("OPER-2")
@pytest.mark.full
@pytest.mark.timeout(900)
def test_twenty_crashed_leaders_lose_nothing(api, cluster, namespace, operators, audit):
    """The leader dies twenty times: as above, for longer."""
    crashes(api, cluster, namespace, operators, audit, 20)


@pytest.mark.promise("OPER-2")
def test_a_thawed_leader_writes_nothing_without_the_lease(api, cluster, namespace, operators, audit):
    """A leader frozen past its Lease, in the middle of work, is refused or silent when it wakes up."""
    leader, standby = pair(operators)
    work = mixed("op", 40, random.Random(1), longest=4)
    create(cluster.kubeconfig, namespace, work)

    def busy():
        return audit.writes(namespace=namespace, resource="jobs")

    wait_for(busy, describe="the leader has begun", interval=0.01)
    leader.pause()
    frozen = now()
    taken = taken_over(audit, standby, frozen)
    more = [Work(f"later-{index}", message="done") for index in range(5)]
    create(cluster.kubeconfig, namespace, more)
    settle(api, namespace, [*work, *more])
    awake = mixed("awake", 10, random.Random(2), longest=2)
    create(cluster.kubeconfig, namespace, awake)
    leader.thaw()
    check(api, audit, namespace, [*work, *more, *awake])
    wait_for(lambda: leader.probe("readyz") == 200 and not leads(leader), describe="the thawed one stands by")

    def by_the_thawed(request):
        return f"({leader.identity})" in request.agent and moment(request.time) > taken

    late = audit.writes(namespace=namespace, where=by_the_thawed)
    print(f"the standby led {(taken - frozen).total_seconds():.1f} s after the freeze; late writes: {len(late)}")
    # A request that it had begun to send before it was frozen is logged as cut off.
    assert [str(one) for one in late if one.code not in (409, CUT_OFF)] == []
    leases = audit.writes(leases=True, resource="leases", name=leader.lease_name, where=by_the_thawed)
    assert [str(one) for one in leases if one.code not in (409, CUT_OFF)] == []
    holder = api.get("leases", SYSTEM_NAMESPACE, leader.lease_name)["spec"]["holderIdentity"]
    assert holder == standby.identity, "the thawed one took the Lease from a live leader"


@pytest.mark.promise("OPER-2")
def test_a_leader_that_ends_in_order_hands_over(api, cluster, namespace, operators, audit):
    """On SIGTERM the Lease is released, so the standby does not wait for its end."""
    leader, standby = pair(operators)
    work = [Work(f"op-{index}", seconds=index % 3, message="done") for index in range(10)]
    create(cluster.kubeconfig, namespace, work)
    asked = now()
    assert leader.stop() == 0
    gap = taken_over(audit, standby, asked) - asked
    check(api, audit, namespace, work)
    released = [
        request
        for request in audit.writes(leases=True, resource="leases", name=leader.lease_name)
        if f"({leader.identity})" in request.agent and moment(request.time) >= asked - IN_FLIGHT
    ]
    assert released[-1].code == 200
    print(f"failover after SIGTERM: {gap.total_seconds():.2f} s after the signal")


def test_a_restarted_replica_takes_its_own_lease_back(api, cluster, namespace, operators, audit):
    """A crashed single replica goes on at once under its stable identity, whatever is left of a long Lease."""
    settings = {"lease_duration": "600s", "lease_renew": "60s"}
    operator = operators.start(**settings)
    create(cluster.kubeconfig, namespace, [Work("before", seconds=2)])
    died = kill(operator).dead
    operator.start()
    taken = taken_by(audit, operator, died)
    # Had it waited for the old Lease to run out, ten minutes would not have been enough.
    settle(api, namespace, [Work("before", seconds=2)], timeout=120)
    assert taken is not None
    print(f"own Lease taken back {(taken - died).total_seconds():.2f} s after the crash, start of the process included")
