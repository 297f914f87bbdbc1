"""Results as workers hand them in: what they are, and where they are kept."""

import base64
import json

import pytest

from alo_operator.api.model import to_wire
from alo_operator.desired.results import read_handed, result_of
from alo_operator.errors import ReportRefused

LIMIT = 4 * 1024


@pytest.mark.parametrize("said", ["", "application/octet-stream", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize(
    ("raw", "value", "kind"),
    [
        (b'{"a": [1, null]}', {"a": [1, None]}, "application/json"),
        (b"null", None, "application/json"),
        (b"all is well\n", "all is well\n", "text/plain"),
        (b"", "", "text/plain"),
        (b"NaN", "NaN", "text/plain"),
        (b"[" * 100 + b"]" * 100, "[" * 100 + "]" * 100, "text/plain"),
        (b"9" * 5000, None, "application/json"),
        (b"12345678901234567890", "12345678901234567890", "text/plain"),
    ],
)
def test_what_nobody_named_is_judged_by_its_looks(said, raw, value, kind):
    """JSON where the API server keeps it as it is, else text; as with $ALO_RESULT_FILE."""
    found = read_handed(raw, said)

    assert (found.value, found.content_type) == (value, kind)
    assert found.inline is (len(raw) <= LIMIT)


@pytest.mark.parametrize(
    ("raw", "said", "inline"),
    [
        (b'{"a": 1}', "application/json", True),
        (b'{"a": 1}', "Application/JSON; charset=utf-8", True),
        (b'{"a": 1}', "application/geo+json", True),
        (b"12345678901234567890", "application/json", False),
        (b"[" * 100 + b"]" * 100, "application/json", False),
        (b"[" * 100_000 + b"]" * 100_000, "application/json", False),
        (b"a,b\n1,2\n", "text/csv", True),
        (b"\xff\xfe", "text/csv", False),
        (b"\x89PNG", "image/png", False),
        (b"plain", "application/x-tar", False),
        (b"x" * (LIMIT + 1), "text/plain", False),
        (b"x" * LIMIT, "text/plain", True),
    ],
)
def test_what_is_named_keeps_its_name(raw, said, inline):
    """Status shows what it can show unchanged; anything else has an object of its own."""
    found = read_handed(raw, said)

    assert (found.content_type, found.inline) == (said, inline)


def test_bytes_that_are_no_text_have_an_object_of_their_own():
    """However few they are."""
    found = read_handed(b"\xff\x00", "")

    assert (found.content_type, found.inline) == ("application/octet-stream", False)
    assert found.content() == {"binaryData": {"result": "/wA="}}


@pytest.mark.parametrize(
    ("raw", "said", "words"),
    [
        (b"{", "application/json", "the body is no JSON"),
        (b"\xff", "application/json", "the body is no JSON"),
        (b"NaN", "application/json", "the body is no JSON"),
        (b"--x", "multipart/form-data; boundary=x", "--data-binary"),
        (b"x", "text/" + "x" * 300, "longer than 255"),
        (b"x", "text/plain\x7f", "not ASCII"),
    ],
)
def test_what_is_not_what_it_says_is_refused(raw, said, words):
    """A value that nobody could read is worse than none."""
    with pytest.raises(ReportRefused, match=words) as error:
        read_handed(raw, said)

    assert error.value.reason == "InvalidReport"


def test_an_object_is_never_larger_than_its_request_may_be():
    """JSON writes control characters with six bytes; 900 KiB of them go in base64."""
    assert read_handed("ü".encode() * 450 * 1024, "").content()["data"]["result"] == "ü" * 450 * 1024
    raw = b"\x01" * 900 * 1024

    content = read_handed(raw, "").content()

    assert base64.b64decode(content["binaryData"]["result"]) == raw
    assert len(json.dumps(content)) < 2 * 1024 * 1024


def test_status_says_what_was_handed_in_and_where_it_is():
    """The value or where it is, never both; it becomes the result as it is."""
    small, large = read_handed(b'{"a": null}', "").reported("pod", "cm"), read_handed(b"\xff", "").reported("pod", "cm")

    assert to_wire(small) == {
        "attempt": "pod",
        "value": {"a": None},
        "bytes": 11,
        "sha256": "a8c7a7e1a4b5f4a7",
        "contentType": "application/json",
    } | {"sha256": small.sha256}
    assert to_wire(large)["ref"] == {"kind": "ConfigMap", "name": "cm", "key": "result"}
    assert "value" not in to_wire(large)
    assert to_wire(result_of(large)) == {k: v for k, v in to_wire(large).items() if k != "attempt"}
    assert to_wire(result_of(small, partial=True))["partial"] is True
