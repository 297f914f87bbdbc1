"""The product on one page: what should be done about what is.

`plan` is total and pure: it never raises for what users, workers or other controllers can do, and asking it twice
gives the same answer twice. Its rows are those of the table in `observed`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from alo_operator.api.conditions import FailureType, Reason
from alo_operator.api.phases import Phase
from alo_operator.api.spec import ReadyWhen
from alo_operator.desired import cancel, pause, record, template, waiting
from alo_operator.desired.deadlines import earliest, next_deadline
from alo_operator.desired.ended import after_the_end, with_retention
from alo_operator.desired.job import build_job
from alo_operator.desired.job_view import JobView
from alo_operator.desired.observed import Observed, OperationView
from alo_operator.desired.outcome import Outcome, failed, rejected, succeeded, with_reported
from alo_operator.desired.progress import counted
from alo_operator.desired.settings import DEFAULTS, Settings
from alo_operator.desired.settling import settle, stamp
from alo_operator.desired.steps import AddFinalizer, CreateJob, Look, Plan, Step, WriteStatus
from alo_operator.errors import InvalidInput, InvalidJob

# Work that ends within this time is never reported as running: one write less.
RUNNING_AFTER: Final = timedelta(seconds=1)
PROGRESS_EVERY: Final = timedelta(seconds=5)
# A pod that is there but not seen to finish, once its Job is Complete.
POD_RECHECK: Final = timedelta(seconds=1)
POD_PATIENCE: Final = timedelta(seconds=30)


def plan(observed: Observed, now: datetime, settings: Settings = DEFAULTS) -> Plan:
    """What to do next about one operation, decided at `now` (UTC)."""
    if not observed.operation.readable:
        return Plan()
    decide = after_the_end if observed.operation.settled else _before_the_end
    return with_retention(decide(observed, now, settings), observed.operation, settings)


def _before_the_end(observed: Observed, now: datetime, settings: Settings) -> Plan:
    if observed.operation.deleting and not observed.operation.has_finalizer:
        return Plan()  # no work of ours can be running; owner references take what is left
    observed = template.adopt(observed)
    operation = observed.operation
    decision = _unsettled(observed, now, settings)
    if decision.look:
        return decision
    if not decision.steps:
        # Whatever is waited for: a change that asks for nothing more is taken in.
        decision = replace(decision, steps=_follow(operation, now))
    if operation.status.cancellation:
        return decision
    deadline = next_deadline(operation, started=observed.job is not None and observed.job.started)
    return replace(decision, wake=earliest(decision.wake, deadline.moment if deadline else None))


def _unsettled(observed: Observed, now: datetime, settings: Settings) -> Plan:
    operation = observed.operation
    if observed.job_doubtful and not observed.job_gone:
        return Plan(look=Look.JOB)
    job = observed.job
    if job and job.owner_uid != operation.uid:
        return settle(observed, _name_taken(job), now)
    if job and job.end and not cancel.delivered_before_end(job):
        return _ended(observed, job, now)
    if request := cancel.requested(observed, now):
        return cancel.ladder(observed, request, now)
    if job is None or observed.job_gone:
        return _without_job(observed, now, settings)
    if job.deleting:
        # Somebody else is deleting it; its end, or its being gone, will wake us, or that it never goes.
        due = cancel.given_up_at(job, job.deleting)
        return _lost(observed, now) if now >= due else Plan(wake=due)
    return pause.of_live_work(operation, job, now) or _live(observed, job, now)


def _ended(observed: Observed, job: JobView, now: datetime) -> Plan:
    assert job.end
    if observed.pods is None and (job.gives_value or not job.end.succeeded):
        return Plan(look=Look.PODS)
    pods, reported = observed.pods or (), observed.operation.status.reported
    if not job.end.succeeded:
        return settle(observed, with_reported(failed(job, job.end, pods), reported), now)
    outcome = succeeded(job, pods, reported)
    if outcome is None:
        if now < (job.end.time or now) + POD_PATIENCE:
            return Plan(wake=now + POD_RECHECK)
        outcome = succeeded(job, (), reported)
        assert outcome
    found = template.judged(job, outcome, observed.result_verdict)
    return Plan(look=found, asked=outcome.result) if isinstance(found, Look) else settle(observed, found, now)


def _without_job(observed: Observed, now: datetime, settings: Settings) -> Plan:
    operation, notes = observed.operation, observed.notes
    known = operation.status.job is not None or observed.job is not None
    if not observed.job_gone and (known or (operation.has_finalizer and not notes.finalizer_added)):
        return Plan(look=Look.JOB)
    if known:
        return _lost(observed, now)
    if problem := operation.not_supported:
        return _refused(operation, problem, now)
    return _to_be_started(observed, now, settings)


def _to_be_started(observed: Observed, now: datetime, settings: Settings) -> Plan:
    operation = observed.operation
    if operation.spec and operation.spec.callbacks and not operation.has_finalizer:
        return Plan((AddFinalizer(),))  # however long it waits: whoever deletes it meanwhile, the callbacks are told
    if held := pause.before_the_start(operation, now):
        return replace(held, in_line=False)
    if lacking := template.lacking(observed, now):
        return lacking
    refusal = observed.notes.refusal
    if refusal and refusal.retry_at is None:
        return settle(observed, _never(observed, refusal.reason, refusal.message), now)
    if refusal and refusal.retry_at and now < refusal.retry_at <= now + waiting.LONGEST_RETRY:
        why = waiting.Waiting(refusal.reason, refusal.message)
        return Plan(_say_waiting(operation, None, why, now), wake=refusal.retry_at)
    try:
        manifest = build_job(operation, settings, observed.template)
    except InvalidJob as error:
        return settle(observed, _never(observed, Reason.INVALID_JOB, str(error)), now)
    except InvalidInput as error:
        reason = Reason.INPUT_TOO_LARGE if error.too_large else Reason.INVALID_INPUT
        return settle(observed, rejected(reason, str(error), FailureType.REQUEST), now)
    if not_yet := template.unfit(observed, now) or template.in_line(observed, now):
        return not_yet
    first: tuple[Step, ...] = () if operation.has_finalizer else (AddFinalizer(),)
    return Plan((*first, CreateJob(manifest)))


def _lost(observed: Observed, now: datetime) -> Plan:
    """The Job is gone, or as good as gone, and not by us: settled once its pods are, too, or given up."""
    if observed.pods is None:
        return Plan(look=Look.PODS)
    if cancel.still_there(observed, now):
        return Plan(wake=cancel.next_recheck(observed, now))
    said = "the Job was deleted by somebody else before it had ended; whether its work was done is not known"
    unknown = rejected(Reason.OUTCOME_UNKNOWN, said, FailureType.INFRASTRUCTURE)
    return settle(observed, cancel.with_abandoned(unknown, observed.pods), now)


def _live(observed: Observed, job: JobView, now: datetime) -> Plan:
    operation, notes = observed.operation, observed.notes
    if not operation.has_finalizer:
        return Plan((AddFinalizer(),))  # taken off by hand; deletion could not wait for the pods
    if not job.started and operation.status.phase is Phase.PENDING:
        since = job.start_time or job.created or operation.created
        due = waiting.next_look(since, notes.last_look)
        if observed.pods is None:
            if now >= due:
                return Plan(look=Look.REASON)
            return Plan(_follow(operation, now) or _ready_when_accepted(operation, job, now), wake=due)
        why = waiting.why_waiting(observed.pods, observed.creation_failure)
        if not why.telling and now < since + waiting.QUEUE_PATIENCE:
            said = _follow(operation, now) or _ready_when_accepted(operation, job, now)
            return Plan(said, wake=waiting.next_look(since, now))
        if why.fatal:
            return cancel.ladder(observed, cancel.hopeless(why), now)
        return Plan(_say_waiting(operation, job, why, now), wake=waiting.next_look(since, now))
    if operation.status.phase is Phase.PENDING:
        seen = notes.started_seen or now
        if seen <= now < seen + RUNNING_AFTER:  # it may lie ahead where the clock was set back
            return Plan(wake=seen + RUNNING_AFTER)
        return Plan((WriteStatus(record.running(operation, job, stamp(min(seen, now)), stamp(now))),))
    return _running(operation, job, now)


def _running(operation: OperationView, job: JobView, now: datetime) -> Plan:
    if follow := _follow(operation, now):
        return Plan(follow)
    old = operation.status.progress
    if counted(old, job, stamp(now)) == old:
        return Plan()
    due = old.update_time + PROGRESS_EVERY if old and old.update_time else now
    if now < due:
        return Plan(wake=due)
    return Plan((WriteStatus(record.running(operation, job, stamp(now), stamp(now))),))


def _refused(operation: OperationView, problem: str, now: datetime) -> Plan:
    status = record.refused(operation, problem, stamp(now))
    same = _says(operation, "Accepted", Reason.NOT_SUPPORTED, problem) and operation.followed
    return Plan(() if same else (WriteStatus(status),), in_line=False)


def _say_waiting(
    operation: OperationView, job: JobView | None, why: waiting.Waiting, now: datetime
) -> tuple[Step, ...]:
    """One write for each changed reason; a changed sentence alone is not worth one."""
    if _says(operation, "Started", why.reason) and operation.followed:
        return ()
    return (WriteStatus(record.waiting(operation, job, why, stamp(now))),)


def _ready_when_accepted(operation: OperationView, job: JobView, now: datetime) -> tuple[Step, ...]:
    """The one write that opens a gate which waits for no more than a durable promise."""
    wanted = operation.spec is not None and operation.spec.ready_when is ReadyWhen.ACCEPTED
    if not wanted or _says(operation, "Ready", ReadyWhen.ACCEPTED):
        return ()
    why = waiting.Waiting(Reason.PENDING, "the Job exists and is being started")
    return (WriteStatus(record.waiting(operation, job, why, stamp(now))),)


def _follow(operation: OperationView, now: datetime) -> tuple[Step, ...]:
    """Take in a later spec change; the first sight of an operation costs no write of its own."""
    if operation.followed or operation.status.observed_generation < 0:
        return ()
    return (WriteStatus(record.followed(operation, stamp(now))),)


def _says(operation: OperationView, kind: str, reason: str, message: str | None = None) -> bool:
    return any(
        c.type == kind and c.reason == reason and (message is None or c.message == message)
        for c in operation.status.conditions
    )


def _never(observed: Observed, reason: Reason, message: str) -> Outcome:
    """The outcome of work that can never start, laid at the door of whoever wrote its Job."""
    if observed.template and reason is Reason.INVALID_JOB:
        return template.unusable(observed.template, message)
    return rejected(reason, message, FailureType.REQUEST)


def _name_taken(job: JobView) -> Outcome:
    said = (
        f"a Job named {job.name} exists already and belongs to somebody else; it was left alone. Delete or rename it, "
        "and ask again under a new name"
    )
    return rejected(Reason.JOB_NAME_CONFLICT, said, FailureType.REQUEST, retryable=True)
