"""A template's concurrency.limit: never more with work at a time, the oldest first, and waiting costs nothing."""

import pytest

from tests.cluster.providers import Capability
from tests.support.audit import OPERATOR_USER
from tests.support.histories import Deed, histories
from tests.support.killing import dice, kill_after
from tests.support.operations import operation, simulated_job, template
from tests.support.stage import Stage
from tests.support.waiting import wait_for

pytestmark = pytest.mark.needs(Capability.AUDIT_LOG, Capability.SIMULATED_NODES)

SHORT = [Deed.FINALIZER, Deed.JOB, Deed.SETTLED, Deed.RELEASED]
LONG = [Deed.FINALIZER, Deed.JOB, Deed.SAID, Deed.SETTLED, Deed.RELEASED]
LEASE = {"lease_duration": "4s", "lease_renew": "1s", "arguments": ["--lease-retry", "0.3s"]}


@pytest.fixture
def stage(api, namespace, kubectl, operators):
    return Stage(api, namespace, kubectl, operators)


def offer(stage, name, limit, seconds=0.5):
    """Create a template of simulated work."""
    made = template(name, job=simulated_job(seconds, message="7"), concurrency={"limit": limit})
    stage.api.create("operationtemplates", made, stage.namespace)


def ask(stage, name, count, **spec):
    """Create operations of a template, and return their names in the order in which they have to run."""
    names = [f"{name}-{index:02d}" for index in range(count)]
    stage.create(*(operation(one, template=name, **spec) for one in names))
    return in_order(stage, names)


def in_order(stage, names):
    found = {one: stage.operation(one)["metadata"] for one in names}
    return sorted(names, key=lambda one: (found[one]["creationTimestamp"], found[one]["uid"]))


def let_go(stage, names, timeout=90):
    """Return when all have succeeded and hold nothing any more."""

    def over():
        found = {one["metadata"]["name"]: one for one in stage.api.list("asyncoperations", stage.namespace)}
        return all(
            found[name]["status"]["phase"] == "Succeeded" and not found[name]["metadata"].get("finalizers")
            for name in names
        )

    wait_for(over, timeout, lambda: f"{names} have succeeded; {[stage.status(name) for name in names]}", 0.25)


def lives(stage, since):
    """By name: the version at which an operation's Job was made, and that at which its promise was settled.

    One etcd counts both, so the versions say what came first.
    """
    made = {
        event.object["metadata"]["labels"]["alo-operator.io/operation"]: event.version
        for event in stage.events("jobs", since)
        if event.kind == "ADDED"
    }
    settled = {}
    for event in stage.events("asyncoperations", since):
        if event.object["status"]["promise"] != "Pending":
            settled.setdefault(event.name, event.version)
    return {name: (version, settled.get(name, float("inf"))) for name, version in made.items()}


def most_at_once(found):
    """How many operations had work that was not settled at the same time."""
    steps = sorted([(start, 1) for start, _ in found.values()] + [(end, -1) for _, end in found.values()])
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


@pytest.mark.promise("TPL-8")
def test_never_more_run_than_the_limit_says_and_the_oldest_go_first(stage, audit):
    """Thirty at a limit of three, six in single file: in their order, each for the price of any other operation."""
    since = stage.now()
    offer(stage, "wide", 3)
    offer(stage, "narrow", 1)
    wide, narrow = ask(stage, "wide", 30), ask(stage, "narrow", 6)
    stage.operators.start()
    let_go(stage, [*wide, *narrow])

    found = lives(stage, since)

    assert most_at_once({name: found[name] for name in wide}) == 3
    assert most_at_once({name: found[name] for name in narrow}) == 1
    assert sorted(narrow, key=found.__getitem__) == narrow
    started = sorted(wide, key=found.__getitem__)
    # Up to three are on their way at a time, and may overtake each other there.
    late = {name: (started.index(name), wide.index(name)) for name in wide}
    assert all(abs(really - due) <= 3 for really, due in late.values()), late
    told = histories(audit, [*wide, *narrow], stage.namespace)
    assert [name for name, one in told.items() if name and one.kinds() not in (SHORT, LONG)] == []


