"""What callbacks are sent."""

import json

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from hypothesis import given, settings
from hypothesis import strategies as st

from alo_operator.api.phases import SETTLED, Phase
from alo_operator.delivery.envelope import ABSENT, build_message, message_id, trace_context
from tests.support.builders import UID
from tests.unit.delivery.making import STORED, TRACE, make_callback, make_status, make_subject

FORMATS = ("StandardWebhooks", "CloudEvents")
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def body(status, format_="StandardWebhooks", inlined=ABSENT, **subject):
    return json.loads(build_message(make_subject(**subject), make_callback(format_), status, inlined).body)


def event(message):
    """`message` as the reference library reads it."""
    return from_http_event(HTTPMessage({"content-type": message.content_type}, message.body))


def test_a_webhook_says_how_the_operation_ended():
    """Type, time and data, with the wire forms of status."""
    status = make_status(
        "Failed",
        startTime="2026-03-01T12:00:01Z",
        failure={"type": "WorkFailed", "reason": "WorkFailed", "message": "exit code 3", "retryable": True},
        attempts={"count": 2, "last": {"pod": "resize-x", "exitCode": 3}},
        job={"name": "resize-1", "uid": "j"},
    )

    sent = build_message(make_subject({"by": "billing"}, template="resize-image"), make_callback(), status)

    assert sent.content_type == "application/json"
    assert json.loads(sent.body) == {
        "type": "operation.failed",
        "timestamp": "2026-03-01T12:01:00Z",
        "data": {
            "operation": {"namespace": "media", "name": "resize", "uid": UID},
            "promise": "Rejected",
            "phase": "Failed",
            "template": "resize-image",
            "metadata": {"by": "billing"},
            "startTime": "2026-03-01T12:00:01Z",
            "completionTime": "2026-03-01T12:01:00Z",
            "failure": {"type": "WorkFailed", "reason": "WorkFailed", "message": "exit code 3", "retryable": True},
            "attempts": {"count": 2, "last": {"pod": "resize-x", "exitCode": 3}},
        },
    }


@pytest.mark.promise("DELIVERY-5")
@pytest.mark.parametrize("phase", sorted(SETTLED))
def test_the_reference_library_reads_our_cloud_events(phase):
    """Each attribute is where the specification has it, and the data is that of a webhook."""
    status = make_status(phase, result={"value": {"ö": 1}, "bytes": 8, "partial": True})

    sent = build_message(make_subject(), make_callback("CloudEvents"), status)
    read = event(sent)

    assert sent.content_type == "application/cloudevents+json"
    assert (read.get_specversion(), read.get_id()) == ("1.0", message_id(UID, "billing", phase))
    assert read.get_source() == "/apis/alo-operator.io/v1alpha1/namespaces/media/asyncoperations"
    assert (read.get_subject(), read.get_time()) == ("resize", status.completion_time)
    assert read.get_type() == "io.alo-operator." + body(status)["type"]
    assert read.get_datacontenttype() == "application/json"
    assert (read.get_extension("traceparent"), read.get_extension("operationuid")) == (TRACE, UID)
    assert read.get_data() == body(status)["data"]


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        (TRACE, True),
        ("", False),
        (TRACE + "\r\nX-Evil: 1", False),
        (TRACE.upper(), False),
        ("ff" + TRACE[2:], False),
        ("00-" + "0" * 32 + TRACE[35:], False),
        (TRACE[:36] + "0" * 16 + "-01", False),
        ("anything at all", False),
    ],
)
def test_only_a_trace_context_is_sent_as_one(text, taken):
    """The annotation is written by whoever may annotate; anything else in it is left out."""
    sent = build_message(make_subject(traceparent=text), make_callback("CloudEvents"), make_status())

    assert trace_context(text) == (text if taken else "")
    assert ("traceparent" in event(sent).get_attributes()) is taken


@pytest.mark.promise("DELIVERY-3")
def test_an_id_is_of_one_callback_and_outcome():
    """Another callback, outcome or operation has another id; none has a dot, which would part what is signed."""
    ids = {
        message_id(uid, name, phase) for uid in (UID, UID[::-1]) for name in ("a", "a-b") for phase in sorted(SETTLED)
    }

    assert len(ids) == 2 * 2 * 4
    assert message_id("u-1", "billing", Phase.TIMED_OUT) == "u-1_billing_timedout"
    assert not [found for found in ids if "." in found]


