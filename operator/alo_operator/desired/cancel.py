"""The one ladder down which all work is stopped, whoever asks: requested, delivered, settled.

Requested: recorded in status before anything is touched, so that a crash cannot forget who asked. Delivered: the Job
is deleted at the version last seen not Complete; a refused version means to look again, so a Job that completed first
counts as completed. Settled: once Job and pods are gone, or given up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from alo_operator.api.conditions import CancelSource, ConditionType, FailureType, Reason
from alo_operator.api.limits import CAUSES, REASON, clip
from alo_operator.api.status import Cancellation, Cause
from alo_operator.desired import record
from alo_operator.desired.deadlines import next_deadline, too_late
from alo_operator.desired.job_view import DEFAULT_GRACE_SECONDS, JobView
from alo_operator.desired.observed import Observed, OperationView
from alo_operator.desired.outcome import Outcome, rejected, with_last_words, with_reported
from alo_operator.desired.pod_view import PodView
from alo_operator.desired.settling import settle, stamp
from alo_operator.desired.steps import DeleteJob, Look, Plan, Step, WatchPods, WriteStatus
from alo_operator.desired.waiting import Waiting, why_waiting

# How long past its grace period a pod may still be there before its node is taken for dead.
ABANDON_AFTER: Final = timedelta(seconds=60)
PODS_RECHECK: Final = timedelta(seconds=1)
# How long after the end of Job and pods a listener may still tell of it; its connection may be dead, too.
HEARING: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Request:
    """Who wants the work stopped and why; `waiting` is what kept it from starting, where that is the cause."""

    source: CancelSource
    reason: str
    waiting: Waiting | None = None


def requested(observed: Observed, now: datetime) -> Request | None:
    """The cancellation in force: the one recorded first, else the one that is due now."""
    operation, job = observed.operation, observed.job
    if recorded := operation.status.cancellation:
        return Request(_source(recorded.source), recorded.reason or "")
    if operation.deleting:
        return Request(CancelSource.DELETION, "the operation was deleted")
    if operation.spec and operation.spec.cancel:
        return Request(CancelSource.SPEC, operation.spec.cancel.reason or "spec.cancel")
    deadline = next_deadline(operation, started=job is not None and job.started)
    if deadline and now >= deadline.moment:
        return Request(CancelSource.TIMEOUT, deadline.reason)
    return None


def hopeless(why: Waiting) -> Request:
    """The work can never start as it is written."""
    return Request(CancelSource.FAILURE, why.reason, why)


def delivered_before_end(job: JobView) -> bool:
    """Whether the Job ended only after it had been told to stop; its end then does not count."""
    return job.deleting is not None and job.end is not None and (job.end.time or job.deleting) > job.deleting


def ladder(observed: Observed, request: Request, now: datetime) -> Plan:
    """The next rung."""
    operation, job = observed.operation, observed.job
    if not observed.job_gone and job is None and (operation.has_finalizer or operation.status.job):
        return Plan(look=Look.JOB)
    note: tuple[Step, ...] = ()
    if operation.status.cancellation is None:
        if _untold(observed, request):
            if observed.pods is None:
                return Plan(look=Look.PODS)
            why = why_waiting(observed.pods, None)
            request = replace(request, waiting=why if why.telling else None)
        status = record.cancelling(operation, job, request.source, request.reason, stamp(now), request.waiting)
        note = (WriteStatus(status),)
    if job is not None and not observed.job_gone and (told := _told(observed, job, note, now)):
        return told
    asked = Cancellation(request_time=stamp(now), source=request.source, reason=clip(request.reason, REASON))
    if observed.job is None and operation.status.job is None and not observed.unrecorded_work:
        return settle(observed, _outcome(observed, request, ()), now, asked)
    if observed.pods is None:
        return Plan(look=Look.PODS)
    if still_there(observed, now):
        return Plan(note, wake=next_recheck(observed, now))
    unheard = observed.job_gone and observed.notes.listening and observed.notes.last_words is None
    since = observed.notes.job_gone_seen or now
    if unheard and since <= now < since + HEARING:
        return Plan(note, wake=now + PODS_RECHECK)  # the listener hears of the end a moment later than we do
    return settle(observed, _outcome(observed, request, observed.pods), now, asked)


def _told(observed: Observed, job: JobView, note: tuple[Step, ...], now: datetime) -> Plan | None:
    """What it takes to tell the work, and the time it has then; None once that is over."""
    # The Job shows a pod as ready a moment late, so one that may only be starting is listened to as well, and so is one
    # that is being stopped by a pause.
    anybody = job.started or job.active > 0 or job.terminating > 0
    listen: tuple[Step, ...] = (WatchPods(),) if anybody and not observed.notes.listening else ()
    if not job.deleting:
        return Plan((*note, *listen, DeleteJob(job.name, job.uid, job.resource_version)))
    if note or listen:
        return Plan((*note, *listen))
    patience = job.deleting + timedelta(seconds=job.grace_seconds) + ABANDON_AFTER
    return Plan(wake=patience) if now < patience else None


def _untold(observed: Observed, request: Request) -> bool:
    """Whether a timeout passed before anybody has looked why the work does not start."""
    operation, job = observed.operation, observed.job
    waited = job is not None and not observed.job_gone and not job.started and operation.status.start_time is None
    return waited and request.source is CancelSource.TIMEOUT and _last_waiting(operation) is None


def given_up_at(job: JobView, told: datetime) -> datetime:
    """Until when a Job whose deletion began at `told` is waited for; a pod on a dead node holds it for ever."""
    return told + timedelta(seconds=job.grace_seconds) + ABANDON_AFTER


def still_there(observed: Observed, now: datetime) -> bool:
    """Whether a pod of the work may still be running; one that outlived its grace period by a minute is given up.

    A pod that nobody is deleting, as after `kubectl delete job --cascade=orphan`, has its time from when the end was
    asked for or the Job was found gone.
    """
    due = _since(observed, now) + _grace(observed)
    return any(now < (pod.deleting or due) + ABANDON_AFTER for pod in lingering(observed.pods or ()))


def _grace(observed: Observed) -> timedelta:
    return timedelta(seconds=observed.job.grace_seconds if observed.job else DEFAULT_GRACE_SECONDS)


def next_recheck(observed: Observed, now: datetime) -> datetime:
    """When to look at the pods again: every second at first, later ever more rarely."""
    return now + max(PODS_RECHECK, (now - _since(observed, now)) / 10)


def _since(observed: Observed, now: datetime) -> datetime:
    cancellation = observed.operation.status.cancellation
    if cancellation:
        return min(cancellation.request_time, now)  # whatever somebody wrote there, it was not in the future
    told = observed.job.deleting if observed.job else None
    return observed.operation.deleting or told or observed.notes.job_gone_seen or now


def lingering(pods: tuple[PodView, ...]) -> tuple[PodView, ...]:
    return tuple(pod for pod in pods if pod.deleting or not pod.finished)


def _outcome(observed: Observed, request: Request, pods: tuple[PodView, ...]) -> Outcome:
    outcome = _ending(observed.operation, request)
    words = observed.notes.last_words or ()
    if observed.job and words:
        outcome = with_last_words(outcome, observed.job, words)
    outcome = with_reported(outcome, observed.operation.status.reported, words)
    return with_abandoned(outcome, pods)


def with_abandoned(outcome: Outcome, pods: tuple[PodView, ...]) -> Outcome:
    """`outcome`, naming the pods that were given up."""
    abandoned = lingering(pods)
    if not abandoned or not outcome.failure:
        return outcome
    said = "the pod did not go within its grace period and a minute; its node may be gone, and the work still running"
    lost = tuple(Cause(kind="Pod", name=pod.name, reason=Reason.POD_ABANDONED, message=said) for pod in abandoned)
    failure = outcome.failure.model_copy(update={"causes": (*outcome.failure.causes, *lost)[:CAUSES]})
    return replace(outcome, message=f"{outcome.message}; {said}", failure=failure)


def _ending(operation: OperationView, request: Request) -> Outcome:
    blocked = request.waiting or _last_waiting(operation)
    if request.source is CancelSource.TIMEOUT:
        reason = _reason(request.reason, Reason.SCHEDULE_TO_CLOSE_TIMEOUT)
        said = too_late(operation.timeouts, reason)
        if not blocked:
            return rejected(reason, said, FailureType.TIMEOUT, retryable=True)
        said = f"{said}; it was waiting: {blocked.reason}: {blocked.message}"
        outcome = rejected(reason, said, FailureType.TIMEOUT, retryable=True)
        words = blocked.message or None
        return _caused_by(outcome, Cause(kind="Condition", name="Started", reason=blocked.reason, message=words))
    if request.source is CancelSource.FAILURE:
        said = blocked.message if blocked else "the work can never start as it is written"
        return rejected(_reason(request.reason, Reason.INVALID_JOB), said, FailureType.REQUEST)
    return rejected(Reason.CANCELLED, f"cancelled: {request.reason}", FailureType.CANCELLED)


def _caused_by(outcome: Outcome, cause: Cause) -> Outcome:
    assert outcome.failure
    return replace(outcome, failure=outcome.failure.model_copy(update={"causes": (cause,)}))


def _last_waiting(operation: OperationView) -> Waiting | None:
    for condition in operation.status.conditions:
        if condition.type == ConditionType.STARTED and condition.status == "False":
            return Waiting(_reason(condition.reason, Reason.PENDING), condition.message)
    return None


# Words in status may come from a newer version, before a rollback; its operations have to settle too.


def _source(word: str) -> CancelSource:
    return next((source for source in CancelSource if source == word), CancelSource.SPEC)


def _reason(word: str, otherwise: Reason) -> Reason:
    return next((reason for reason in Reason if reason == word), otherwise)
