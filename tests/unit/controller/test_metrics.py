"""Metrics of requests: named after kinds, never after anything a user chose."""

import pytest

from alo_operator.controller import metrics
from alo_operator.effects import paths
from tests.support import series


def resource(path):
    """Under which resource a request to this path is counted."""
    before = counted()
    metrics.API.observe("GET", path, 200, 0.01)
    (found,) = [name for name, value in counted().items() if value != before.get(name, 0)]
    return found


def counted():
    return {
        sample.labels["resource"]: sample.value
        for family in metrics.API.requests.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (paths.operations(None), "asyncoperations"),
        (paths.operations("media"), "asyncoperations"),
        (paths.operation("media", "resize"), "asyncoperations"),
        (paths.operation("media", "resize") + "/status", "asyncoperations/status"),
        (paths.jobs(None), "jobs"),
        (paths.jobs("media"), "jobs"),
        (paths.job("media", "resize-0123456789"), "jobs"),
        (paths.pods("media"), "pods"),
        (paths.events("media"), "events"),
        (paths.lease("alo-system", "alo-operator"), "leases"),
        ("apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "selfsubjectaccessreviews"),
        ("version", "version"),
        ("apis/alo-operator.io/v1alpha1", "other"),
    ],
)
def test_a_request_is_counted_under_its_kind(path, expected):
    """Lists, objects and their status alike."""
    assert resource(path) == expected


@pytest.mark.parametrize("name", ["status", "jobs", "v1", "namespaces", "pods", "a", "v1alpha1", "x-v1-y"])
def test_no_name_becomes_a_label(name):
    """A label for each name a user may choose would grow without end."""
    assert resource(paths.operation(name, name)) == "asyncoperations"
    assert resource(paths.operation(name, name) + "/status") == "asyncoperations/status"
    assert resource(paths.job(name, name)) == "jobs"
    assert resource(paths.operations(name)) == "asyncoperations"


@pytest.mark.parametrize(
    ("status", "code"),
    [(204, "2xx"), (301, "3xx"), (410, "4xx"), (503, "5xx"), (999, "none"), (0, "none"), (None, "none")],
)
def test_an_attempt_at_a_delivery_is_counted_by_the_class_of_its_answer(status, code):
    """A receiver chooses its status, so that only its first digit becomes a label."""
    labels = {"format": "CloudEvents", "outcome": "HTTPError", "code": code}
    before = metrics.REGISTRY.get_sample_value("alo_delivery_attempts_total", labels) or 0
    metrics.delivery_attempted("CloudEvents", "HTTPError", status, 0.1)

    assert metrics.REGISTRY.get_sample_value("alo_delivery_attempts_total", labels) == before + 1


def test_what_is_rendered_is_prometheus_text():
    """With help for each of ours."""
    text = metrics.render().decode()

    assert "# HELP alo_api_requests_total" in text
    assert "alo_leader" in text


def test_every_label_and_its_values_are_known():
    """A label that nobody has thought through may grow without end."""
    assert {name: set(labels) for name, labels in series.declared().items() if labels} == {
        name: set(labels) for name, labels in series.LABELS.items()
    }


def test_what_is_counted_here_has_known_labels_only():
    """All that the tests of this process have counted, made-up names among it."""
    metrics.API.observe("GET", "apis/batch/v1/namespaces/a/jobs/b", 404, 0.1)

    assert series.strangers(metrics.render().decode()) == []
