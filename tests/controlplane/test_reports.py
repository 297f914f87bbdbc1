"""Reports through a real gateway process and a real API server, for workers that are simulated."""

import base64
import hashlib
import itertools
import json

import pytest

from tests.cluster.providers import Capability
from tests.support.audit import AuditLog
from tests.support.gateway_process import GATEWAY_USER
from tests.support.histories import Deed, histories
from tests.support.operations import operation, simulated_job
from tests.support.reporting import Reporter, token_for
from tests.support.waiting import wait_for

pytestmark = pytest.mark.needs(Capability.SIMULATED_NODES, Capability.AUDIT_LOG)

RESULTS = {  # name -> bytes, Content-Type, and what the value in status is (None: it is in a ConfigMap)
    "nothing": (b"", None, ""),
    "null": (b"null", "application/json", None),
    "json": (json.dumps({"list": [1, None, "ü"], "pad": "x" * 1000}).encode(), None, ...),
    "declared": (b'{"a": 1.5}', "application/problem+json", {"a": 1.5}),
    "text": ("schön\n".encode(), "text/plain; charset=utf-8", "schön\n"),
    "numbers": (b"[12345678901234567890]", "application/json", None),
    "few-bytes": (b"\x89PNG\r\n", "image/png", None),
    "large-json": (json.dumps(["x" * 100] * 1000).encode(), None, None),
    "largest-text": ("ü".encode() * 450 * 1024, None, None),
    "largest-bytes": (bytes(range(256)) * 3600, None, None),
}


def worker(name, **job_spec):
    """An operation whose simulated worker runs until the test ends it."""
    return operation(name, job=simulated_job(3600, **job_spec))


@pytest.fixture(scope="module")
def stage(reporting_stage, cluster):
    reporting_stage.audit = AuditLog(cluster.audit_log, reporting_stage.api)
    reporting_stage.create(
        *(worker(name) for name in RESULTS),
        *(worker(name) for name in ("refusing", "beside", "chatty", "settled", "racing", "restarted", "partial")),
        worker("parallel", completions=2, parallelism=2),
        worker("indexed", completions=2, parallelism=2, completionMode="Indexed"),
        worker("retried", backoffLimit=1),
    )
    first = reporting_stage.pod("retried")
    reporting_stage.first = reporting_stage.reporter("retried", first)
    assert reporting_stage.first.result(b'"first"')[0] == 200
    failed = {"status": {"phase": "Failed"}}  # the next attempt is made ten seconds later
    reporting_stage.api.patch(
        "pods", first["metadata"]["name"], failed, reporting_stage.namespace, subresource="status"
    )
    return reporting_stage


@pytest.fixture(scope="module")
def answers(stage):
    """What was answered to each result, to the same bytes again and to others; then all that work ends."""
    found = {}
    for name, (raw, kind, _) in RESULTS.items():
        reporter = stage.reporter(name)
        first = reporter.result(raw, kind)
        reported = stage.status(name)["reported"]
        found[name] = (first, reported, reporter.result(raw, kind), reporter.result(b"7", kind))
        stage.finish(name, message='"a message that counts for nothing"')
    return found


@pytest.mark.promise("REPORT-1", "REPORT-2")
@pytest.mark.parametrize("name", RESULTS)
def test_a_result_of_any_kind_and_size_is_kept_whole(stage, answers, name):
    """From nothing to 900 KiB: on record when it is acknowledged, and the answer of the operation at its end."""
    raw, kind, value = RESULTS[name]
    digest = hashlib.sha256(raw).hexdigest()
    first, reported, again, (code, refusal) = answers[name]

    assert first == again == (200, {"bytes": len(raw), "sha256": digest})
    assert reported["sha256"] == digest
    assert (code, refusal["error"]["reason"]) == (409, "ResultDiffers")

    status = stage.settled(name)
    result = status["result"]
    assert (status["phase"], result["bytes"], result["sha256"]) == ("Succeeded", len(raw), digest)
    assert kind is None or result["contentType"] == kind
    assert "reported" not in status
    if "ref" not in result:
        assert result.get("value") == (json.loads(raw) if value is ... else value)
        return
    assert value is None
    held = stage.api.get("configmaps", stage.namespace, result["ref"]["name"])
    text, binary = held.get("data", {}).get("result"), held.get("binaryData", {}).get("result")
    assert raw == (text.encode() if text is not None else base64.b64decode(binary))
    assert held["immutable"] is True
    (owner,) = held["metadata"]["ownerReferences"]
    assert owner["uid"] == stage.operation(name)["metadata"]["uid"]


