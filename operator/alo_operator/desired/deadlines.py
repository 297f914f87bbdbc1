"""When time alone changes what should be done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from alo_operator.api.conditions import ConditionType, Reason
from alo_operator.api.durations import parse_duration
from alo_operator.api.spec import Timeouts
from alo_operator.api.status import Condition, ConditionStatus, OperationStatus
from alo_operator.desired.observed import OperationView

# How much later than our own timeouts the Job's deadline ends work that no operator is there to end.
BACKSTOP_MARGIN: Final = timedelta(seconds=60)


class Deadline(NamedTuple):
    """A moment at which the work is to be stopped, and the timeout that says so."""

    moment: datetime
    reason: Reason


def next_deadline(operation: OperationView, *, started: bool) -> Deadline | None:
    """The earliest deadline in force; `started`: whether the work has begun, as far as anybody has seen.

    scheduleToStart counts from the creation until the first start, pauses or not; startToClose from each start, not
    while paused; scheduleToClose from the creation, whatever happens.
    """
    return min(_deadlines(operation, started=started), default=None)


def backstop(timeouts: Timeouts) -> int | None:
    """`activeDeadlineSeconds` of the Job: ends the work where no operator is left to do it; None: no limit.

    The Job's clock starts with the Job and not with its pod, so it covers both timeouts and a margin.
    """
    if not timeouts.schedule_to_start or not timeouts.start_to_close:
        return None
    whole = parse_duration(timeouts.schedule_to_start) + parse_duration(timeouts.start_to_close) + BACKSTOP_MARGIN
    return int(whole.total_seconds())


def too_late(timeouts: Timeouts, reason: Reason) -> str:
    """The sentence for the timeout that passed; any other reason counts as scheduleToClose."""
    if reason is Reason.SCHEDULE_TO_START_TIMEOUT:
        return f"the work did not start within {timeouts.schedule_to_start or 'its time'} (timeouts.scheduleToStart)"
    if reason is Reason.START_TO_CLOSE_TIMEOUT:
        return f"the work took longer than {timeouts.start_to_close or 'it may'} (timeouts.startToClose)"
    return f"the operation was not over within {timeouts.schedule_to_close or 'its time'} (timeouts.scheduleToClose)"


def condition_of(status: OperationStatus, kind: ConditionType) -> Condition | None:
    """The condition of this type, where there is one."""
    return next((condition for condition in status.conditions if condition.type == kind), None)


def earliest(*moments: datetime | None) -> datetime | None:
    """The first of those that are set; None where none is."""
    return min((moment for moment in moments if moment is not None), default=None)


def _deadlines(operation: OperationView, *, started: bool) -> Iterator[Deadline]:
    timeouts, status = operation.timeouts, operation.status
    if timeouts.schedule_to_start and not started and status.start_time is None:
        yield from _at(operation.created, timeouts.schedule_to_start, Reason.SCHEDULE_TO_START_TIMEOUT)
    if timeouts.schedule_to_close:
        yield from _at(operation.created, timeouts.schedule_to_close, Reason.SCHEDULE_TO_CLOSE_TIMEOUT)
    began, held = condition_of(status, ConditionType.STARTED), condition_of(status, ConditionType.SUSPENDED)
    running = began and began.status is ConditionStatus.TRUE and not (held and held.status is ConditionStatus.TRUE)
    if timeouts.start_to_close and began and running:
        yield from _at(began.last_transition_time, timeouts.start_to_close, Reason.START_TO_CLOSE_TIMEOUT)


def _at(start: datetime, limit: str, reason: Reason) -> Iterator[Deadline]:
    try:
        yield Deadline(start + parse_duration(limit), reason)
    except OverflowError:  # past the year 9999: the same as none
        return
