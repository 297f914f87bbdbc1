"""The polling function."""

import pytest

from tests.support.waiting import NotInTime, stays, wait_for


def test_waiting_returns_what_the_condition_found():
    """The first true value is handed on."""
    answers = iter([None, 0, "found"])

    assert wait_for(lambda: next(answers), timeout=5, interval=0.001) == "found"


def test_a_failed_assertion_is_not_yet():
    """A condition may assert; its words are in the final message."""

    def condition():
        assert False, "still two left"  # noqa: B011, PT015

    with pytest.raises(NotInTime, match=r"not within 0\.01 s: nothing is left; last seen: still two left"):
        wait_for(condition, timeout=0.01, describe=lambda: "nothing is left", interval=0.001)


def test_other_errors_pass_through():
    """A mistake in the condition is reported as itself, at once."""
    with pytest.raises(ZeroDivisionError):
        wait_for(lambda: 1 / 0, timeout=60)


def test_a_lapse_ends_the_watch():
    """`stays` fails at the first false answer."""
    answers = iter([True, True, False])

    with pytest.raises(AssertionError, match="did not stay so for 60 s: it is there"):
        stays(lambda: next(answers), seconds=60, describe="it is there", interval=0.001)
