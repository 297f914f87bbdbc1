"""Log lines for people and for machines."""

import json
import logging
import sys

import pytest

from alo_operator.effects.logs import JsonFormatter, TextFormatter


def record(message="operation is Succeeded", error=None, **extra):
    made = logging.makeLogRecord(
        {"name": "alo_operator.controller.pool", "levelno": 20, "levelname": "INFO", "msg": message, "created": 1.5}
    )
    if error:
        try:
            raise error
        except type(error):
            made.exc_info = sys.exc_info()
    vars(made).update(extra)
    return made


def test_a_line_for_machines_is_one_json_object():
    """With the fields given as extra beside it."""
    line = JsonFormatter().format(record(operation="media/resize", retry_s=0.2))

    assert json.loads(line) == {
        "time": "1970-01-01T00:00:01.500000Z",
        "level": "info",
        "logger": "alo_operator.controller.pool",
        "message": "operation is Succeeded",
        "operation": "media/resize",
        "retry_s": 0.2,
    }


def test_a_line_for_people_shows_the_fields_after_the_words():
    """Short time, level, message, pairs."""
    assert TextFormatter().format(record(operation="media/resize")) == (
        "00:00:01.500 INFO    operation is Succeeded  operation=media/resize"
    )


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_the_frameworks_own_fields_are_left_out(formatter):
    """They repeat what ours say, at length."""
    assert "secret" not in formatter.format(record(k8s_ref="secret", settings="secret", k8s_skip="secret"))


def test_a_traceback_stays_inside_its_line_for_machines():
    """A collector that reads line by line gets it whole."""
    line = JsonFormatter().format(record(error=ValueError("broken\nin two")))

    assert "\n" not in line
    assert "ValueError: broken" in json.loads(line)["exception"]


def test_a_traceback_follows_its_line_for_people():
    """As everybody is used to."""
    first, *rest = TextFormatter().format(record(error=ValueError("broken"))).splitlines()

    assert first.endswith("operation is Succeeded")
    assert rest[-1] == "ValueError: broken"


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", "line\nbreak"])
def test_no_field_can_break_a_line_for_machines(value):
    """What is no JSON is written as text."""
    line = JsonFormatter().format(record(field=value))

    assert "\n" not in line
    assert "field" in json.loads(line)
