"""What a worker says of its progress, and how it is shown."""

import json

import pytest

from alo_operator.api.model import to_wire
from alo_operator.desired.progress import complete, heartbeat, read_progress
from alo_operator.errors import ReportRefused
from tests.support.builders import NOON, at


def shown(**said):
    return to_wire(read_progress(json.dumps(said).encode(), NOON))


@pytest.mark.parametrize(
    ("said", "summary"),
    [
        ({"done": 3, "total": 10}, "3/10"),
        ({"done": 3, "total": 10, "percent": 25}, "3/10"),
        ({"percent": 40}, "40%"),
        ({"percent": 40.9}, "40%"),
        ({"done": 3}, "3"),
        ({"done": 3, "unit": "files"}, "3 files"),
        ({"done": 0, "total": 0}, "0"),
        ({"message": "reading\n the  index"}, "reading the index"),
        ({"message": "x" * 40}, "x" * 31 + "…"),
        ({"percent": 0}, "0%"),
        ({"total": 10}, None),
    ],
)
def test_the_summary_fits_a_column(said, summary):
    """At most 32 characters, made of what says most."""
    assert shown(**said).get("summary") == summary


def test_the_percentage_follows_from_the_counters():
    """Where the worker gives none itself; more than all is all."""
    assert shown(done=1, total=3)["percent"] == 33
    assert shown(done=5, total=3)["percent"] == 100
    assert shown(done=1, total=3, percent=50)["percent"] == 50
    assert "percent" not in shown(done=1, total=0)


def test_a_report_is_kept_as_it_was_said():
    """With the time at which it came."""
    assert shown(done=3, total=10, unit="files", message="copying ☃") == {
        "done": 3,
        "total": 10,
        "percent": 30,
        "unit": "files",
        "message": "copying ☃",
        "summary": "3/10",
        "updateTime": "2026-03-01T12:00:00Z",
    }


@pytest.mark.parametrize("body", [b"", b"  ", b"{}", b'{"done": null, "message": null}'])
def test_nothing_said_is_a_heartbeat(body):
    """What was shown before stays, with a new time."""
    before = read_progress(b'{"percent": 40}', NOON)

    assert read_progress(body, at(5)) is None
    assert heartbeat(before, at(5)) == before.model_copy(update={"update_time": at(5)})
    assert to_wire(heartbeat(None, at(5))) == {"updateTime": "2026-03-01T12:00:05Z"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"40%", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"40", "not a JSON object"),
        (b'["done"]', "not a JSON object"),
        (b'{"percent": 101}', "percent is a number from 0 to 100"),
        (b'{"percent": -1}', "percent is a number"),
        (b'{"percent": "40"}', "percent is a number"),
        (b'{"percent": true}', "percent is a number"),
        (b'{"percent": NaN}', "percent is a number"),
        (b'{"done": -3}', "done is a number from 0"),
        (b'{"total": 1e400}', "total is a number"),
        (b'{"total": 9007199254740993}', "total is a number"),
        (b'{"unit": 3}', "unit is a string"),
        (b'{"unit": "%s"}' % (b"x" * 129), "unit has at most 128 characters"),
        (b'{"message": {}}', "message is a string"),
        (b'{"prcent": 3}', "progress has no field 'prcent'; it has percent, done, total, unit, message"),
    ],
)
def test_what_is_wrong_is_named(body, words):
    """The field, and what may stand there."""
    with pytest.raises(ReportRefused) as error:
        read_progress(body, NOON)

    assert error.value.reason == "InvalidReport"
    assert words in error.value.message
    assert len(error.value.message) < 200


def test_a_long_message_is_cut():
    """It is for people; a worker need not count its letters. Halves of characters become question marks."""
    assert len(shown(message="x" * 5000)["message"]) == 1024
    assert read_progress(b'{"message": "\\ud800"}', NOON).message == "?"


@pytest.mark.parametrize(
    ("said", "expected"),
    [({"done": 3, "total": 3}, True), ({"percent": 100}, True), ({"done": 1, "total": 3, "percent": 100}, False)],
)
def test_when_all_is_done(said, expected):
    """By the counters where there are any."""
    assert complete(read_progress(json.dumps(said).encode(), NOON)) is expected
    assert not complete(None)
