"""What a real operator tells Prometheus of real work, and what Prometheus' own engine makes of it."""

import random

import pytest

from tests.cluster.providers import Capability
from tests.support import made_up_series, promql, series
from tests.support.operations import operation, simulated_job, template
from tests.support.tiers import not_run
from tests.support.waiting import wait_for
from tests.support.work import create, mixed

COUNT = 12
# Panels that an operator without a gateway and errors has nothing to show in.
SILENT_ROWS = ("Gateway",)
SILENT_PANELS = ("Passes put off", "Refused or unanswered")
# Alerts that a machine with too much to do may cause by itself.
OF_LOAD = ("AloQueueSlow", "AloSettlesSlowly", "AloWritesSlowedDown", "AloApiErrors", "AloEventLoopSlow")


def total(samples, name):
    """The sum of a series over all its labels."""
    return sum(value for sample, value in samples.items() if sample.partition("{")[0] == name)


@pytest.fixture
def engine():
    """Fails as not run where Prometheus' engine cannot be built."""
    if reason := promql.what_is_missing():
        not_run(reason)


@pytest.fixture
def lived(api, cluster, namespace, operators):
    """An operator after a short life (work ends, is cancelled, waits in line), and what it told at the beginning."""
    operator = operators.start()
    wait_for(lambda: operator.metrics()["alo_leader"] == 1, describe="it leads")
    first = operator.scrape()
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
    # An address that nothing may be sent to is one more attempt, and no connection.
    called = {"name": "nobody", "url": "http://127.0.0.1:9/", "format": "CloudEvents"}
    api.create("asyncoperations", operation("tells", job=simulated_job(), callbacks=[called]), namespace)
    wait_for(lambda: total(operator.metrics(), "alo_delivery_attempts_total") >= 1, describe="it was tried")
    return operator, first


@pytest.mark.needs(Capability.SIMULATED_NODES)
def test_one_life_is_told_in_series_that_alerts_and_dashboard_can_read(lived, engine):
    """Every series that the life had to move has moved and none has a label that grows; no alert, all panels filled."""
    operator, first = lived
    samples, text = operator.metrics(), operator.scrape()

    assert series.strangers(text) == []
    alerts_are_silent(first, text)
    panels_are_filled(first, text)
    assert samples["alo_leader"] == 1
    assert samples["alo_lease_remaining_seconds"] > 0
    assert samples['alo_leader_changes_total{to="leader"}'] == 1
    assert samples['alo_operations{phase="Pending"}'] == 1
    assert samples["alo_operations_in_line"] == 1
    assert samples['alo_oldest_operation_age_seconds{phase="Pending"}'] > 0
    assert total(samples, "alo_operations_settled_total") == COUNT + 2
    assert total(samples, "alo_operation_schedule_to_close_seconds_count") == COUNT + 2
    assert total(samples, "alo_delivery_attempts_total") == total(samples, "alo_delivery_duration_seconds_count")
    # A write whose answer got lost is made, and not counted.
    assert 0 < samples["alo_operation_schedule_to_start_seconds_count"] <= COUNT + 3
    # What a restarted watch or the resync tells first is not measured, so "at most".
    assert 0 < samples["alo_job_creation_delay_seconds_count"] <= COUNT + 2
    assert 0 < samples["alo_settle_delay_seconds_count"] <= COUNT + 1
    assert samples['alo_cancellation_settle_seconds_count{source="Spec"}'] == 1
    assert samples['alo_queue_wait_seconds_count{lane="usual"}'] > COUNT
    assert samples["alo_write_rate_limit"] > 0
    assert samples["alo_write_wait_seconds_count"] > 4 * COUNT
    assert samples['alo_watch_lag_seconds_count{kind="AsyncOperation"}'] > 0
    assert samples["process_resident_memory_bytes"] > 0


def alerts_are_silent(first, last):
    rules = {rule["alert"]: rule["expr"] for rule in promql.alerts()}
    answers = dict(zip(rules, promql.evaluate(list(rules.values()), told(first, last), 300), strict=True))

    assert {name: found.error for name, found in answers.items() if found.error} == {}
    assert {name for name, found in answers.items() if found.result} - set(OF_LOAD) == set()


def panels_are_filled(first, last):
    """Each query of the dashboard finds something, but for panels about what did not happen."""
    queries = promql.queries()
    answers = dict(zip(queries, promql.evaluate(list(queries.values()), told(first, last), 300), strict=True))
    assert {name: found.error for name, found in answers.items() if found.error} == {}
    row, silent = "", list(SILENT_PANELS)
    for panel in promql.dashboard()["panels"]:
        row = panel["title"] if panel["type"] == "row" else row
        if row in SILENT_ROWS:
            silent.append(panel["title"])
    empty = {name for name, found in answers.items() if not found.result}
    assert {name for name in empty if name.split(":")[0] not in silent} == set()
    for name, found in sorted(answers.items()):
        print(name, [value for _, value in found.result][:4])


def told(first, last):
    """What Prometheus has of a target that was scraped before and after its work, in the middle and at the end."""
    target = {"job": "alo-operator", "namespace": "alo-system", "pod": "alo-0", "instance": "alo-0"}
    return promql.scraped([(60, first), (120, first), (240, last), (300, last)], **target)


def test_each_alert_fires_on_what_it_is_about_and_on_nothing_else(engine):
    """Its own series made up, among those of a healthy operator, which alone make no alert."""
    rules = {rule["alert"]: rule["expr"] for rule in promql.alerts()}
    assert set(made_up_series.FIRING) == set(rules)

    def firing(given):
        answers = promql.evaluate(list(rules.values()), given, made_up_series.END)
        assert [found.error for found in answers if found.error] == []
        return {name for name, found in zip(rules, answers, strict=True) if found.result}

    assert firing(made_up_series.HEALTHY) == set()
    for name, bad in made_up_series.FIRING.items():
        own = {(one.labels["__name__"], one.labels["pod"]) for one in bad}
        others = [one for one in made_up_series.HEALTHY if (one.labels["__name__"], one.labels["pod"]) not in own]
        if name == "AloOperatorAbsent":
            others = [one for one in others if one.labels["__name__"] != "alo_leader"]
        assert firing(others + bad) == {name}
