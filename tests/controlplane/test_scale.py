"""Many operations at once, in the long run a thousand: all settle, each has one Job, none costs more than it should."""

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.cluster.providers import Capability
from tests.support.histories import Deed, histories
from tests.support.work import Work, create, settle

pytestmark = pytest.mark.needs(Capability.AUDIT_LOG, Capability.SIMULATED_NODES)

THOUSAND = 1000
MOST_WRITES = 5


def many(seconds_of, count=THOUSAND):
    """Operations of which every tenth fails; `seconds_of` gives each its run time by its number."""
    return [
        Work(f"op-{index:04d}", seconds=seconds_of(index), fails=index % 10 == 0, message=f"said by {index}")
        for index in range(count)
    ]


def cpu_seconds(pid):
    """The processor time a process has used, of user and kernel together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def over_budget(history):
    """Whether an operation cost too much; its Event apart, of which the budget has one for each failure."""
    return sum(sent.resource != "events" for sent in history.requests) > MOST_WRITES


def run(api, cluster, namespace, operators, audit, work):
    """Create all, wait until all have settled as they must, and check what it took."""
    operator = operators.start(lease_duration="15s", lease_renew="5s")  # what users have
    cpu, began = cpu_seconds(operator.pid), time.monotonic()
    create(cluster.kubeconfig, namespace, work)
    created = time.monotonic() - began
    settle(api, namespace, work, timeout=400)
    took, cpu = time.monotonic() - began, cpu_seconds(operator.pid) - cpu

    found = histories(audit, [one.name for one in work], namespace)
    writes = Counter(sum(sent.resource != "events" for sent in found[one.name].requests) for one in work)
    events = Counter(found[one.name].kinds().count(Deed.EVENT) for one in work)
    refused = Counter(f"{write.verb} {write.resource} {write.code}" for one in found.values() for write in one.refused)
    print(
        f"{len(work)} operations: created in {created:.1f} s, settled in {took:.1f} s ({len(work) / took:.1f}/s), "
        f"{1000 * cpu / len(work):.1f} ms of CPU each; writes: {dict(writes)}, Events: {dict(events)}, "
        f"refused: {dict(refused)}"
    )
    assert {name: history.jobs for name, history in found.items() if name and history.jobs != 1} == {}
    assert len(api.list("jobs", namespace)) == len(work)
    assert max(writes) <= MOST_WRITES, {one.name: str(found[one.name]) for one in work if over_budget(found[one.name])}
    assert events == {1: sum(one.fails for one in work), 0: sum(not one.fails for one in work)}
    assert found[""].requests == []


@pytest.mark.promise("OPER-3")
@pytest.mark.timeout(600)
def test_two_hundred_operations_at_once_settle_for_five_writes_each(api, cluster, namespace, operators, audit):
    """Half of them end at once and half run for three seconds; twenty fail."""
    run(api, cluster, namespace, operators, audit, many(lambda index: 3 * (index % 2), count=200))


@pytest.mark.promise("OPER-3")
@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seconds", [0, 3])
def test_a_thousand_alike_settle_for_five_writes_each(api, cluster, namespace, operators, audit, seconds):
    """All end at once, or all run for three seconds; a hundred fail."""
    run(api, cluster, namespace, operators, audit, many(lambda _: seconds))
