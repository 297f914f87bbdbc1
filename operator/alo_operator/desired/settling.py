"""The plan that ends an operation."""

from __future__ import annotations

from datetime import datetime

from alo_operator.api.conditions import ConditionType
from alo_operator.api.phases import Phase
from alo_operator.api.status import Cancellation, OperationStatus
from alo_operator.desired import record
from alo_operator.desired.deadlines import condition_of
from alo_operator.desired.observed import Observed
from alo_operator.desired.outcome import Outcome
from alo_operator.desired.steps import AddFinalizer, Plan, PostEvent, RemoveFinalizer, Step, WriteStatus
from alo_operator.desired.subscriptions import pending


def settle(observed: Observed, outcome: Outcome, now: datetime, request: Cancellation | None = None) -> Plan:
    """Write the one answer, then let deletion go; failures and cancellations get their one Event.

    `request`: the cancellation that is recorded only now, as there was no work to be told.
    """
    operation = observed.operation
    job = observed.job if observed.job and observed.job.owner_uid == operation.uid else None
    status = record.settled(operation, job, outcome, stamp(now), request)
    # The Event before the finalizer goes: whatever interrupts the plan after that leaves nobody to post it.
    steps: list[Step] = [WriteStatus(status), *event_of(status)]
    if pending(status):
        if not operation.has_finalizer and not operation.deleting:
            steps.insert(0, AddFinalizer())  # deletion has to wait until everybody is told
    elif operation.has_finalizer:
        steps.append(RemoveFinalizer())
    return Plan(tuple(steps))


def event_of(status: OperationStatus) -> tuple[Step, ...]:
    """The one Event of a settled operation: none for a success."""
    said = condition_of(status, ConditionType.SUCCEEDED)
    if status.phase is Phase.SUCCEEDED or said is None:
        return ()
    return (PostEvent(status.phase is not Phase.CANCELLED, said.reason, said.message),)


def stamp(now: datetime) -> datetime:
    """`now` as Kubernetes writes times: in whole seconds."""
    return now.replace(microsecond=0)
