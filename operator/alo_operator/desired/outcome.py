"""How it ended: from a finished Job and its pods to the one outcome of the promise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from alo_operator.api import limits
from alo_operator.api.conditions import FailureType, Reason
from alo_operator.api.phases import Phase
from alo_operator.api.status import Attempts, Cause, Failure, LastAttempt, Reported, Result
from alo_operator.desired.job_view import JobEnd, JobView
from alo_operator.desired.pod_view import ContainerEnd, ContainerView, PodView
from alo_operator.desired.results import as_bytes, read_result, result_of

# The kubelet's own numbers: bytes of one container's termination message, and of all containers of a pod together.
MESSAGE_BYTES: Final = 4096
POD_MESSAGES_BYTES: Final = 12288
# A cut inside a character leaves up to three bytes out, so a message this near the limit may be a cut one.
CUT_MARGIN: Final = 3

_CAUSE_TEXT: Final = 1024
_KILLED: Final = 137  # 128 and SIGKILL


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a promise is settled; `started` is None where the work never began."""

    phase: Phase
    reason: Reason
    message: str
    result: Result | None = None
    failure: Failure | None = None
    attempts: Attempts | None = None
    started: datetime | None = None


def succeeded(job: JobView, pods: tuple[PodView, ...], reported: Reported | None = None) -> Outcome | None:
    """The outcome of a Complete Job; None while the pod with its value is there but has not been seen to finish.

    `reported`: what a worker has handed in. It counts if the pod that succeeded has done so, before anything else the
    pod has left; if that pod is gone, where there was no other attempt.
    """
    pod = next((p for p in pods if p.phase == "Succeeded" and (not job.indexed or p.index == "0")), None)
    if pod is None and job.gives_value and any(not p.finished for p in pods):
        return None
    worker = pod.worker if pod else None
    end = worker.end if worker else None
    attempts = _attempts(job, pod, end)
    started = _earliest(pods) or job.start_time
    if not job.gives_value:
        said = f"all {job.succeeded} completions succeeded"
        return Outcome(Phase.SUCCEEDED, Reason.SUCCEEDED, said, attempts=attempts, started=started)
    if reported and (reported.attempt == pod.uid if pod else job.failed == 0):
        said = f"the work succeeded and gave a result of {reported.bytes} bytes"
        result = result_of(reported)
        return Outcome(Phase.SUCCEEDED, Reason.SUCCEEDED, said, result=result, attempts=attempts, started=started)
    if pod is None:
        said = "the Job is Complete but its pod is gone, and any result with it; the work is not run again"
        return Outcome(Phase.SUCCEEDED, Reason.RESULT_LOST, said, attempts=attempts, started=started)
    if end is None or end.exit_code != 0 or not end.message:
        said = "the work succeeded and gave no result"
        return Outcome(Phase.SUCCEEDED, Reason.SUCCEEDED, said, attempts=attempts, started=started)
    size = len(as_bytes(end.message))
    room = _room(pod)
    if size >= room - CUT_MARGIN:
        said = (
            f"the worker wrote a result of {size} bytes or more, but the termination message of a pod with "
            f"{pod.container_count} container(s) holds {room} bytes and may have been cut; write at most "
            f"{room - CUT_MARGIN - 1} bytes to $ALO_RESULT_FILE, report the result, or write where it is"
        )
        failure = Failure(
            type=FailureType.WORKER,
            reason=Reason.RESULT_TOO_LARGE,
            message=said,
            retryable=False,
            causes=(Cause(kind="Pod", name=pod.name, reason=Reason.RESULT_TOO_LARGE, exit_code=0),),
        )
        return Outcome(Phase.FAILED, Reason.RESULT_TOO_LARGE, said, failure=failure, attempts=attempts, started=started)
    said = f"the work succeeded and gave a result of {size} bytes"
    return Outcome(
        Phase.SUCCEEDED, Reason.SUCCEEDED, said, result=read_result(end.message), attempts=attempts, started=started
    )


