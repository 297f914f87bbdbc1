"""Reading logs: the audit log's lines and the operator's own."""

import json
from typing import Any

from tests.support import audit
from tests.support.operator_process import OperatorProcess, is_error, parse_line

EVENT: dict[str, Any] = {
    "stage": "ResponseComplete",
    "verb": "patch",
    "user": {"username": audit.OPERATOR_USER},
    "userAgent": "alo-operator/0.1.0",
    "requestURI": "/apis/alo-operator.io/v1alpha1/namespaces/a/asyncoperations/x/status",
    "objectRef": {"resource": "asyncoperations", "subresource": "status", "namespace": "a", "name": "x"},
    "responseStatus": {"code": 200},
    "stageTimestamp": "2026-01-01T00:00:00.000000Z",
}


def write(**changes):
    return audit.parse(json.dumps(EVENT | changes))


def test_an_audit_line_becomes_a_request():
    """Who, what, on which object and with which answer are all kept."""
    found = write()

    assert str(found) == "patch asyncoperations/status a/x 200"
    assert (found.user, found.is_write) == (audit.OPERATOR_USER, True)


def test_only_finished_requests_count():
    """The start of a long-running request is not a request of its own."""
    assert write(stage="ResponseStarted") is None


def test_questions_and_dry_runs_are_no_writes():
    """Only what changes something is counted against a budget."""
    assert not write(verb="watch").is_write
    assert not write(verb="create", objectRef={"resource": "selfsubjectaccessreviews"}).is_write
    assert not write(requestURI=EVENT["requestURI"] + "?dryRun=All").is_write


def test_a_write_belongs_to_the_operation_with_the_longest_fitting_name():
    """A Job called after `a-b` is not counted for `a`."""
    job = write(objectRef={"resource": "jobs", "namespace": "a", "name": "a-b-7f3c"}, verb="create")

    assert audit.operation_of(job, ["a-b", "a"], {}) == "a-b"
    assert audit.operation_of(job, ["a-b", "a"], {"a-b-7f3c": "a"}) == "a"
    assert audit.operation_of(job, ["b"], {}) == ""


def test_error_lines_and_tracebacks_are_found(tmp_path):
    """Lines of level error, and plain tracebacks, fail a test unless it expects them."""
    log = tmp_path / "alo-0.log"
    log.write_text(
        '{"level": "info", "message": "started"}\n'
        '{"level": "error", "message": "callback billing failed"}\n'
        "Traceback (most recent call last):\n",
        "utf-8",
    )
    replica = OperatorProcess(identity="alo-0", kubeconfig=tmp_path / "none", log_file=log, port=1)

    assert len(replica.unexpected_errors()) == 2
    replica.expect_errors("callback .* failed")
    assert replica.unexpected_errors() == ["Traceback (most recent call last):"]


def test_a_line_that_is_not_json_is_kept():
    """What a library prints on its own is text without a level."""
    assert parse_line("[oops]") == {"level": "", "message": "[oops]"}
    assert is_error('{"severity": "ERROR", "message": "x"}')
