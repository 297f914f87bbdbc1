"""A worker's words as a result: JSON or text, whole or not at all."""

import hashlib
import json

import pytest

from alo_operator.api.conditions import FailureType, Reason
from alo_operator.api.model import to_wire
from alo_operator.api.phases import Phase
from alo_operator.desired.outcome import CUT_MARGIN, MESSAGE_BYTES, POD_MESSAGES_BYTES, succeeded
from alo_operator.desired.results import read_result
from tests.support.builders import at, make_job, make_pod

COMPLETE = make_job().completed(at(5)).view()


@pytest.mark.parametrize(
    ("message", "value"),
    [
        ("1", 1),
        ("-0.5e2", -50.0),
        ("true", True),
        ('"text"', "text"),
        (' {"a": [1, null, {}]} \n', {"a": [1, None, {}]}),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("[" * 63 + "]" * 63, json.loads("[" * 63 + "]" * 63)),
        ('{"a": 1, "a": 2}', {"a": 2}),
    ],
)
def test_what_parses_as_json_is_the_value(message, value):
    """Any JSON value may be a result, surrounding blanks or not."""
    found = read_result(message)

    assert (found.value, found.content_type) == (value, "application/json")


@pytest.mark.parametrize(
    "message",
    [
        "done",
        "{'a': 1}",
        '{"a": 1} trailing',
        "NaN",
        "[1, Infinity]",
        '{"a": -Infinity}',
        "1e999",
        "[-1e999]",
        "9223372036854775808",
        '{"deep": [12345678901234567890123]}',
        "[" * 65 + "]" * 65,
        "[" * 4000,
        "9" * 4000,
        " ",
        "\ufeff1",
    ],
    ids=lambda message: message[:30],
)
def test_everything_else_is_text_as_it_stands(message):
    """What is no JSON, or what the API server would not keep digit for digit, is handed over as the text it is."""
    found = read_result(message)

    assert (found.value, found.content_type) == (message, "text/plain")


def test_json_null_is_a_result_of_four_bytes():
    """The value is absent on the wire then, and the size tells it from no result."""
    assert to_wire(read_result("null")) == {
        "contentType": "application/json",
        "bytes": 4,
        "sha256": hashlib.sha256(b"null").hexdigest(),
    }


@pytest.mark.promise("RESULT-3")
def test_size_and_digest_are_of_the_bytes_the_worker_wrote():
    """Not of the parsed value, so a caller can compare with what the worker kept."""
    found = read_result('{"ü": 1}')

    assert found.bytes == len('{"ü": 1}'.encode())
    assert found.sha256 == hashlib.sha256('{"ü": 1}'.encode()).hexdigest()


@pytest.mark.parametrize("message", ['"\\ud800"', '["\\udc00"]', '{"\\udfff": 1}', '{"a": ["\\ud800\\ud800"]}'])
def test_half_a_surrogate_pair_makes_a_text(message):
    """JSON can spell what no text can hold and no API server keeps; the spelling itself is handed over."""
    found = read_result(message)

    assert (found.value, found.content_type) == (message, "text/plain")
    assert json.loads(json.dumps(to_wire(found)).encode())["value"] == message


def test_a_whole_surrogate_pair_is_a_character():
    """Escaped emoji are as good as written ones."""
    assert read_result('"\\ud83d\\ude00"').value == "\U0001f600"


def test_a_null_inside_a_result_is_kept():
    """Only fields of the API are left out where they are absent."""
    assert to_wire(read_result('{"a": null}'))["value"] == {"a": None}


@pytest.mark.promise("RESULT-2")
@pytest.mark.parametrize("containers", [1, 2, 3, 4, 6, 12])
def test_a_message_near_the_kubelets_limit_is_never_taken_for_a_whole_one(containers):
    """The limit shrinks with the number of containers; up to three bytes below it a message may be a cut one."""
    room = min(MESSAGE_BYTES, POD_MESSAGES_BYTES // containers)
    names = ["main", *(f"c{number}" for number in range(containers - 1))]

    whole = succeeded(COMPLETE, (make_pod().containers(*names).succeeded("x" * (room - CUT_MARGIN - 1)).view(),))
    assert whole.result.bytes == room - 4

    for size in (room - CUT_MARGIN, room):
        cut = succeeded(COMPLETE, (make_pod().containers(*names).succeeded("x" * size).view(),))
        assert (cut.phase, cut.reason, cut.result) == (Phase.FAILED, Reason.RESULT_TOO_LARGE, None)
        assert cut.failure.type == FailureType.WORKER
        assert f"{room} bytes" in cut.message
        assert f"at most {room - 4} bytes" in cut.message


def test_init_containers_share_the_room():
    """The kubelet counts them too."""
    pod = make_pod().containers("main", "sidecar", init=["a", "b"]).succeeded("x" * 3070)

    assert succeeded(COMPLETE, (pod.view(),)).reason is Reason.RESULT_TOO_LARGE


def test_sizes_are_bytes_and_not_characters():
    """1364 characters of three bytes are four bytes short of the limit; one character more may be cut in its middle."""
    fits = make_pod().succeeded("€" * 1364)
    cut = make_pod().succeeded("€" * 1365)

    assert succeeded(COMPLETE, (fits.view(),)).result.bytes == 4092
    assert succeeded(COMPLETE, (cut.view(),)).reason is Reason.RESULT_TOO_LARGE


def test_only_the_worker_gives_the_result():
    """A sidecar's last words are not the answer."""
    pod = make_pod().containers("main", "sidecar").succeeded("")
    pod.exited("sidecar", 0, "Completed", '"not me"')

    assert succeeded(COMPLETE, (pod.view(),)).result is None


def test_a_worker_named_by_the_annotation_gives_the_result():
    """kubectl's default-container annotation says which container does the work."""
    pod = make_pod().containers("proxy", "work").worker_is("work").status(phase="Succeeded")
    pod.exited("proxy", 0, "Completed", "1").exited("work", 0, "Completed", "2")

    assert succeeded(COMPLETE, (pod.view(),)).result.value == 2


def test_an_annotation_that_names_no_container_leaves_the_first():
    """A typo there does not lose the result."""
    pod = make_pod().worker_is("typo").succeeded("3")

    assert succeeded(COMPLETE, (pod.view(),)).result.value == 3


def test_a_container_that_failed_gives_no_result():
    """In a pod that succeeded all the same, its words are not a result."""
    pod = make_pod().status(phase="Succeeded").exited("main", 1, "Error", '"half"')

    assert succeeded(COMPLETE, (pod.view(),)).result is None