def failed(job: JobView, end: JobEnd, pods: tuple[PodView, ...]) -> Outcome:
    """The outcome of a Failed Job, with the chain from the Job down to the container that failed last."""
    if end.reason == "DeadlineExceeded":
        # The only deadline a Job of ours can have is the backstop.
        said = "the work took longer than it may (timeouts.startToClose); no operator was there to end it sooner"
        late = rejected(Reason.START_TO_CLOSE_TIMEOUT, said, FailureType.TIMEOUT, retryable=True)
        return replace(late, started=_earliest(pods) or job.start_time)
    causes = [Cause(kind="Job", name=job.name, reason=_word(end.reason), message=limits.clip(end.message, _CAUSE_TEXT))]
    pod = _last_failed(pods)
    culprit = _culprit(pod) if pod else None
    reason, message = _why(end, pod, culprit)
    if pod:
        causes.append(
            Cause(
                kind="Pod",
                name=pod.name,
                reason=_word(pod.reason or pod.disrupted or pod.phase),
                message=limits.clip(pod.message.strip(), _CAUSE_TEXT) or None,
            )
        )
    if culprit and culprit.end:
        causes.append(
            Cause(
                kind="Container",
                name=culprit.name,
                reason=_word(culprit.end.reason),
                message=limits.clip(culprit.end.message.strip(), _CAUSE_TEXT) or None,
                exit_code=culprit.end.exit_code,
            )
        )
    surroundings = reason in (Reason.EVICTED, Reason.JOB_FAILED)
    # A pod that took more local storage than its own limit is evicted without a DisruptionTarget, and would be again.
    own_fault = pod is not None and pod.reason == "Evicted" and not pod.disrupted
    failure = Failure(
        type=FailureType.INFRASTRUCTURE if surroundings else FailureType.WORKER,
        reason=reason,
        message=message,
        retryable=surroundings and not own_fault,
        causes=tuple(causes),
    )
    worker = pod.worker.end if pod and pod.worker else None
    return Outcome(
        Phase.FAILED,
        reason,
        _in_one_line(message),
        failure=failure,
        attempts=_attempts(job, pod, worker),
        # Pods that are there and never ran anything were deleted, or refused by their node, before the start.
        started=_earliest(pods) if pods else job.start_time,
    )


def with_last_words(outcome: Outcome, job: JobView, pods: tuple[PodView, ...]) -> Outcome:
    """`outcome` of work that was stopped, with what its pods said last: how they ended, and a partial result.

    Only a worker that exited 0 gives a result; anything else that stands there may be the tail of its log.
    """
    ended = [p for p in pods if p.worker and p.worker.end]
    # Of an Indexed Job the index that gives the value, as far as it was heard.
    told = [p for p in ended if p.index == "0"] if job.indexed else []
    pod = max(told or ended, key=_finish_key, default=None)
    if pod is None or pod.worker is None or pod.worker.end is None:
        return outcome
    end = pod.worker.end
    attempts = Attempts(
        count=job.failed + job.succeeded + 1,
        last=LastAttempt(pod=pod.name, exit_code=end.exit_code, reason=_word(end.reason)),
    )
    result = None
    gives = job.gives_value and (not job.indexed or pod.index == "0")
    if gives and end.exit_code == 0 and end.message and len(as_bytes(end.message)) < _room(pod) - CUT_MARGIN:
        result = read_result(end.message).model_copy(update={"partial": True})
    return replace(outcome, attempts=attempts, result=result, started=_earliest(pods))


def with_reported(outcome: Outcome, reported: Reported | None, pods: tuple[PodView, ...] = ()) -> Outcome:
    """`outcome` of work that was stopped before its end, with what it had handed in by then as the partial result.

    `pods`: what was heard of its pods last; what an attempt before theirs has handed in is not taken.
    """
    stopped = outcome.phase in (Phase.CANCELLED, Phase.TIMED_OUT)
    if reported is None or not stopped or (pods and all(pod.uid != reported.attempt for pod in pods)):
        return outcome
    return replace(outcome, result=result_of(reported, partial=True))


def rejected(reason: Reason, message: str, kind: FailureType, *, retryable: bool = False) -> Outcome:
    """The outcome of an operation that no worker decided."""
    message = limits.clip(message, limits.REASON)
    failure = Failure(type=kind, reason=reason, message=message, retryable=retryable)
    phase = {FailureType.TIMEOUT: Phase.TIMED_OUT, FailureType.CANCELLED: Phase.CANCELLED}.get(kind, Phase.FAILED)
    return Outcome(phase, reason, message, failure=failure)