@pytest.mark.promise("TPL-8")
def test_waiting_costs_nothing_and_can_be_ended_in_every_way(stage, audit):
    """No write and no read while it waits; cancelled, deleted, late or paused before its turn, it never gets a Job."""
    offer(stage, "held", 1, seconds=600)
    (first,) = ask(stage, "held", 1)
    stage.operators.start()
    stage.job(first)
    spec = {"template": "held"}
    stage.create(
        operation("cancelled", **spec),
        operation("deleted", **spec),
        operation("late", **spec, timeouts={"scheduleToStart": "2s"}),
        operation("paused", **spec),
        operation("patient", **spec),
        operation("gated", **spec, readyWhen="Accepted"),
    )
    assert stage.settled("late")["failure"]["reason"] == "ScheduleToStartTimeout"
    stage.has_condition("gated", "Ready", "True", "Accepted")
    waiting = ("cancelled", "deleted", "paused", "patient")
    asked = [
        one for name in waiting for one in audit.requests(user=OPERATOR_USER, namespace=stage.namespace, name=name)
    ]
    assert [str(one) for one in asked] == []
    assert stage.status("patient")["observedGeneration"] == -1

    stage.edit("cancelled", cancel={"reason": "no more"})
    stage.edit("paused", suspend=True)
    stage.api.delete("asyncoperations", "deleted", stage.namespace)
    assert stage.settled("cancelled")["phase"] == "Cancelled"
    assert stage.gone("deleted")
    stage.has_condition("paused", "Suspended", "True", "Paused")
    stage.edit(first, cancel={"reason": "room for others"})
    following, last = in_order(stage, ["patient", "gated"])
    stage.job(following)
    assert stage.jobs("paused") == stage.jobs(last) == []

    told = histories(audit, [first, *waiting, "late", "gated"], stage.namespace)
    assert told["cancelled"].kinds() == [Deed.SETTLED, Deed.EVENT]
    assert told["late"].kinds() == [Deed.SETTLED, Deed.EVENT]
    assert told["deleted"].kinds() == []
    for name in ("cancelled", "late", "deleted"):
        assert stage.jobs(name) == []


@pytest.mark.promise("TPL-8")
def test_a_higher_limit_lets_more_in_and_a_lower_one_stops_nobody(stage):
    """The template as it is now decides who may start; what runs, runs on."""
    offer(stage, "grows", 1, seconds=600)
    names = ask(stage, "grows", 4)
    stage.operators.start()

    def started():
        return sum(bool(stage.jobs(name)) for name in names)

    stage.job(names[0])
    limit_to(stage, "grows", 3)
    wait_for(lambda: started() == 3, 30, "three have a Job")
    limit_to(stage, "grows", 1)
    stage.edit(names[0], cancel={"reason": "one less"})
    assert stage.settled(names[0])["phase"] == "Cancelled"
    stage.create(operation("beside", template="plain"))
    stage.api.create("operationtemplates", template("plain", job=simulated_job()), stage.namespace)
    stage.settled("beside")
    assert stage.jobs(names[3]) == []
    stage.api.patch("operationtemplates", "grows", {"spec": {"concurrency": None}}, stage.namespace)
    stage.job(names[3])


def limit_to(stage, name, limit):
    stage.api.patch("operationtemplates", name, {"spec": {"concurrency": {"limit": limit}}}, stage.namespace)


@pytest.mark.promise("TPL-8")
def test_kills_of_the_operator_never_exceed_the_limit(stage, audit):
    """Killed again and again, each time with Jobs running: three at most, one Job each, and all come to their end."""
    chance = dice()
    since = stage.now()
    offer(stage, "wide", 3, seconds=0.7)
    operator = stage.operators.start(lease_duration="15s", lease_renew="5s")
    names = ask(stage, "wide", 24)
    for _ in range(4):
        kill_after(operator, chance.uniform(0.2, 1.5))
        operator.start()
    let_go(stage, names)

    found = lives(stage, since)

    assert most_at_once(found) == 3
    assert sorted(found) == sorted(names)
    assert [name for name in names if len(stage.jobs(name)) != 1] == []


@pytest.mark.promise("TPL-8")
def test_a_failover_never_exceeds_the_limit(stage):
    """The leader dies with Jobs running; who takes over counts them before letting anybody in."""
    since = stage.now()
    offer(stage, "wide", 2, seconds=1.5)
    replicas = [stage.operators.start(name, **LEASE) for name in ("alo-0", "alo-1")]

    def leader():
        return next((one for one in replicas if one.running and one.metrics().get("alo_leader") == 1), None)

    names = ask(stage, "wide", 12)
    for _ in range(2):
        wait_for(leader, 30, "one of the replicas leads").kill()
        wait_for(lambda: sum("job" in stage.status(name) for name in names) >= 2, 30, "work is under way")
        for replica in replicas:
            if not replica.running:
                replica.start()
    let_go(stage, names)

    found = lives(stage, since)

    assert most_at_once(found) == 2
    assert [name for name in names if len(stage.jobs(name)) != 1] == []
