"""A destination that is down is asked now and then by one message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alo_operator.delivery.breaker import LONGEST, LONGEST_PAUSE, PROBE_LEASE, THRESHOLD, Breaker


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(THRESHOLD):
        breaker.failed(now, 0.0)
    return breaker


def test_a_new_one_lets_everything_through():
    """Nothing is known against the destination."""
    breaker = Breaker()

    assert breaker.held(0) is None
    assert all(breaker.admit(0) for _ in range(100))
    assert breaker.at_rest(0)


def test_it_opens_after_five_failures_in_a_row():
    """One success in between starts the count anew."""
    breaker = Breaker()
    for _ in range(THRESHOLD - 1):
        breaker.failed(0, 0.0)
    breaker.succeeded(0)
    for _ in range(THRESHOLD - 1):
        breaker.failed(0, 0.0)

    assert breaker.held(0) is None
    assert not breaker.at_rest(0)
    breaker.failed(0, 0.0)
    assert breaker.held(0) == 10.0
    assert not breaker.admit(9.9)


def test_one_probe_goes_through_and_the_others_wait_for_it():
    """Asking whether it is held changes nothing; being admitted does."""
    breaker = opened()

    assert breaker.held(10) is None
    assert breaker.held(10) is None
    assert breaker.admit(10)
    assert not breaker.admit(10)
    assert 0 < breaker.held(10) <= 5


def test_a_probe_that_gets_through_closes_it():
    """From then on everybody goes, and the next trouble begins at ten seconds again."""
    breaker = opened()
    assert breaker.admit(10)
    breaker.succeeded(11)

    assert breaker.at_rest(11)
    assert not breaker.is_open
    assert all(breaker.admit(11) for _ in range(3))
    for _ in range(THRESHOLD):
        breaker.failed(12, 0.0)
    assert breaker.held(12) == 10.0


def test_a_destination_is_down_from_its_opening_until_a_probe_gets_through():
    """Failed probes between do not begin it anew."""
    breaker = opened()
    assert breaker.down_since == 0
    assert breaker.admit(10)
    breaker.failed(11, 0.0)
    assert breaker.down_since == 0
    breaker.succeeded(40)
    assert breaker.down_since is None


def test_each_failed_probe_doubles_the_wait_up_to_five_minutes():
    """However long the destination is down."""
    breaker, now, waits = opened(), 0.0, []
    for _ in range(2000):
        waits.append(breaker.held(now))
        now += waits[-1]
        assert breaker.admit(now)
        breaker.failed(now, 0.0)

    assert waits[:7] == [10, 20, 40, 80, 160, 300, 300]
    assert set(waits[7:]) == {LONGEST}


def test_failures_of_those_on_their_way_are_counted_once():
    """Sixteen attempts that end together open it for ten seconds, not for hours."""
    breaker = Breaker()
    for n in range(16):
        breaker.failed(n / 100, 0.0)

    assert breaker.held(0.04) == 10.0


def test_a_success_of_one_on_its_way_closes_it():
    """It has answered, so it is not down."""
    breaker = opened()
    breaker.succeeded(1)

    assert breaker.held(1) is None


@pytest.mark.parametrize("how", ["abandoned", "lost", "paused"])
def test_a_probe_without_an_outcome_does_not_hold_the_rest_for_ever(how):
    """It was broken off here, was never heard of again, or brought back only a wish to be left alone."""
    breaker = opened()
    assert breaker.admit(10)
    if how == "abandoned":
        breaker.abandoned(11)
    if how == "paused":
        breaker.pause(11, 3)

    later = {"abandoned": 11, "lost": 10 + PROBE_LEASE, "paused": 14}[how]
    assert breaker.admit(later)
    assert not breaker.admit(later)


def test_a_pause_holds_everybody_and_no_success_lifts_it():
    """Retry-After is about the time, not about being down; an hour is the most."""
    breaker = Breaker()
    breaker.pause(0, 30)
    breaker.succeeded(1)
    breaker.pause(1, 5)

    assert breaker.held(1) == 29
    assert not breaker.at_rest(1)
    assert breaker.held(30) is None
    assert breaker.at_rest(30)
    breaker.pause(30, 1e9)
    assert breaker.held(30) == LONGEST_PAUSE


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_pause_of_nothing_is_none(seconds):
    """Whatever the receiver wrote into the header."""
    breaker = Breaker()
    breaker.pause(0, seconds)

    assert breaker.held(0) is None


@given(st.floats(0, 1, exclude_max=True))
def test_the_spread_only_shortens_the_wait(jitter):
    """By at most a fifth, so that replicas and destinations do not come back in step."""
    breaker = Breaker()
    for _ in range(THRESHOLD):
        breaker.failed(0, jitter)

    assert 8 <= breaker.held(0) <= 10


steps = st.tuples(
    st.sampled_from(["admit", "succeeded", "failed", "abandoned", "pause"]), st.floats(0, 400), st.floats(0, 0.99)
)


@given(st.lists(steps, max_size=60))
def test_whatever_happens_it_is_asked_again(history):
    """Any sequence leaves a wait that ends, and at its end somebody is admitted."""
    breaker, now = Breaker(), 0.0
    for what, passed, jitter in history:
        now += passed
        match what:
            case "failed":
                breaker.failed(now, jitter)
            case "pause":
                breaker.pause(now, jitter * 5000)
            case _:
                getattr(breaker, what)(now)
    end = now + LONGEST_PAUSE + PROBE_LEASE
    while (wait := breaker.held(now)) is not None:
        assert wait > 0
        now += wait
        assert now <= end

    assert breaker.admit(now)
