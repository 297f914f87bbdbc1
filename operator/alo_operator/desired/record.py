"""What goes into status at each turn of an operation's life: one function a turn, each giving the whole new status."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from alo_operator.api import limits
from alo_operator.api.conditions import CancelSource, ConditionType, FailureType, Reason
from alo_operator.api.phases import PROMISE_OF, Phase
from alo_operator.api.status import (
    Cancellation,
    Condition,
    ConditionStatus,
    Effective,
    Failure,
    JobRef,
    OperationStatus,
)
from alo_operator.desired.digest import spec_digest
from alo_operator.desired.job_view import JobView
from alo_operator.desired.observed import OperationView
from alo_operator.desired.outcome import Outcome
from alo_operator.desired.progress import counted
from alo_operator.desired.readiness import Change, at_the_end, under_way
from alo_operator.desired.subscriptions import subscribed
from alo_operator.desired.waiting import Waiting

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
_ORDER: Final = {kind.value: place for place, kind in enumerate(ConditionType)}

type_: Final = ConditionType


def refused(operation: OperationView, message: str, now: datetime) -> OperationStatus:
    """Not accepted as written: nothing is run until the spec changes (or a newer operator reads it)."""
    changes: list[Change] = [
        (type_.STALLED, TRUE, Reason.NOT_SUPPORTED, message),
        (type_.RECONCILING, None, Reason.NOT_SUPPORTED, ""),
    ]
    return _not_accepted(operation, Reason.NOT_SUPPORTED, message, changes, now)


def without_template(operation: OperationView, message: str, now: datetime) -> OperationStatus:
    """Not accepted as long as its template is missing; nothing stalls, as the template's arrival starts it."""
    changes: list[Change] = [
        (type_.RECONCILING, TRUE, Reason.TEMPLATE_NOT_FOUND, "waiting for the template"),
        (type_.STALLED, None, Reason.TEMPLATE_NOT_FOUND, ""),
    ]
    return _not_accepted(operation, Reason.TEMPLATE_NOT_FOUND, message, changes, now)


def waiting(operation: OperationView, job: JobView | None, why: Waiting, now: datetime) -> OperationStatus:
    """Accepted and not started, for a reason."""
    changes: list[Change] = [
        *_accepted(operation),
        (type_.STARTED, FALSE, why.reason, why.message),
        *_working(operation, why.reason, "waiting to start; see Started"),
    ]
    return with_conditions(_seen(operation, job), operation, changes, now)


def running(operation: OperationView, job: JobView, started: datetime, now: datetime) -> OperationStatus:
    """Started; progress as the Job counts it."""
    said = f"Job {job.name} is running"
    changes: list[Change] = [
        *_accepted(operation),
        (type_.STARTED, TRUE, Reason.STARTED, said),
        *_working(operation, Reason.RUNNING, said, started=True),
    ]
    status = _seen(operation, job).model_copy(
        update={
            "phase": Phase.RUNNING,
            "start_time": operation.status.start_time or started,
            "progress": counted(operation.status.progress, job, now),
        }
    )
    return with_conditions(status, operation, changes, now)


def followed(operation: OperationView, now: datetime) -> OperationStatus:
    """A spec change that asks for nothing more has been taken in, or cannot be; readyWhen counts anew.

    A cancellation asked for after the end is recorded, and changes nothing else.
    """
    outcome = next((c for c in operation.status.conditions if c.type == type_.SUCCEEDED), None)
    if not operation.settled:
        said = (outcome.reason, outcome.message) if outcome else (Reason.PENDING, "")
        return with_conditions(_seen(operation), operation, [*_accepted(operation), *under_way(operation, *said)], now)
    status = operation.status.model_copy(update={"observed_generation": operation.generation})
    good = status.phase is Phase.SUCCEEDED
    changes = at_the_end(
        operation,
        outcome.reason if outcome else status.phase,
        good=good,
        started=status.start_time is not None,
        taken_on=_taken_on(status.failure, status.job),
    )
    if not status.cancellation and (late := _asked_in_vain(operation, now)):
        status = status.model_copy(update={"cancellation": late.model_copy(update={"settle_time": now})})
        message = f"{late.reason} (the operation had ended before)"
        changes.append((type_.CANCEL_REQUESTED, TRUE, CancelSource.SPEC, message))
    return with_conditions(status, operation, changes, now)


