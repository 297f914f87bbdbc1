"""When time alone changes what should be done."""

from __future__ import annotations

from datetime import datetime

from alo_operator.api.conditions import ConditionType
from alo_operator.api.durations import parse_duration
from alo_operator.api.status import Condition, OperationStatus
from alo_operator.desired.observed import OperationView


def start_deadline(operation: OperationView) -> datetime | None:
    """The moment by which the work must have started: creation + timeouts.scheduleToStart; None where there is none."""
    timeouts = operation.spec.timeouts if operation.spec else None
    if timeouts is None or timeouts.schedule_to_start is None:
        return None
    try:
        return operation.created + parse_duration(timeouts.schedule_to_start)
    except OverflowError:  # past the year 9999: the same as none
        return None


def condition_of(status: OperationStatus, kind: ConditionType) -> Condition | None:
    """The condition of this type, where there is one."""
    return next((condition for condition in status.conditions if condition.type == kind), None)


def earliest(*moments: datetime | None) -> datetime | None:
    """The first of those that are set; None where none is."""
    return min((moment for moment in moments if moment is not None), default=None)
