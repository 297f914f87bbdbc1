"""What an operation costs, in counts that do not depend on the machine: requests, watch events, passes.

Times gate nothing; they are measured by `make bench`. The limits are for the mean over all operations of one load, and
`LIMITS` has the reason of each.
"""

from collections import Counter
from datetime import timedelta
from urllib.parse import unquote

import pytest

from tests.cluster.providers import Capability
from tests.support.audit import OPERATOR_USER
from tests.support.histories import moment
from tests.support.operations import operation, simulated_job
from tests.support.work import Work, create, settle

pytestmark = pytest.mark.needs(Capability.AUDIT_LOG, Capability.SIMULATED_NODES)

FINALIZER = "alo-operator.io/cancel-work"
COUNT = 20
LEASE = {"lease_duration": "15s", "lease_renew": "5s"}  # what users have: no write is cut off for want of it
LOOK_AFTER = timedelta(seconds=9)  # without a start the operator looks why; 10 s, but creation is in whole seconds

# what -> (limit for one operation, why so many)
LIMITS = {
    "writes": (5, "finalizer, Job, Running, the answer, finalizer removal"),
    "writes with the finalizer set at creation": (4, "Job, Running, the answer, finalizer removal"),
    # The lists of a resync are for all operations together, and not among these.
    "reads": (1, "the LIST of the Job's pods that the answer is read from; the watches tell all else"),
    "reads with the finalizer set at creation": (2, "and one GET that makes sure that there is no Job yet"),
    "events of the operation": (6, "its creation and the writes; one spare for a watch that begins while it is made"),
    "events of the Job": (9, "its creation and what the Job controller says of it: started, ready, counted, complete"),
    "passes": (9, "one for each write, as the watch then tells of it, and those that wait for the start and the pods"),
}


class Counts:
    """What one load cost for one operation, from the audit log and the operator's metrics.

    `looks` are the reads of pods of work that had not started ten seconds after its creation, as on a slow machine.
    They are no part of the budget, and each of them may lead to a write and to passes.
    """

    def __init__(self, audit, namespace, items, before, after):
        asked = audit.requests(namespace=namespace)
        ours = [one for one in asked if one.user == OPERATOR_USER]
        reads = [one for one in ours if one.verb == "get" or (one.verb == "list" and one.resource == "pods")]
        late = late_moments(items, asked)
        self.count = len(items)
        self.writes = Counter(f"{one.verb} {one.resource}" for one in ours if one.is_write)
        self.looks = [one for one in reads if any(uid in unquote(one.uri) and late[uid](one) for uid in late)]
        self.reads = [one for one in reads if one not in self.looks]
        self.refused = [str(one) for one in ours if one.is_write and one.code >= 300]
        self.told = sum(map(told_of, asked)) / self.count
        self.spare = len(self.looks) / self.count
        self.metrics = {name: value - before.get(name, 0.0) for name, value in after.items()}

    def metric(self, start, **labels):
        """The growth of a metric for one operation, over all series with these labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        found = [v for k, v in self.metrics.items() if k.startswith(start) and all(w in k for w in wanted)]
        return sum(found) / self.count

    def within(self, what, found, spare=0.0):
        limit, why = LIMITS[what]
        print(f"{what}: {found:.2f} of {limit}")
        assert found <= limit + spare, f"{found:.2f} {what} for one operation instead of {limit} ({why}): {self}"

    def __str__(self):
        reads = Counter(f"{one.verb} {one.resource} {unquote(one.uri).partition('?')[2][:60]}" for one in self.reads)
        return (
            f"writes {dict(self.writes)}, refused {self.refused}, reads {reads.most_common(5)}, looks {len(self.looks)}"
        )


def told_of(request):
    """Whether a request changed an operation or its Job, so that the watches tell of it."""
    return request.is_write and request.code < 300 and request.resource in ("asyncoperations", "jobs")


def late_moments(items, asked):
    """For each operation's uid: whether a request came ten seconds after its creation or later, and before its end."""
    ends = {one.name: moment(one.time) for one in asked if (one.resource, one.subresource) == ("jobs", "status")}

    def of(item):
        due = moment(item["metadata"]["creationTimestamp"]) + LOOK_AFTER
        end = ends.get(item["status"]["job"]["name"], due)
        return lambda request: due <= moment(request.time) < end

    return {item["metadata"]["uid"]: of(item) for item in items}


@pytest.fixture
def load(api, namespace, operators, audit):
    """Runs work to its end and counts what it cost."""
    operator = operators.start(**LEASE)

    def run(make, work):
        before = operator.metrics()
        audit.mark()
        make(work)
        settle(api, namespace, work)
        return Counts(audit, namespace, api.list("asyncoperations", namespace), before, operator.metrics())

    return run


@pytest.mark.promise("OPER-3")
def test_an_operation_costs_no_more_than_it_must(api, cluster, namespace, load):
    """Half of the work ends at once and half runs for three seconds; nothing is asked or handled twice."""
    work = [Work(f"op-{index:02d}", seconds=3 * (index % 2), message="done") for index in range(COUNT)]

    counts = load(lambda work: create(cluster.kubeconfig, namespace, work), work)

    assert counts.refused == []
    counts.within("writes", sum(counts.writes.values()) / COUNT, counts.spare)
    counts.within("reads", len(counts.reads) / COUNT)
    of_operation = counts.metric("alo_watch_events_total", kind="AsyncOperation")
    of_job = counts.metric("alo_watch_events_total", kind="Job")
    counts.within("events of the operation", of_operation, counts.spare)
    counts.within("events of the Job", of_job)
    # The last events may be still under way, and a watch that begins anew tells of everything once more.
    assert of_operation + of_job <= counts.told + 1
    counts.within("passes", counts.metric("alo_reconcile_duration_seconds_count"), 2 * counts.spare)


@pytest.mark.promise("OPER-3")
def test_a_finalizer_set_at_creation_saves_a_write(api, namespace, load):
    """What the optional admission policy does costs one read and saves one write."""
    work = [Work(f"op-{index:02d}") for index in range(COUNT // 2)]

    def make(work):
        for one in work:
            body = operation(one.name, job=simulated_job(one.seconds))
            body["metadata"]["finalizers"] = [FINALIZER]
            api.create("asyncoperations", body, namespace)

    counts = load(make, work)

    assert counts.refused == []
    counts.within("writes with the finalizer set at creation", sum(counts.writes.values()) / len(work), counts.spare)
    counts.within("reads with the finalizer set at creation", len(counts.reads) / len(work))


@pytest.mark.promise("OPER-3")
def test_what_has_ended_costs_nothing(api, cluster, namespace, operators, audit):
    """An operator that starts beside settled operations asks for none of them and writes nothing but its Lease."""
    work = [Work(f"op-{index:02d}") for index in range(COUNT // 2)]
    first = operators.start()
    create(cluster.kubeconfig, namespace, work)
    settle(api, namespace, work)
    first.stop()
    audit.mark()

    again = operators.start()
    create(cluster.kubeconfig, namespace, [Work("new")])
    settle(api, namespace, [*work, Work("new")])

    ours = audit.requests(user=OPERATOR_USER, namespace=namespace)
    assert again.running
    assert {one.name for one in ours if one.is_write and one.resource == "asyncoperations"} == {"new"}
    assert {one.name for one in ours if one.verb == "get"} <= {"new"}