def paused(operation: OperationView, job: JobView | None, now: datetime) -> OperationStatus:
    """Nothing runs until the operation is resumed; `job`: the suspended one, where the work had begun."""
    said = "paused by spec.suspend; nothing runs"
    changes: list[Change] = [
        *_accepted(operation),
        (type_.STARTED, FALSE, Reason.PAUSED, said),
        (type_.SUSPENDED, TRUE, Reason.PAUSED, said),
        *_working(operation, Reason.PAUSED, said),
    ]
    return with_conditions(_seen(operation, job).model_copy(update={"phase": Phase.PAUSED}), operation, changes, now)


def pausing(operation: OperationView, job: JobView, now: datetime) -> OperationStatus:
    """A pause is recorded before the Job is touched; the phase follows once the pods are gone."""
    said = "being paused by spec.suspend; the pods are stopping"
    changes: list[Change] = [*_accepted(operation), (type_.SUSPENDED, TRUE, Reason.PAUSING, said)]
    # Work of less than a second is not on record as running yet, and a suspended Job tells nothing of its start.
    start = operation.status.start_time or (now if job.started else None)
    return with_conditions(_seen(operation, job).model_copy(update={"start_time": start}), operation, changes, now)


def resumed(operation: OperationView, job: JobView | None, now: datetime) -> OperationStatus:
    """The pause is over and the work starts afresh: Pending until it has."""
    said = "resumed; the work starts afresh"
    changes: list[Change] = [
        *_accepted(operation),
        (type_.STARTED, FALSE, Reason.RESUMED, said),
        (type_.SUSPENDED, FALSE, Reason.RESUMED, said),
        *_working(operation, Reason.RESUMED, said),
    ]
    return with_conditions(_seen(operation, job).model_copy(update={"phase": Phase.PENDING}), operation, changes, now)


def cancelling(
    operation: OperationView,
    job: JobView | None,
    source: CancelSource,
    reason: str,
    now: datetime,
    why: Waiting | None = None,
) -> OperationStatus:
    """A cancellation is recorded before the work is told, so that a crash in between changes nothing.

    `why`: what keeps the work from ever starting, where that is the cause.
    """
    said = f"the work is being stopped: {reason}"
    changes: list[Change] = [
        *_accepted(operation),
        (type_.CANCEL_REQUESTED, TRUE, source.value, limits.clip(reason, limits.REASON)),
        *_working(operation, Reason.CANCELLING, said),
    ]
    if why:
        changes.append((type_.STARTED, FALSE, why.reason, why.message))
    status = _seen(operation, job).model_copy(
        update={
            "phase": Phase.CANCELLING,
            "cancellation": Cancellation(request_time=now, source=source, reason=limits.clip(reason, limits.REASON)),
        }
    )
    return with_conditions(status, operation, changes, now)


def settled(
    operation: OperationView,
    job: JobView | None,
    outcome: Outcome,
    now: datetime,
    request: Cancellation | None = None,
) -> OperationStatus:
    """The one answer; from here on the API server refuses every change of it.

    `request`: the cancellation that was carried out, where none is on record yet.
    """
    good = outcome.phase is Phase.SUCCEEDED
    message = limits.clip(outcome.message, limits.REASON)
    base = _seen(operation, job)
    start = base.start_time or outcome.started
    taken_on = _taken_on(outcome.failure, base.job)
    changes: list[Change] = [
        *(_accepted(operation) if taken_on else [(type_.ACCEPTED, FALSE, outcome.reason, message)]),
        (type_.COMPLETED, TRUE, outcome.reason, f"the operation has ended as {outcome.phase}"),
        (type_.SUCCEEDED, TRUE if good else FALSE, outcome.reason, message),
        *at_the_end(operation, outcome.reason, message, good=good, started=start is not None, taken_on=taken_on),
    ]
    if _has(operation.status, type_.SUSPENDED):
        changes.append((type_.SUSPENDED, None, outcome.reason, ""))
    if start:
        changes.append((type_.STARTED, TRUE, Reason.STARTED, "the work was started"))
    elif not _has(operation.status, type_.STARTED):
        changes.append((type_.STARTED, FALSE, outcome.reason, "the work was never started"))
    cancellation = base.cancellation or request or _asked_in_vain(operation, now)
    if cancellation:
        delivered = cancellation.deliver_time or (job.deleting if job else None)
        cancellation = cancellation.model_copy(update={"deliver_time": delivered, "settle_time": now})
        changes.append((type_.CANCEL_REQUESTED, TRUE, cancellation.source, cancellation.reason or ""))
    status = base.model_copy(
        update={
            "phase": outcome.phase,
            # By which template it was refused, where it never got a Job.
            "template": operation.status.template,
            "effective": base.effective or operation.status.effective,
            "promise": PROMISE_OF[outcome.phase],
            "start_time": start,
            "completion_time": now,
            "result": outcome.result,
            "failure": outcome.failure,
            "attempts": outcome.attempts or base.attempts,
            "progress": counted(operation.status.progress, job, now) if job else base.progress,
            "reported": None,  # it has become the result, or counts for nothing
            "cancellation": cancellation,
            "deliveries": subscribed(operation, now),
            "redelivery": operation.redeliver or None,  # whatever was asked for before there was anything to tell
        }
    )
    return with_conditions(status, operation, changes, now)