@pytest.mark.promise("OPER-3")
def test_reports_cost_the_operator_nothing(stage, answers):
    """Five writes for each operation, as without them; one may meet a fresh report, and is decided anew."""
    for name in answers:
        stage.settled(name)
        wait_for(lambda name=name: not stage.operation(name)["metadata"].get("finalizers"), 30, "it is let go")

    found = histories(stage.audit, list(answers), stage.namespace)

    for name in answers:
        # Work that ends at once is never said to be running.
        said = [deed for deed in found[name].kinds() if deed is not Deed.SAID]
        assert said == [Deed.FINALIZER, Deed.JOB, Deed.SETTLED, Deed.RELEASED], found[name]
        assert len(found[name].kinds()) <= 5, found[name]
        assert [write.code for write in found[name].refused] in ([], [409]), found[name]


@pytest.mark.promise("REPORT-1")
def test_what_is_too_large_is_refused_before_it_is_kept(stage):
    """One byte more than 900 KiB, announced or not."""
    reporter = stage.reporter("refusing")
    raw = b"x" * (900 * 1024 + 1)

    announced = reporter.result(raw)
    unannounced = reporter.send("PUT", "result", iter([raw[:500_000], raw[500_000:]]))

    for code, answer in (announced, unannounced):
        assert (code, answer["error"]["reason"]) == (413, "TooLarge")
        assert "921600 bytes" in answer["error"]["message"]
    assert "reported" not in stage.status("refusing")


@pytest.mark.promise("REPORT-3")
def test_only_the_pod_that_works_for_it_reports_for_an_operation(stage):
    """Any other token is refused, whoever shows it, for results and progress alike."""
    pod = stage.pod("refusing")
    shown = {
        (401, "Unauthenticated"): (None, "", "garbage", forged(stage.reporter("refusing").token)),
        (401, "TokenExpired"): (expired(stage.reporter("refusing").token),),
        (403, "WrongAudience"): (token_for(stage.api, stage.namespace, pod, "https://kubernetes.default.svc"),),
        (403, "NotThisOperation"): (
            token_for(stage.api, stage.namespace, None),
            stage.reporter("beside").token,
        ),
    }

    for (code, reason), tokens in shown.items():
        for token in tokens:
            reporter = Reporter(stage.gateway.url, stage.namespace, "refusing", token)
            for answer in (reporter.result(b"1"), reporter.progress(percent=1)):
                assert (answer[0], answer[1]["error"]["reason"]) == (code, reason), token
    assert {"reported", "progress"}.isdisjoint(stage.status("refusing"))


def forged(token):
    """The same token with another signature."""
    head, body, signature = token.split(".")
    return f"{head}.{body}.{signature[::-1]}"


def expired(token):
    """The same token as it would have been an hour ago; its signature is wrong by that, too."""
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["exp"] -= 7200
    return f"{head}.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.{signature}"


def test_what_is_no_report_is_refused_with_what_to_do(stage):
    """Unknown paths, methods and fields; every answer has a reason and a sentence."""
    reporter = stage.reporter("refusing")
    answers = {
        404: reporter.send("POST", "nowhere", b""),
        405: reporter.send("GET", "result", b""),
        400: reporter.progress(prcent=40),
    }

    for code, (found, answer) in answers.items():
        assert found == code
        assert answer["error"]["reason"]
        assert len(answer["error"]["message"]) > 20
    assert "prcent" in answers[400][1]["error"]["message"]


@pytest.mark.promise("REPORT-3", "REPORT-7")
def test_a_job_with_several_completions_is_counted_by_the_operator(stage):
    """Its pods report neither progress nor a result, but for index 0 of an Indexed Job."""
    codes = {}
    for name in ("parallel", "indexed"):
        pods = wait_for(lambda name=name: stage.pods(name) if len(stage.pods(name)) == 2 else None, 30, "two pods")
        for pod in pods:
            index = pod["metadata"]["annotations"].get("batch.kubernetes.io/job-completion-index", "-")
            reporter = stage.reporter(name, pod)
            codes[name, index] = (reporter.result(b"7")[0], reporter.progress(percent=1)[0])

    assert codes == {("parallel", "-"): (403, 403), ("indexed", "0"): (200, 403), ("indexed", "1"): (403, 403)}


