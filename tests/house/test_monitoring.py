"""Alerts and dashboard speak of metrics that exist, and of runbooks that can be read."""

import re
from pathlib import Path

import pytest

from tests.house.repository import text
from tests.house.test_docs import section
from tests.support import promql, series

ALERTS = {rule["alert"]: rule for rule in promql.alerts()}
RUNBOOKS = Path("docs/operations.md")
METRIC = re.compile(r"\b(alo_[a-z_]+|process_[a-z_]+)\b")
# Matchers of our labels, such as code=~"401|403".
MATCHER = re.compile(r'(\w+)\s*(?:=|!=|=~|!~)\s*"([^"]*)"')


def family(metric):
    """The name under which the code declares it."""
    for suffix in ("_bucket", "_count", "_sum", "_total"):
        if metric.removesuffix(suffix) in series.declared():
            return metric.removesuffix(suffix)
    return metric


def expressions():
    return {name: rule["expr"] for name, rule in ALERTS.items()} | promql.queries()


@pytest.mark.parametrize("name", sorted(expressions()))
def test_every_expression_asks_for_metrics_that_there_are(name):
    """Each metric is declared, and each value that a label is compared with can occur."""
    expression = expressions()[name]
    named = {family(metric) for metric in METRIC.findall(expression)} - {"process_cpu_seconds_total"}
    ours = {metric for metric in named if metric.startswith("alo_")}

    assert ours
    assert ours <= set(series.declared())
    allowed = {label: values for metric in ours for label, values in series.LABELS.get(metric, {}).items()}
    for label, value in MATCHER.findall(expression):
        if not re.fullmatch(r"[\w/]+(\|[\w/]+)*", value):
            continue  # a pattern such as 5..
        assert [word for word in value.split("|") if not series.fits(word, allowed[label])] == []


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_every_alert_says_what_it_means_and_what_to_do(name):
    """A severity, a sentence for the pager, one for the reader, and a section of the runbook."""
    rule = ALERTS[name]
    notes = rule["annotations"]

    assert rule["labels"]["severity"] in ("info", "warning", "critical")
    assert all(notes[word] for word in ("summary", "description"))
    assert notes["runbook_url"] == f"{RUNBOOKS}#{name.lower()}"


def test_runbooks_and_alerts_are_the_same():
    """Each alert has its section below "Alerts", in the same order, and there is no section without an alert."""
    assert re.findall(r"^### (.+)$", section(text(RUNBOOKS), "Alerts"), re.MULTILINE) == list(ALERTS)


def test_panels_lie_side_by_side_and_each_explains_itself():
    """No two share a place or an id; each has a title, a sentence, the data source of the variable and a legend."""
    panels = promql.dashboard()["panels"]
    places = [
        (place["x"] + right, place["y"] + down)
        for place in (panel["gridPos"] for panel in panels)
        for right in range(place["w"])
        for down in range(place["h"])
    ]

    assert len(places) == len(set(places))
    assert max(column for column, _ in places) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        if panel["type"] != "row":
            assert panel["title"]
            assert panel["description"]
            assert panel["datasource"]["uid"] == "${datasource}"
            assert all(target["legendFormat"] for target in panel["targets"])
