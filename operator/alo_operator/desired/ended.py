"""After the end: tell the callbacks, let deletion go on, follow the spec, and let go of Job and record in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from alo_operator.api.conditions import ConditionType
from alo_operator.api.spec import Retention
from alo_operator.api.status import ConditionStatus, Effective, OperationStatus
from alo_operator.desired import record
from alo_operator.desired.deadlines import earliest
from alo_operator.desired.deliveries import tell
from alo_operator.desired.job_view import JobView
from alo_operator.desired.observed import Observed, OperationView
from alo_operator.desired.readiness import Change
from alo_operator.desired.retention import in_force
from alo_operator.desired.settings import Settings
from alo_operator.desired.settling import event_of, stamp
from alo_operator.desired.steps import (
    AddFinalizer,
    DeleteJob,
    DeleteOperation,
    Look,
    Plan,
    RemoveFinalizer,
    Step,
    WriteStatus,
)
from alo_operator.desired.subscriptions import pending


def after_the_end(observed: Observed, now: datetime, settings: Settings) -> Plan:
    """What is due of a settled operation."""
    operation = observed.operation
    status = operation.status
    if not operation.followed and not operation.deleting:
        status = _retained(record.followed(operation, stamp(now)), operation, now)
    telling = tell(observed, status, now, settings.schedule)
    steps: list[Step] = []
    if telling.status != operation.status:
        if pending(telling.status) and not operation.has_finalizer and not operation.deleting:
            steps.append(AddFinalizer())
        # The Events first: once the entries say that all is over, nobody would post them.
        steps += [*telling.lost, WriteStatus(telling.status, telling.answered)]
    elif telling.send:
        steps.append(telling.send)
    if operation.has_finalizer and not pending(telling.status):
        # The plan that settled it may have been interrupted; its Event has the same name, so that there is one at most.
        said = () if observed.notes.event_posted else event_of(operation.status)
        steps += [*said, RemoveFinalizer()]
    if steps or operation.deleting or operation.spec is None:
        return Plan(tuple(steps), wake=telling.wake)
    kept = _keep(observed, now, settings)
    return replace(kept, wake=earliest(kept.wake, telling.wake))


def with_retention(plan: Plan, operation: OperationView, settings: Settings) -> Plan:
    """`plan`, in which each status that names a Job or an end says which retention is in force."""
    own = operation.spec.retention if operation.spec else None
    if operation.spec is None:
        return plan
    steps = (
        replace(step, status=_effective(step.status, own, settings))
        if isinstance(step, WriteStatus) and (step.status.job or step.status.completion_time)
        else step
        for step in plan.steps
    )
    return replace(plan, steps=tuple(steps))


def _keep(observed: Observed, now: datetime, settings: Settings) -> Plan:
    operation, keeping = observed.operation, observed.operation.keeping
    over, due = keeping.record_due, keeping.job_due(settings)
    if over is not None and now >= over and keeping.owner is None:
        return Plan((DeleteOperation(),))
    held = keeping.held(now)
    if keeping.said != (held.reason if held else ""):
        return Plan((WriteStatus(_retained(operation.status, operation, now)),))
    if due is None or observed.job_gone or (observed.job and not _ours(observed.job, operation)):
        due = None
    elif now >= due:
        if observed.job is None or observed.job_doubtful:
            return Plan(look=Look.JOB)
        if not observed.job.deleting:
            job = observed.job
            return Plan((DeleteJob(job.name, job.uid, job.resource_version, over=True),))
    return Plan(wake=earliest(*(moment for moment in (over, due) if moment is not None and moment > now)))


def _ours(job: JobView, operation: OperationView) -> bool:
    """Whether it is the Job that did the work, and not somebody else's, or a copy of it."""
    known = operation.status.job
    return job.owner_uid == operation.uid and (known is None or known.uid == job.uid)


def _retained(status: OperationStatus, operation: OperationView, now: datetime) -> OperationStatus:
    """`status` with the condition that says for whose sake the record is kept, or without it."""
    held = operation.keeping.held(now)
    change: Change = (ConditionType.RETAINED, None, "", "")
    if held:
        change = (ConditionType.RETAINED, ConditionStatus.TRUE, held.reason, held.message)
    return record.with_conditions(status, operation, [change], stamp(now))


def _effective(status: OperationStatus, own: Retention | None, settings: Settings) -> OperationStatus:
    given = status.template.retention if status.template else None
    retention = in_force(own, given, settings)
    old = status.effective or Effective()
    if old.retention == retention:
        return status
    return status.model_copy(update={"effective": old.model_copy(update={"retention": retention})})
