"""Pause and resume: the Job's own suspend, recorded before and after, so that status says what is true at each step.

A pause is recorded (Suspended=True/Pausing), then the Job is suspended, then, once its pods are gone, the phase is
Paused. Only what we suspended is resumed: a Job held by a queueing system is left to it.
"""

from __future__ import annotations

from datetime import datetime

from alo_operator.api.conditions import ConditionType
from alo_operator.api.phases import Phase
from alo_operator.api.status import ConditionStatus
from alo_operator.desired import record
from alo_operator.desired.deadlines import backstop, condition_of
from alo_operator.desired.job_view import JobView
from alo_operator.desired.observed import OperationView
from alo_operator.desired.settling import stamp
from alo_operator.desired.steps import PatchJob, Plan, Step, WriteStatus


def before_the_start(operation: OperationView, now: datetime) -> Plan | None:
    """What a pause asks for while there is no Job; None: nothing."""
    if not operation.spec:
        return None
    if operation.spec.suspend:
        if operation.status.phase is Phase.PAUSED and operation.followed:
            return Plan()
        return Plan((WriteStatus(record.paused(operation, None, stamp(now))),))
    if held(operation):
        return Plan((WriteStatus(record.resumed(operation, None, stamp(now))),))
    return None


def of_live_work(operation: OperationView, job: JobView, now: datetime) -> Plan | None:
    """What a pause or a resume asks for while there is a Job; None: nothing."""
    if not operation.spec:
        return None
    if operation.spec.suspend:
        return _pause(operation, job, now)
    if held(operation):
        first: tuple[Step, ...] = (_patch(job, suspend=False),) if job.suspended else ()
        return Plan((*first, WriteStatus(record.resumed(operation, job, stamp(now)))))
    limit = backstop(operation.timeouts)
    if limit is not None and job.active_deadline is None and job.start_time and not (job.suspended or job.at_rest):
        # Only now: until the Job controller has resumed it, startTime is that of before the pause, and a deadline
        # counted from there may have passed.
        return Plan((PatchJob(job.name, job.uid, job.resource_version, {"activeDeadlineSeconds": limit}),))
    return None


def held(operation: OperationView) -> bool:
    """Whether a pause of ours is recorded."""
    condition = condition_of(operation.status, ConditionType.SUSPENDED)
    return condition is not None and condition.status is ConditionStatus.TRUE


def _pause(operation: OperationView, job: JobView, now: datetime) -> Plan:
    if not held(operation):
        steps: list[Step] = [WriteStatus(record.pausing(operation, job, stamp(now)))]
        if not job.suspended:
            steps.append(_patch(job, suspend=True))
        return Plan(tuple(steps))
    if not job.suspended:
        return Plan((_patch(job, suspend=True),))
    gone = job.at_rest and job.active == 0 and job.terminating == 0
    current = operation.status.phase is Phase.PAUSED and operation.followed
    if not gone or current:
        return Plan()
    return Plan((WriteStatus(record.paused(operation, job, stamp(now))),))


def _patch(job: JobView, *, suspend: bool) -> PatchJob:
    spec = {"suspend": True, "activeDeadlineSeconds": None} if suspend else {"suspend": False}
    return PatchJob(job.name, job.uid, job.resource_version, spec)
