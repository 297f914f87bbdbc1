"""The plan that ends an operation."""

from __future__ import annotations

from datetime import datetime

from alo_operator.api.phases import Phase
from alo_operator.api.status import Cancellation
from alo_operator.desired import record
from alo_operator.desired.observed import Observed
from alo_operator.desired.outcome import Outcome
from alo_operator.desired.steps import Plan, PostEvent, RemoveFinalizer, Step, WriteStatus


def settle(observed: Observed, outcome: Outcome, now: datetime, request: Cancellation | None = None) -> Plan:
    """Write the one answer, then let deletion go; failures and cancellations get their one Event.

    `request`: the cancellation that is recorded only now, as there was no work to be told.
    """
    operation = observed.operation
    job = observed.job if observed.job and observed.job.owner_uid == operation.uid else None
    steps: list[Step] = [WriteStatus(record.settled(operation, job, outcome, stamp(now), request))]
    if outcome.phase is not Phase.SUCCEEDED:
        # Before the finalizer goes: whatever interrupts the plan there leaves nothing that would post it later.
        steps.append(PostEvent(outcome.phase is not Phase.CANCELLED, outcome.reason, outcome.message))
    if operation.has_finalizer:
        steps.append(RemoveFinalizer())
    return Plan(tuple(steps))


def stamp(now: datetime) -> datetime:
    """`now` as Kubernetes writes times: in whole seconds."""
    return now.replace(microsecond=0)
