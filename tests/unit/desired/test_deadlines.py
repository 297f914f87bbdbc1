"""The three timeouts: from when each counts, and what a pause does to it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from alo_operator.api.conditions import Reason
from alo_operator.api.phases import Phase
from alo_operator.desired.deadlines import Deadline, backstop, next_deadline
from alo_operator.desired.plan import plan
from alo_operator.desired.steps import DeleteJob, PostEvent, WatchPods, WriteStatus
from tests.support.builders import at, make_job, make_observed, make_operation
from tests.support.plans import kinds, states, written

LATE = Reason.SCHEDULE_TO_START_TIMEOUT
LONG = Reason.START_TO_CLOSE_TIMEOUT
OVER = Reason.SCHEDULE_TO_CLOSE_TIMEOUT


def limited(start=None, work=None, whole=None):
    limits = {"scheduleToStart": start, "startToClose": work, "scheduleToClose": whole}
    return make_operation().spec(timeouts={key: value for key, value in limits.items() if value})


def held(operation, reason="Paused"):
    """A pause is on record, of work that has started at NOON + 1."""
    status = operation.body()["status"]
    condition = {"type": "Suspended", "status": "True", "reason": reason, "lastTransitionTime": "2026-03-01T12:00:30Z"}
    return operation.status(conditions=[*status["conditions"], condition])


@pytest.mark.promise("TIME-1", "TIME-3")
@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (make_operation(), None),
        (limited(), None),
        (limited(start="1h30m"), Deadline(at(5400), LATE)),
        (limited(work="10s"), None),
        (limited(whole="60s"), Deadline(at(60), OVER)),
        (limited(start="20s", whole="60s"), Deadline(at(20), LATE)),
        (limited(start="60s", whole="20s"), Deadline(at(20), OVER)),
        (limited(start="20s").spec(suspend=True), Deadline(at(20), LATE)),
    ],
    ids=["no timeouts", "empty", "start", "work", "whole", "start first", "whole first", "paused"],
)
def test_before_the_start_only_two_limits_count_from_the_creation(operation, expected):
    """Not from when anybody first saw the operation, and a pause before the start stops neither."""
    found = next_deadline(operation.view(), started=False)

    assert found == expected


def test_the_longest_limit_can_be_reckoned():
    """The grammar's longest duration is a century and a half."""
    operation = limited(start="999999h999999m999999999s")

    assert next_deadline(operation.view(), started=False).moment.year == 2173


def test_a_start_nobody_has_written_down_yet_meets_the_start_limit():
    """The Job says so before status does."""
    assert next_deadline(limited(start="20s").view(), started=True) is None


def test_running_work_has_until_its_limit_from_its_start():
    """scheduleToStart is over with the start; startToClose counts from it."""
    operation = limited(start="20s", work="1m", whole="1h").started(at(10))

    assert next_deadline(operation.view(), started=False) == Deadline(at(70), LONG)


@pytest.mark.parametrize("reason", ["Pausing", "Paused"])
def test_a_pause_holds_the_time_to_work_and_nothing_else(reason):
    """From the moment a pause is recorded startToClose does not count; scheduleToClose always does."""
    assert next_deadline(held(limited(work="1m").started(at(1)), reason).view(), started=True) is None
    operation = held(limited(work="1m", whole="2m").started(at(1)), reason)
    assert next_deadline(operation.view(), started=True) == Deadline(at(120), OVER)


@pytest.mark.promise("TIME-2")
def test_the_time_to_work_counts_anew_from_each_start():
    """The first start stays in startTime; the limit looks at the last transition of Started."""
    operation = limited(work="1m").started(at(500)).status(startTime="2026-03-01T12:00:01Z")

    assert next_deadline(operation.view(), started=True) == Deadline(at(560), LONG)


def test_a_limit_beyond_all_years_is_none():
    """Whoever asks for more than the calendar has gets what they mean."""
    view = replace(limited(whole="999999h").view(), created=datetime(9990, 1, 1, tzinfo=UTC))

    assert next_deadline(view, started=False) is None


