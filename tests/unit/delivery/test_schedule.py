"""When a message is sent again."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alo_operator.delivery.schedule import Schedule

SECOND = timedelta(seconds=1)


@pytest.mark.promise("DELIVERY-7")
def test_the_pauses_grow_over_about_three_days():
    """Ten attempts; the last one three to four days after the first."""
    pauses = [Schedule.DEFAULT.delay(n, "seed") for n in range(1, 11)]

    assert pauses[-1] is None
    assert pauses[:-1] == sorted(pauses[:-1])
    assert timedelta(days=2.4) < sum(pauses[:-1], timedelta()) < timedelta(days=3.8)
    assert str(Schedule.DEFAULT) == "5s,5m,30m,2h,5h,10h,14h,20h,24h"


def test_the_first_attempt_is_immediate():
    """Before any has failed there is nothing to wait for."""
    assert Schedule.DEFAULT.delay(0, "seed") == timedelta(0)


@given(st.text(), st.integers(1, 9))
def test_a_pause_is_spread_by_a_fifth_and_always_the_same(seed, attempts):
    """A process that was restarted comes to the same time as the one before it."""
    step = Schedule.DEFAULT.delays[attempts - 1]
    pause = Schedule.DEFAULT.delay(attempts, seed)

    assert pause == Schedule.DEFAULT.delay(attempts, seed)
    assert 0.8 * step <= pause <= 1.2 * step


def test_different_messages_come_back_at_different_times():
    """The pauses of a thousand messages fill the whole of their range evenly."""
    pauses = sorted(Schedule.DEFAULT.delay(1, f"message {n}") / SECOND for n in range(1000))

    assert pauses[0] < 4.05
    assert pauses[-1] > 5.95
    assert all(4.0 + n * 0.2 - 0.15 < pauses[n * 100] < 4.0 + n * 0.2 + 0.15 for n in range(10))


@pytest.mark.promise("DELIVERY-8")
@pytest.mark.parametrize(
    ("asked", "seconds"),
    [(60, 60), (0.5, None), (0, None), (-3, None), (None, None), (float("nan"), None), (1e9, 86_400)],
)
def test_a_pause_is_never_shorter_than_the_receiver_asked_for(asked, seconds):
    """Up to a day; less than the pause itself changes nothing."""
    pause = Schedule.DEFAULT.delay(1, "seed", asked)

    assert pause == (Schedule.DEFAULT.delay(1, "seed") if seconds is None else timedelta(seconds=seconds))


def test_an_exhausted_schedule_is_not_prolonged_by_retry_after():
    """After the last attempt nothing follows, whatever the receiver asked for."""
    assert Schedule.parse("1s").delay(2, "seed", 60) is None


@given(st.text(), st.integers(0, 12))
def test_what_remains_is_never_exceeded(seed, attempts):
    """All pauses from here on together stay within what was said to remain."""
    pauses = [Schedule.DEFAULT.delay(n, seed) or timedelta() for n in range(attempts, 12)]

    assert sum(pauses, timedelta()) <= Schedule.DEFAULT.remaining(attempts)


def test_nothing_remains_at_the_end():
    """Once every pause has been used."""
    assert Schedule.parse("5s,10s").remaining(0) == Schedule.parse("5s,10s").remaining(1) == 18 * SECOND
    assert Schedule.parse("5s,10s").remaining(2) == 12 * SECOND
    assert Schedule.parse("5s,10s").remaining(3) == timedelta(0)


@pytest.mark.parametrize("text", ["1s,1s", " 5s , 5m ", "0", ",".join(["720h"] * 32)])
def test_a_schedule_is_read_as_written(text):
    """With spaces or without; writing it down again keeps it."""
    schedule = Schedule.parse(text)

    assert Schedule.parse(str(schedule)) == schedule
    assert len(schedule.delays) == text.count(",") + 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "at least one pause"),
        ("  ", "at least one pause"),
        ("5s,", "'' is not a duration"),
        ("5s;5m", "'5s;5m' is not a duration"),
        ("5s,soon", "'soon' is not a duration"),
        ("1d", "as in 1h30m"),
        ("721h", "721h is longer than 720h"),
        (",".join(["1s"] * 33), "at most 32 pauses, and this one has 33"),
    ],
)
def test_a_wrong_schedule_is_refused_by_what_is_wrong(text, problem):
    """The message names the pause that cannot be read."""
    with pytest.raises(ValueError, match=problem):
        Schedule.parse(text)