def _room(pod: PodView) -> int:
    """Bytes the kubelet keeps of one container's termination message."""
    return min(MESSAGE_BYTES, POD_MESSAGES_BYTES // max(pod.container_count, 1))


def _word(reason: str) -> str | None:
    return limits.clip(reason, limits.WORD) or None


def _attempts(job: JobView, pod: PodView | None, end: ContainerEnd | None) -> Attempts:
    last = LastAttempt(
        pod=pod.name if pod else None,
        exit_code=end.exit_code if end else None,
        reason=_word(end.reason) if end else None,
    )
    return Attempts(count=max(job.succeeded + job.failed, 1), last=last if pod else None)


def _earliest(pods: tuple[PodView, ...]) -> datetime | None:
    starts = (c.end.started if c.end else c.running_since for p in pods for c in p.containers if not c.init)
    return min((start for start in starts if start), default=None)


def _last_failed(pods: tuple[PodView, ...]) -> PodView | None:
    failed_pods = [pod for pod in pods if pod.phase == "Failed"]
    return max(failed_pods, key=_finish_key, default=None)


def _finish_key(pod: PodView) -> tuple[str, str]:
    ends = [c.end.finished.isoformat() for c in pod.containers if c.end and c.end.finished]
    return max(ends, default=""), pod.created.isoformat() if pod.created else ""


def _in_one_line(message: str) -> str:
    """`message` for a table or an Event: of a text of several lines its beginning and the last line, which says why."""
    first, *rest = message.splitlines() or [""]
    head, colon, _ = first.partition(": ")
    return f"{head}: {rest[-1].strip()}" if rest and colon else first


def _culprit(pod: PodView) -> ContainerView | None:
    """The container that explains the pod's failure: the worker, unless another one failed and it did not."""
    bad = [c for c in pod.containers if c.end and c.end.exit_code != 0]
    return next((c for c in bad if c.name == pod.worker_name and not c.init), next(iter(bad), None))


def _why(end: JobEnd, pod: PodView | None, culprit: ContainerView | None) -> tuple[Reason, str]:
    reason, said = _reason_and_words(end, pod, culprit)
    return reason, limits.clip(said, limits.REASON)


def _reason_and_words(end: JobEnd, pod: PodView | None, culprit: ContainerView | None) -> tuple[Reason, str]:
    if pod and pod.reason == "Evicted":
        return Reason.EVICTED, f"pod {pod.name} was evicted: {pod.message.strip()}"
    if pod and pod.reason == "DeadlineExceeded":
        said = pod.message.strip() or "it ran longer than it may"
        return Reason.DEADLINE_EXCEEDED, f"pod {pod.name} met its own activeDeadlineSeconds: {said}"
    ended = _how_it_ended(culprit.name, culprit.end) if culprit and culprit.end else None
    # Whoever is told to go exits as it likes; where a rule of the user's speaks of that exit code, the rule counts.
    if pod and pod.disrupted and end.reason != "PodFailurePolicy":
        message = f"pod {pod.name} was disrupted: {pod.disrupted}"
        return Reason.EVICTED, f"{message}; {ended[1]}" if ended else message
    if ended:
        return ended
    message = f"{end.reason or 'Failed'}: {end.message or 'the Job failed'}"
    # A pod that failed by itself stays for as long as its Job does.
    gone = "; no failed pod is left that could say why, as after its deletion or eviction"
    return Reason.JOB_FAILED, message if pod else message + gone


def _how_it_ended(name: str, end: ContainerEnd) -> tuple[Reason, str]:
    reason, message = Reason.NON_ZERO_EXIT, f"container {name} exited with code {end.exit_code}"
    if end.reason == "OOMKilled":
        reason, message = Reason.OOM_KILLED, f"{message} after a process in it was killed: out of memory"
        if end.exit_code == _KILLED:
            message = f"container {name} was killed: out of memory (exit code {end.exit_code})"
    said = end.message.strip()
    return reason, f"{message}: {said}" if said else message