@pytest.mark.parametrize(
    ("operation", "seconds"),
    [
        (limited(start="10m", work="1h"), 600 + 3600 + 60),
        (limited(start="10m"), None),
        (limited(work="1h"), None),
        (limited(whole="1h"), None),
        (make_operation(), None),
    ],
    ids=["both", "start alone", "work alone", "whole alone", "none"],
)
def test_the_backstop_needs_both_limits(operation, seconds):
    """The Job's clock starts with the Job, so it has to cover waiting and working, and a minute more."""
    assert backstop(operation.view().timeouts) == seconds


@pytest.mark.parametrize(
    ("operation", "moment", "reason", "words"),
    [
        (limited(work="1m").started(at(10)), at(70), LONG, "took longer than 1m (timeouts.startToClose)"),
        (limited(whole="1m").started(at(10)), at(60), OVER, "not over within 1m (timeouts.scheduleToClose)"),
    ],
    ids=[LONG, OVER],
)
def test_late_work_is_stopped_down_the_ladder_and_ends_as_timed_out(operation, moment, reason, words):
    """Recorded, listened to, deleted; and the answer names the limit that passed."""
    decided = plan(make_observed(operation, make_job().ready()), moment)

    assert kinds(decided) == [WriteStatus, WatchPods, DeleteJob]
    assert (written(decided).phase, written(decided).cancellation.reason) == (Phase.CANCELLING, reason)
    operation.having(written(decided)).with_finalizer()
    gone = make_observed(operation, make_job().deleting(moment), [], job_gone=True)
    status = written(plan(gone, moment))
    assert (status.phase, status.failure.type, status.failure.reason) == (Phase.TIMED_OUT, "TimedOut", reason)
    assert words in status.failure.message
    assert status.failure.retryable


def test_work_is_left_alone_until_the_last_moment():
    """A second before the limit nothing is due but to wake at it."""
    operation = limited(work="1m").started(at(10)).status(observedGeneration=1)

    decided = plan(make_observed(operation, make_job().ready()), at(69))

    assert (decided.steps, decided.wake) == ((), at(70))


@pytest.mark.promise("TIME-1")
def test_a_pause_before_the_start_ends_with_the_start_limit():
    """No Job is ever made; the message says what it was waiting for, and who asked is on record."""
    operation = limited(start="30s").spec(suspend=True)
    paused = plan(make_observed(operation), at(1))
    operation.having(written(paused))
    assert plan(make_observed(operation), at(2)).wake == at(30)

    decided = plan(make_observed(operation), at(30))

    assert kinds(decided) == [WriteStatus, PostEvent]
    status = written(decided)
    assert (status.phase, status.failure.reason) == (Phase.TIMED_OUT, LATE)
    assert "paused by spec.suspend" in status.failure.message
    assert (status.cancellation.source, status.cancellation.reason) == ("Timeout", LATE)
    assert "Suspended" not in states(status)


def test_a_timeout_recorded_in_unknown_words_can_still_be_settled():
    """A newer operator may know more timeouts; after a rollback its operations settle too."""
    operation = limited(whole="1m").started(at(1)).cancelling(at(60), "Timeout", "HeartbeatTimeout")

    status = written(plan(make_observed(operation, make_job().deleting(at(60)), [], job_gone=True), at(61)))

    assert status.phase is Phase.TIMED_OUT


@pytest.mark.promise("TIME-5")
def test_the_end_by_the_backstop_is_a_timeout_too():
    """No operator was there in time; the Job's own deadline is told as what it stands for."""
    operation = limited(start="10m", work="1h").started(at(1))

    status = written(plan(make_observed(operation, make_job().failed(at(4300), "DeadlineExceeded"), []), at(9000)))

    assert (status.phase, status.failure.reason) == (Phase.TIMED_OUT, LONG)
    assert "no operator was there" in status.failure.message