@pytest.mark.promise("REPORT-4", "REPORT-5")
def test_a_hundred_reports_cost_two_writes_and_one_review(stage, audit):
    """Whatever the worker says within five seconds is one write more; the operator writes nothing for it."""
    stage.has_condition("chatty", "Started", "True", "Started")
    reporter = stage.reporter("chatty")
    audit.mark()

    codes = {reporter.progress(done=number, total=1000)[0] for number in range(100)}
    wait_for(lambda: stage.status("chatty")["progress"]["done"] == 99, 20, "the last progress is shown")

    assert codes == {202}
    asked = audit.requests(user=GATEWAY_USER)
    writes = [request for request in asked if request.is_write]
    assert len(writes) <= 2 + len(codes - {202}), [str(request) for request in writes]
    assert {(request.verb, request.resource, request.subresource) for request in writes} == {
        ("patch", "asyncoperations", "status")
    }
    assert len([request for request in asked if request.resource == "tokenreviews"]) == 1
    assert audit.writes(namespace=stage.namespace, name="chatty") == []


@pytest.mark.promise("REPORT-6")
def test_nothing_is_taken_for_an_operation_that_is_settled(stage):
    """Neither by a gateway that has seen it pending nor for a pod that still lives."""
    reporter = stage.reporter("settled")
    assert reporter.progress(percent=1)[0] == 202
    settled = {"status": {"promise": "Rejected", "phase": "Failed"}}
    stage.api.patch("asyncoperations", "settled", settled, stage.namespace, subresource="status")

    code, answer = reporter.result(b"1")
    assert (code, answer["error"]["reason"]) == (409, "Settled")
    code, answer = reporter.progress(percent=2)
    assert (code, answer["error"]["reason"]) == (409, "Settled")

    assert stage.status("settled")["progress"]["percent"] == 1


@pytest.mark.promise("REPORT-3")
def test_a_replaced_attempt_is_refused(stage):
    """Its pod has finished; the next one hands in what counts."""
    code, answer = stage.first.result(b'"late"')
    assert (code, answer["error"]["reason"]) == (409, "Replaced")

    wait_for(lambda: len(stage.pods("retried")) == 2, 60, "there is a second attempt")
    assert stage.reporter("retried").result(b'"second"')[0] == 200
    stage.finish("retried")
    assert stage.settled("retried")["result"]["value"] == "second"


def test_settling_and_reporting_at_once_harm_neither(stage):
    """Reports go on while the work ends: what was acknowledged last before the end is what the record shows."""
    reporter, taken = stage.reporter("racing"), None
    for number in itertools.count(1):
        if number == 50:
            stage.finish("racing")
        if reporter.progress(done=number, total=number)[0] != 202:
            break
        taken = number
        assert number < 5000

    status = stage.settled("racing")

    assert taken >= 50
    assert (status["phase"], status["promise"]) == ("Succeeded", "Fulfilled")
    assert status["progress"]["done"] <= taken
    wait_for(lambda: not stage.operation("racing")["metadata"].get("finalizers"), 30, "the finalizer is off")


@pytest.mark.promise("REPORT-8", "REPORT-4")
def test_operator_and_gateway_may_be_restarted_in_between(stage):
    """What was taken is on record; what waited is written before the gateway ends."""
    (operator,) = stage.operators.started
    reporter = stage.reporter("restarted")
    assert reporter.progress(percent=1)[0] == 202
    assert reporter.progress(percent=2)[0] == 202

    stage.gateway.restart()
    assert stage.status("restarted")["progress"]["percent"] == 2
    assert reporter.result(b"[1]")[0] == 200
    operator.kill()
    stage.gateway.stop()
    stage.finish("restarted")
    stage.gateway.start()
    operator.start()

    assert stage.settled("restarted")["result"]["value"] == [1]


def test_cancelled_work_keeps_what_it_has_handed_in(stage):
    """As a partial result, though its worker was killed."""
    assert stage.reporter("partial").result(b'{"pages": 7}')[0] == 200
    stage.edit("partial", cancel={"reason": "enough"})

    status = stage.settled("partial")

    assert status["phase"] == "Cancelled"
    assert status["result"]["value"] == {"pages": 7}
    assert status["result"]["partial"] is True
