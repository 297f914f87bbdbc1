"""What a real operator tells Prometheus of real work."""

import random

import pytest

from tests.cluster.providers import Capability
from tests.support import series
from tests.support.operations import operation, simulated_job, template
from tests.support.waiting import wait_for
from tests.support.work import create, mixed

pytestmark = pytest.mark.needs(Capability.SIMULATED_NODES)

COUNT = 12


def total(samples, name):
    """The sum of a series over all its labels."""
    return sum(value for sample, value in samples.items() if sample.partition("{")[0] == name)


@pytest.fixture
def scraped(api, cluster, namespace, operators):
    """A scrape at the end of a short life: work that ends, is cancelled, waits in line; a rubbish template; no rest."""
    operator = operators.start()
    work = mixed("op", COUNT, random.Random(5), longest=2)
    create(cluster.kubeconfig, namespace, work)
    api.create("operationtemplates", template("one", job=simulated_job(600), concurrency={"limit": 1}), namespace)
    for name in ("first", "second", "third"):
        api.create("asyncoperations", operation(name, template="one"), namespace)
    settled = [one.name for one in work]

    def phases():
        return {item["metadata"]["name"]: item["status"]["phase"] for item in api.list("asyncoperations", namespace)}

    def quiet():
        found = phases()
        return all(found[name] in ("Succeeded", "Failed") for name in settled) and "Running" in found.values()

    wait_for(quiet, describe=lambda: f"the work has ended, one of the others runs: {phases()}")
    running = next(name for name, phase in phases().items() if phase == "Running")
    api.patch("asyncoperations", running, {"spec": {"cancel": {"reason": "enough"}}}, namespace)
    wait_for(lambda: phases()[running] == "Cancelled", describe="it is cancelled")
    wait_for(lambda: operator.metrics()['alo_operations{phase="Running"}'] == 1, describe="the next one runs")
    text = operator.scrape()
    print(text)
    return text, operator.metrics()


def test_one_life_is_told_in_series_with_known_labels(scraped):
    """Every series that the life had to move has moved, and none has a label that grows."""
    text, samples = scraped

    assert series.strangers(text) == []
    assert samples["alo_leader"] == 1
    assert samples["alo_lease_remaining_seconds"] > 0
    assert samples['alo_leader_changes_total{to="leader"}'] == 1
    assert samples['alo_operations{phase="Pending"}'] == 1
    assert samples["alo_operations_in_line"] == 1
    assert samples['alo_oldest_operation_age_seconds{phase="Pending"}'] > 0
    assert total(samples, "alo_operations_settled_total") == COUNT + 1
    assert total(samples, "alo_operation_schedule_to_close_seconds_count") == COUNT + 1
    assert samples["alo_operation_schedule_to_start_seconds_count"] == COUNT + 2
    # What a restarted watch or the resync tells first is not measured, so "at most".
    assert 0 < samples["alo_job_creation_delay_seconds_count"] <= COUNT + 1
    assert 0 < samples["alo_settle_delay_seconds_count"] <= COUNT
    assert samples['alo_cancellation_settle_seconds_count{source="Spec"}'] == 1
    assert samples['alo_queue_wait_seconds_count{lane="usual"}'] > COUNT
    assert samples["alo_write_rate_limit"] == 500
    assert samples["alo_write_wait_seconds_count"] > 4 * COUNT
    assert samples['alo_watch_lag_seconds_count{kind="AsyncOperation"}'] > 0
    assert samples["process_resident_memory_bytes"] > 0