@pytest.mark.parametrize("phase", sorted(set(Phase) - SETTLED))
def test_nobody_is_told_of_what_has_not_ended(phase):
    """It has no outcome, so it has neither message nor id."""
    with pytest.raises(ValueError, match=f"is {phase} has no outcome"):
        build_message(make_subject(), make_callback(), make_status().model_copy(update={"phase": phase}))
    with pytest.raises(ValueError, match="no outcome"):
        message_id(UID, "billing", phase)


@pytest.mark.promise("DELIVERY-6")
@pytest.mark.parametrize("format_", FORMATS)
def test_a_large_result_is_sent_by_reference_or_whole(format_):
    """Either way with size and digest; a null that was large in its ConfigMap is a value."""
    status = make_status(result=STORED | {"contentType": "application/json"})

    by_reference = body(status, format_)["data"]["result"]
    whole = [body(status, format_, inlined)["data"]["result"] for inlined in ({"a": [1]}, "text", None)]

    assert by_reference == STORED | {"contentType": "application/json"}
    assert [result["value"] for result in whole] == [{"a": [1]}, "text", None]
    assert all((result["bytes"], result["sha256"], "ref" in result) == (5000, "a" * 64, False) for result in whole)


def deep():
    value = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    "inlined",
    [float("nan"), [float("inf")], {"a": 2**63}, "half \ud800", {"\udfff": 1}, pytest.param(deep(), id="deep")],
    ids=repr,
)
def test_what_json_cannot_carry_is_sent_by_reference(inlined):
    """A receiver would read something else, or nothing at all."""
    sent = body(make_status(result=STORED), inlined=inlined)

    assert sent["data"]["result"] == STORED


@pytest.mark.parametrize("result", [None, {"value": {"a": 1}, "bytes": 8}])
def test_only_a_reference_is_replaced(result):
    """What status holds itself is what is sent."""
    given = make_status(**({"result": result} if result else {}))

    assert body(given, inlined="another") == body(given)


@settings(max_examples=50)
@given(values, st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=5), st.sampled_from(FORMATS))
def test_any_result_and_metadata_arrive_as_they_are(value, metadata, format_):
    """Inline or from a ConfigMap, in both formats."""
    inline = body(make_status(result={"value": value, "bytes": 1}), format_, metadata=metadata)["data"]
    stored = body(make_status(result=STORED), format_, inlined=value, metadata=metadata)["data"]

    assert inline["metadata"] == stored["metadata"] == metadata
    assert (inline["result"].get("value"), stored["result"]["value"]) == (value, value)


@settings(max_examples=50)
@given(st.dictionaries(st.text(max_size=5), values, min_size=2, max_size=5), st.randoms(), st.sampled_from(FORMATS))
def test_every_attempt_sends_the_same_bytes(value, random, format_):
    """In whichever order the operation's objects were read."""
    items = list(value.items())
    random.shuffle(items)
    words = {str(n): "x" for n in range(5)}
    shuffled = dict(random.sample(list(words.items()), len(words)))

    messages = {
        build_message(make_subject(metadata), make_callback(format_), make_status(result={"value": found}))
        for metadata, found in ((words, value), (shuffled, dict(items)))
    }

    assert len(messages) == 1


@pytest.mark.parametrize("format_", FORMATS)
def test_a_status_without_an_end_time_is_still_told(format_):
    """Whoever may write status may have left it out; that harms only the message's time."""
    sent = body(make_status(completionTime=None), format_)

    assert sent.keys() & {"time", "timestamp"} == set()
    assert sent["data"]["phase"] == "Succeeded"


def test_a_cancellation_that_came_too_late_changes_no_message():
    """It may be recorded between two attempts; one that stopped the work is told."""
    asked = {"requestTime": "2026-03-01T12:00:59Z", "source": "Spec", "settleTime": "2026-03-01T12:01:00Z"}
    told = {**asked, "deliverTime": "2026-03-01T12:00:59Z"}

    assert body(make_status("Succeeded", cancellation=asked)) == body(make_status("Succeeded"))
    assert body(make_status("Failed", cancellation=told))["data"]["cancellation"] == told
    assert body(make_status("Cancelled", cancellation=asked))["data"]["cancellation"] == asked
