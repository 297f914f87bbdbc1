"""The contract as a program: one promise, what callers may ask of it, and which answers the facts allow.

It is told what happened, in the order in which the API server took it in, and knows nothing of how the operator
decides. Where the contract leaves room (a cancellation that races the end of the work), several answers are allowed;
where it leaves none, one is. Nothing of `alo_operator.desired` is used here: both were written from the same words.

    verb            no record      promise pending               promise settled
    create          taken          refused                       refused
    apply the same  taken          unchanged, but what others    the same
                                   have changed and it names
    apply other     taken          refused                       refused
    cancel          missing        taken; the work is stopped    taken; recorded, changes nothing
    pause, resume   missing        taken                         taken; changes nothing
    subscribe,      missing        taken                         taken; who came is told, who left is not
    unsubscribe
    tell again      missing        taken                         taken; those who were told are told once more
    delete          missing        taken; the work is stopped    taken; the record goes
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from alo_operator.api.conditions import Reason
from alo_operator.api.phases import Phase, Promise


class Verb(StrEnum):
    """What a caller can do; the words of the coverage table."""

    CREATE = "create"
    APPLY_SAME = "apply the same"
    APPLY_OTHER = "apply other work"
    CANCEL = "cancel"
    DELETE = "delete"
    PAUSE = "pause"
    RESUME = "resume"
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    TELL_AGAIN = "tell again"


class Answer(StrEnum):
    """What the API server says to a verb."""

    TAKEN = "taken"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    MISSING = "missing"


def answer_to(verb: Verb, *, recorded: bool, there_already: bool = False) -> Answer:
    """What a caller hears; `recorded`: whether there is a record, `there_already`: whether it asks for what it says."""
    if verb is Verb.CREATE:
        return Answer.REFUSED if recorded else Answer.TAKEN
    if verb is Verb.APPLY_OTHER:
        return Answer.REFUSED if recorded else Answer.TAKEN
    if not recorded:
        return Answer.TAKEN if verb is Verb.APPLY_SAME else Answer.MISSING
    return Answer.UNCHANGED if there_already else Answer.TAKEN


PROMISE_IN: Final = {
    Phase.PENDING: Promise.PENDING,
    Phase.RUNNING: Promise.PENDING,
    Phase.PAUSED: Promise.PENDING,
    Phase.CANCELLING: Promise.PENDING,
    Phase.SUCCEEDED: Promise.FULFILLED,
    Phase.FAILED: Promise.REJECTED,
    Phase.CANCELLED: Promise.REJECTED,
    Phase.TIMED_OUT: Promise.REJECTED,
}
ENDS: Final = frozenset(phase for phase, promise in PROMISE_IN.items() if promise is not Promise.PENDING)
# From where to where; work starts afresh (Pending) only out of a pause, and nothing leaves an end.
TURNS: Final = {
    Phase.PENDING: {Phase.RUNNING, Phase.PAUSED, Phase.CANCELLING, *ENDS},
    Phase.RUNNING: {Phase.PENDING, Phase.PAUSED, Phase.CANCELLING, *ENDS},
    Phase.PAUSED: {Phase.PENDING, Phase.CANCELLING, *ENDS},
    Phase.CANCELLING: set(ENDS),
}

_BY_THE_WORKER: Final = {Reason.NON_ZERO_EXIT, Reason.JOB_FAILED, Reason.EVICTED}
_SUCCESS: Final = {Reason.SUCCEEDED, Reason.RESULT_LOST}


class Teller(StrEnum):
    """Who deletes a Job."""

    OPERATOR = "operator"
    COLLECTOR = "garbage collector"
    SOMEBODY = "somebody"


@dataclass(frozen=True)
class Limits:
    """The timeouts in force; None: no limit."""

    schedule_to_start: timedelta | None = None
    start_to_close: timedelta | None = None
    schedule_to_close: timedelta | None = None


@dataclass
class PromiseModel:
    """One promise; `created` is the record's creationTimestamp. Facts come in through the methods, in order.

    `impossible`: why the work can never run as it is written (InvalidJob, JobNameConflict), or "".
    `templated`: it runs what a template says, so it waits for that, and for its turn.
    """

    created: datetime
    limits: Limits = field(default_factory=Limits)
    impossible: str = ""
    templated: bool = False

    stop_asked: bool = False
    pause_wanted: bool = False
    paused_ever: bool = False
    told: bool = False  # the operator has told the work to stop
    collected: bool = False  # the garbage collector has, as the operation was deleted in the foreground
    interfered: bool = False  # somebody else has deleted the Job
    pod_deleted: bool = False  # by anybody: what it says at its end may be its result, and may be lost
    told_at: datetime | None = None  # when anybody did that first
    jobs: int = 0
    ended: tuple[str, str] | None = None  # Complete or Failed and why, before anybody told the Job to stop
    ended_late: tuple[str, str] | None = None  # the same, after that
    began: datetime | None = None  # the work, for the first time
    began_again: datetime | None = None  # the same, since the last pause was over
    handed_in: dict[str, str] = field(default_factory=dict)  # by pod uid: what it reported as its result
    done_by: set[str] = field(default_factory=set)  # uids of pods that exited well
    due: set[str] = field(default_factory=set)
    settled_at: datetime | None = None
    job_over: bool = False  # retention.job has passed
    record_over: bool = False  # retention.record has passed
    keep_job: timedelta | None = None
    keep_record: timedelta | None = None

    # -- facts

    def asked_to_stop(self) -> None:
        """By spec.cancel, or by deletion."""
        self.stop_asked = True

    def pause_is(self, wanted: bool) -> None:
        self.pause_wanted = wanted
        self.paused_ever = self.paused_ever or wanted

    def job_made(self) -> None:
        """Where the contract lets it happen a second time, that Job has not been told anything yet."""
        self.jobs += 1
        self.told_at = None

    def job_told(self, by: Teller, when: datetime) -> None:
        """Its deletion has begun."""
        self.told_at = self.told_at or when
        self.told = self.told or by is Teller.OPERATOR
        self.collected = self.collected or by is Teller.COLLECTOR
        self.interfered = self.interfered or by is Teller.SOMEBODY

    def job_ended(self, kind: str, reason: str, when: datetime) -> None:
        if self.told_at:
            # In the same second nobody can say which came first; later it counts no more.
            self.ended_late = self.ended_late or ((kind, reason) if when <= self.told_at else None)
        else:
            self.ended = self.ended or (kind, reason)

    def work_began(self, when: datetime) -> None:
        self.began = self.began or when
        self.began_again = self.began_again or when

    def work_rests(self) -> None:
        """The operator said Paused, so the next start counts anew."""
        self.began_again = None

    def it_is(self, now: datetime) -> None:
        """Time has come to `now`; what is due once stays due. A clock that was set back starts a run anew."""
        if self.began_again and now < self.began_again:
            self.began_again = now
        limits = self.limits
        marks = (
            (Reason.SCHEDULE_TO_START_TIMEOUT, self.created, limits.schedule_to_start),
            (Reason.SCHEDULE_TO_CLOSE_TIMEOUT, self.created, limits.schedule_to_close),
            (Reason.START_TO_CLOSE_TIMEOUT, self.began_again, limits.start_to_close),
        )
        if self.settled_at:
            self.job_over = self.job_over or (self.keep_job is not None and now >= self.settled_at + self.keep_job)
            over = self.keep_record is not None and now >= self.settled_at + self.keep_record
            self.record_over = self.record_over or over
        self.due |= {reason for reason, since, limit in marks if since and limit and now >= since + limit}

    # -- what follows

    def ends(self) -> dict[Phase, set[str]]:
        """The answers that the facts allow now, with their reasons; none: it has to be pending."""
        allowed: dict[Phase, set[str]] = {}
        if self.ended:
            # It had ended before anybody could stop it, and that counts, whatever was asked meanwhile.
            _allow(allowed, *_end(self.ended))
            if not (self.interfered or self.collected):
                return allowed
        if self.ended_late:
            _allow(allowed, *_end(self.ended_late))
        if self.interfered:
            _allow(allowed, Phase.FAILED, {Reason.OUTCOME_UNKNOWN})
        if self.stop_asked:
            _allow(allowed, Phase.CANCELLED, {Reason.CANCELLED})
        if self.due:
            _allow(allowed, Phase.TIMED_OUT, self.due)
        if self.impossible:
            _allow(allowed, Phase.FAILED, {self.impossible})
        return allowed

    def must_settle(self) -> bool:
        """Whether the operator, given time, has to settle it with nothing more happening."""
        waits_only = self.pause_wanted and self.jobs == 0
        impossible = bool(self.impossible) and not waits_only
        return bool(self.ended or self.interfered or self.stop_asked or impossible)

    def results(self) -> set[str]:
        """What the result of a success may be, where it was not lost; `done` is what a worker writes at its end."""
        reported = {self.handed_in[pod] for pod in self.done_by & self.handed_in.keys()}
        said = {"done", "half"} if self.pod_deleted else {"done"}
        if reported and self.done_by <= self.handed_in.keys():
            return reported
        return said | set(self.handed_in.values())  # the pod that counts may be one that reported nothing

    def partial_results(self) -> set[str]:
        """What a partial result may be."""
        return {*self.handed_in.values(), *({"done", "half"} if self.done_by else ())}

    def may_show(self, phase: Phase) -> bool:
        """Whether the facts allow `phase` at this moment."""
        if phase is Phase.RUNNING:
            return self.began is not None
        if phase is Phase.PAUSED:
            return self.paused_ever
        if phase is Phase.CANCELLING:
            return self.stop_asked or bool(self.due) or bool(self.impossible)
        return phase is Phase.PENDING or phase in self.ends()

    def may_turn(self, old: Phase, new: Phase) -> bool:
        """Whether a status may go from `old` to `new`."""
        if old is new:
            return True
        afresh = old is Phase.RUNNING and new is Phase.PENDING
        return new in TURNS.get(old, set()) and (self.paused_ever or not afresh)

    def may_start_work(self) -> bool:
        """Whether a Job may be made now."""
        return self.jobs == 0


def _allow(allowed: dict[Phase, set[str]], phase: Phase, reasons: set[str]) -> None:
    allowed.setdefault(phase, set()).update(reasons)


def _end(end: tuple[str, str]) -> tuple[Phase, set[str]]:
    kind, reason = end
    if kind == "Complete":
        return Phase.SUCCEEDED, {*_SUCCESS}
    if reason == "DeadlineExceeded":
        return Phase.TIMED_OUT, {Reason.START_TO_CLOSE_TIMEOUT}
    return Phase.FAILED, {*_BY_THE_WORKER}