def _not_accepted(
    operation: OperationView, reason: Reason, message: str, further: list[Change], now: datetime
) -> OperationStatus:
    changes: list[Change] = [
        (type_.ACCEPTED, FALSE, reason, message),
        (type_.COMPLETED, FALSE, reason, "nothing is run"),
        (type_.SUCCEEDED, UNKNOWN, reason, message),
        (type_.READY, FALSE, reason, "see Accepted"),
        *further,
    ]
    return with_conditions(_seen(operation), operation, changes, now)


def _accepted(operation: OperationView) -> list[Change]:
    """Whether all that is written can be acted on; running work goes on beside an edit that cannot be."""
    if problem := operation.not_supported:
        return [(type_.ACCEPTED, FALSE, Reason.NOT_SUPPORTED, problem)]
    return [(type_.ACCEPTED, TRUE, Reason.ACCEPTED, "the operation is accepted")]


def _taken_on(failure: Failure | None, job: JobRef | None) -> bool:
    """Whether the work could be taken on as written; a request that was at fault before any Job was made could not."""
    return failure is None or failure.type != FailureType.REQUEST or job is not None


def _seen(operation: OperationView, job: JobView | None = None) -> OperationStatus:
    """Status with what every write of ours brings along: the generation, the digest, the limits, the Job."""
    update: dict[str, Any] = {"observed_generation": operation.generation}
    if not operation.status.spec_digest and operation.raw_spec is not None:
        update["spec_digest"] = spec_digest(operation.raw_spec)
    if not operation.status.effective and job and operation.timeouts.limited:
        update["effective"] = Effective(timeouts=operation.timeouts)
    if job is None and operation.status.job is None:
        # Until there is a Job, another state of the template may be the one that it is made from.
        update |= {"template": None, "effective": None}
    if job and not operation.status.job:
        update["job"] = JobRef(name=job.name, uid=job.uid)
    return operation.status.model_copy(update=update)


def _working(operation: OperationView, reason: str, message: str, *, started: bool = False) -> list[Change]:
    message = limits.clip(message, limits.REASON)
    return [
        (type_.COMPLETED, FALSE, reason, message),
        (type_.SUCCEEDED, UNKNOWN, reason, message),
        *under_way(operation, reason, message, started=started),
    ]


def _asked_in_vain(operation: OperationView, now: datetime) -> Cancellation | None:
    """What spec.cancel asks for, of work that has ended by itself."""
    if not operation.spec or not operation.spec.cancel:
        return None
    reason = limits.clip(operation.spec.cancel.reason or "spec.cancel", limits.REASON)
    return Cancellation(request_time=now, source=CancelSource.SPEC, reason=reason)


def _has(status: OperationStatus, kind: ConditionType) -> bool:
    return any(condition.type == kind for condition in status.conditions)


def with_conditions(
    status: OperationStatus, operation: OperationView, changes: list[Change], now: datetime
) -> OperationStatus:
    """`status` with conditions merged in; lastTransitionTime moves only with the condition's status."""
    merged = {condition.type: condition for condition in status.conditions}
    for kind, state, reason, message in changes:
        old = merged.get(kind)
        if state is None:
            merged.pop(kind, None)
            continue
        merged[kind] = Condition(
            type=kind,
            status=state,
            observed_generation=operation.generation,
            last_transition_time=old.last_transition_time if old and old.status is state else now,
            reason=reason,
            message=limits.clip(message),
        )
    ordered = sorted(merged.values(), key=lambda condition: _ORDER.get(condition.type, len(_ORDER)))
    return status.model_copy(update={"conditions": tuple(ordered)})
