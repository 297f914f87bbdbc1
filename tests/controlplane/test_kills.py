"""The operator dies, again and again: every operation still comes to its one right end, with one Job."""

import pytest

from tests.cluster.providers import Capability
from tests.support.audit import owners_of
from tests.support.histories import Window, histories, hits
from tests.support.killing import Tail, dice, kill_after, kill_upon, write_of
from tests.support.relay import slow_line
from tests.support.work import Work, create, mixed, settle

pytestmark = pytest.mark.needs(Capability.AUDIT_LOG, Capability.SIMULATED_NODES)

AT_ONCE = 50
KILLS = 20
WAVE = 12
WINDOWS = len(Window)
MOST_PASSAGES = 3
# Seconds by which the operator's requests are held up where it has to die between two of them.
HELD_UP = 0.6


def check(api, audit, namespace, work, deaths):
    """Everything is settled rightly by one Job each; returns how many kills fell into each window."""
    settle(api, namespace, work, timeout=90)
    found = histories(audit, [one.name for one in work], namespace)
    counted = hits(found.values(), deaths)
    print(f"{len(work)} operations, {len(deaths)} kills; kills that met an operation")
    for window, count in counted.items():
        print(f"  {window}: {count}")
    one_job_each(api, audit, namespace, work, found)
    told = [event["involvedObject"]["name"] for event in api.list("events", namespace, fieldSelector="type=Warning")]
    names = {one.name for one in work}
    assert sorted(name for name in told if name in names) == sorted(one.name for one in work if one.fails)
    return counted


def one_job_each(api, audit, namespace, work, found):
    """There is one Job for each operation, none was ever deleted, and none was made twice."""
    jobs = api.list("jobs", namespace)
    assert sorted(owners_of(jobs).values()) == sorted(one.name for one in work)
    gone = audit.requests(resource="jobs", namespace=namespace, where=lambda one: one.verb.startswith("delete"))
    assert [str(one) for one in gone] == []
    # A creation whose sender died may have been carried out all the same; the log does not say.
    made = {one.name: (found[one.name].jobs, len(found[one.name].cut_off)) for one in work}
    assert {name: counts for name, counts in made.items() if counts[0] != 1 and not (counts[0] == 0 < counts[1])} == {}


def through_every_gap(cluster, namespace, operator, relay, tail, work):
    """Kill the operator right after each kind of write of one wave of work: finalizer, Job, Running, settled.

    Two of the gaps last for a few milliseconds: there the next write is held up on its way, and never arrives.
    """
    fresh = [Work(f"gap-{len(work):03d}-{index:02d}", seconds=7, fails=index % 4 == 3) for index in range(WAVE)]
    work += fresh
    names = {one.name for one in fresh}
    list(tail.fresh())
    # The second status write settles; each condition counts on from where the last one stopped.
    settling = write_of(names, "asyncoperations", "status", nth=2)
    relay.delay = HELD_UP
    create(cluster.kubeconfig, namespace, fresh)
    deaths = []
    for wanted, delay_then in (
        (write_of(names, "asyncoperations"), 0),
        (write_of(names, "jobs"), 0),
        (lambda request: settling(request) or (request.subresource == "status" and request.name in names), HELD_UP),
        (settling, 0),
    ):
        deaths.append(kill_upon(operator, tail, wanted))
        relay.delay = delay_then
        operator.start(wait=False)
    return deaths


def harass(cluster, namespace, operators, audit, relay, kills):
    """Kill the operator `kills` times while 50 operations run, in the end once in each gap; all work, all deaths.

    Operators that are killed before they have written anything are part of it.
    """
    chance = dice()
    operator = operators.start(lease_duration="15s", lease_renew="5s")
    tail = Tail(audit.path, namespace)
    work = mixed("op", AT_ONCE, chance)
    create(cluster.kubeconfig, namespace, work)
    deaths = []
    while len(deaths) < kills - WINDOWS:
        deaths.append(kill_after(operator, chance.uniform(0.3, 3)))
        operator.start(wait=False)
        if len(deaths) % 8 == 0:
            fresh = mixed(f"op-{len(deaths):02d}", AT_ONCE // 2, chance)
            work += fresh
            create(cluster.kubeconfig, namespace, fresh)
    for _ in range(MOST_PASSAGES):
        operator.wait_ready()
        deaths += through_every_gap(cluster, namespace, operator, relay, tail, work)
        if all(hits(histories(audit, [one.name for one in work], namespace).values(), deaths).values()):
            break  # on a machine too busy to kill in time, once more
    operator.wait_ready()
    return work, deaths


@pytest.fixture
def relay(operators, tmp_path):
    """The operators' line to the API server."""
    with slow_line(operators.kubeconfig, tmp_path) as (relay, operators.kubeconfig):
        yield relay


@pytest.mark.promise("OPER-1", "ID-6")
def test_kills_at_any_moment_change_no_outcome(api, cluster, namespace, operators, audit, relay):
    """Twenty kills and more, in each gap between two writes: right outcomes and results, one Job each, all let go."""
    work, deaths = harass(cluster, namespace, operators, audit, relay, KILLS)
    counted = check(api, audit, namespace, work, deaths)
    assert len(deaths) >= KILLS
    assert all(counted.values()), f"not every gap was met: {counted}"


@pytest.mark.promise("OPER-1", "ID-6")
@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_hundred_kills_change_no_outcome(api, cluster, namespace, operators, audit, relay):
    """A hundred kills: as above, for longer."""
    work, deaths = harass(cluster, namespace, operators, audit, relay, 100)
    counted = check(api, audit, namespace, work, deaths)
    assert all(counted.values()), f"not every gap was met: {counted}"
