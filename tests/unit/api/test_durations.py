"""The grammar of durations."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alo_operator.api.durations import (
    DURATION_MAX_LENGTH,
    DURATION_MIN_LENGTH,
    DURATION_PATTERN,
    format_duration,
    parse_duration,
)

LONGEST = timedelta(hours=999_999, minutes=59, seconds=59)


def accepted_by_the_schema(text: str) -> bool:
    fits = DURATION_MIN_LENGTH <= len(text) <= DURATION_MAX_LENGTH
    return fits and re.fullmatch(DURATION_PATTERN.removeprefix("^").removesuffix("$"), text) is not None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("90s", 90),
        ("10m", 600),
        ("1h30m", 5400),
        ("2h5s", 7205),
        ("720h", 2_592_000),
        ("999999h999999m999999999s", 999_999 * 3600 + 999_999 * 60 + 999_999_999),
    ],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, seconds: int) -> None:
    """Hours, minutes and seconds add up, and no part is capped at the next unit."""
    assert accepted_by_the_schema(text)
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "1", "1d", "1.5h", "-1s", "+1s", "5s1m", "1m1h", "1h 5m", " 1h", "1h\n", "1H", "1000000h", "00", "٣s"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    """What the schema refuses is refused here too, and the error shows how to write a duration."""
    assert not accepted_by_the_schema(text)
    with pytest.raises(ValueError, match="as in 1h30m"):
        parse_duration(text)


@given(st.timedeltas(timedelta(0), LONGEST))
def test_every_length_survives_being_written(length: timedelta) -> None:
    """Writing and reading loses only parts of a second, and what is written passes the schema."""
    text = format_duration(length)

    assert accepted_by_the_schema(text)
    assert parse_duration(text) == timedelta(seconds=length // timedelta(seconds=1))


def parts(unit: str, digits: int) -> st.SearchStrategy[str]:
    return st.just("") | st.text("0123456789", min_size=1, max_size=digits).map(lambda count: count + unit)


@given(st.tuples(parts("h", 6), parts("m", 6), parts("s", 9)).map("".join).filter(bool))
def test_whatever_the_schema_accepts_can_be_read(text: str) -> None:
    """Every text of the grammar is a length, and writing that length anew keeps it."""
    length = parse_duration(text)

    assert accepted_by_the_schema(text)
    if length <= LONGEST:
        assert parse_duration(format_duration(length)) == length


@pytest.mark.parametrize(
    ("length", "problem"),
    [(timedelta(microseconds=-1), "negative"), (timedelta(hours=1_000_000), "999999 hours")],
)
def test_a_length_outside_the_grammar_is_refused(length: timedelta, problem: str) -> None:
    """Lengths that cannot be written raise an error that says why."""
    with pytest.raises(ValueError, match=problem):
        format_duration(length)
