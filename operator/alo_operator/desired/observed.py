"""What one reconcile pass sees: a frozen, slim view of one operation and of everything that belongs to it.

The states a pass can meet, in the order of an operation's life; `plan` has one decision for each:

    operation                       Job                                       what is due
    not supported as written        none                                      say so, wait
    fresh                           none                                      finalizer, then Job
    fresh, its template missing     none                                      say so, wait
    fresh, its template unusable    none                                      reject
    fresh, as many run as may       none                                      wait, without a word
    fresh                           refused by the API server                 reject, or wait (quota, RBAC)
    fresh                           of our name, but somebody else's          reject
    pending                         there, no pod ready                       look why, say so
    running                         ready, or pods have finished              say so once; progress
    pending or running              Complete or Failed                        read its pods, settle
    pending or running              gone, and we did not delete it            settle as unknown
    pause asked                     none                                      say so, make none
    pause asked                     live                                      record, suspend, say so when pods are gone
    resume asked                    suspended by us                           resume, record
    cancel asked (any source)       none                                      settle
    cancel asked                    live                                      record, delete, wait for the pods
    settled                         anything                                  finalizer off, follow the generation
    settled, callbacks to be told   anything                                  tell them (see deliveries); finalizer on
    settled, its Job's time over    there                                     delete the Job
    settled, its own time over      anything                                  delete it, or say who holds it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from alo_operator.api.conditions import Reason
from alo_operator.api.names import FINALIZER
from alo_operator.api.phases import Promise
from alo_operator.api.spec import OperationSpec, Timeouts
from alo_operator.api.status import OperationStatus
from alo_operator.delivery.answer import Answer
from alo_operator.desired.fields import Json, moment, number, section, text
from alo_operator.desired.job_view import JobView
from alo_operator.desired.pod_view import PodView
from alo_operator.desired.retention import Keeping, redelivery_asked
from alo_operator.desired.template_view import TemplateView
from alo_operator.desired.verdict import Verdict

_BIG = ("job", "input", "metadata")


@dataclass(frozen=True, slots=True)
class OperationView:
    """One AsyncOperation.

    `raw_spec` is the spec as stored, needed until its Job exists and its digest is in status; a `slim` view has lost
    it. `spec` is None, and `problem` says why, where this version cannot read it. Where it cannot even read the status,
    as after a rollback, `readable` is False: the operation may have ended, so it is left to the newer version.
    """

    name: str
    namespace: str
    uid: str
    resource_version: int
    generation: int
    created: datetime
    deleting: datetime | None
    finalizers: tuple[str, ...]
    traceparent: str
    raw_spec: Json | None
    spec: OperationSpec | None
    status: OperationStatus
    keeping: Keeping
    problem: str = ""
    readable: bool = True
    redeliver: str = ""  # which callbacks are to be told again, as somebody asked

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> OperationView:
        """Read an operation as the API server hands it out; never raises for what users can write."""
        spec, status, problem, readable = None, OperationStatus(), "", False
        try:
            status = OperationStatus.model_validate(section(body, "status"))
            readable = True
            spec = OperationSpec.model_validate(section(body, "spec"))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            problem = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        finalizers = section(body, "metadata").get("finalizers")
        return cls(
            name=text(body, "metadata", "name"),
            namespace=text(body, "metadata", "namespace"),
            uid=text(body, "metadata", "uid"),
            resource_version=int(text(body, "metadata", "resourceVersion") or 0),
            generation=number(body, "metadata", "generation"),
            created=moment(body, "metadata", "creationTimestamp") or datetime.fromtimestamp(0, UTC),
            deleting=moment(body, "metadata", "deletionTimestamp"),
            finalizers=tuple(finalizers) if isinstance(finalizers, list) else (),
            traceparent=text(body, "metadata", "annotations", "traceparent"),
            raw_spec=section(body, "spec"),
            spec=spec,
            status=status,
            keeping=Keeping.from_body(body),
            problem=problem,
            readable=readable,
            redeliver=redelivery_asked(body),
        )

    @property
    def has_finalizer(self) -> bool:
        """Whether deletion waits for us."""
        return FINALIZER in self.finalizers

    @property
    def not_supported(self) -> str:
        """Why this version cannot act on the operation as it is written; "" where it can."""
        return "" if self.spec else f"this operator cannot read the spec: {self.problem}"

    @property
    def settled(self) -> bool:
        """Whether the promise has its answer."""
        return self.status.promise is not Promise.PENDING

    @property
    def followed(self) -> bool:
        """Whether status speaks of the spec as it is now."""
        return self.status.observed_generation >= self.generation

    @property
    def timeouts(self) -> Timeouts:
        """The timeouts in force: each of the operation's own, else the one taken over in status from its template."""
        own = self.spec.timeouts if self.spec else None
        taken = self.status.effective.timeouts if self.status.effective else None
        if own is None or taken is None:
            return own or taken or Timeouts()
        return own.else_of(taken)

    def slim(self) -> OperationView:
        """The view without what only the start of the work needs."""
        if self.spec is None:
            return replace(self, raw_spec=None)
        # Every message to a callback carries the metadata.
        needless = ("job", "input") if self.spec.callbacks else _BIG
        return replace(self, raw_spec=None, spec=self.spec.model_copy(update=dict.fromkeys(needless)))


@dataclass(frozen=True, slots=True)
class Refusal:
    """The API server's answer to our POST of the Job; it is tried again at `retry_at`, or never where that is None."""

    reason: Reason
    message: str
    retry_at: datetime | None = None
    tries: int = 1


@dataclass(frozen=True, slots=True)
class Notes:
    """What this process remembers of an operation; all of it may be lost in a restart without harm."""

    started_seen: datetime | None = None
    last_look: datetime | None = None
    refusal: Refusal | None = None
    job_gone_seen: datetime | None = None
    finalizer_added: bool = False  # by this process, so that no Job can exist that it does not know of
    listening: bool = False  # to the pods of work that is being stopped
    last_words: tuple[PodView, ...] | None = None  # what was heard; set when the listening is over
    event_posted: bool = False  # the one that tells of the end, or one after it
    sending: frozenset[str] = frozenset()  # callbacks in the sender's hands
    answers: tuple[Answer, ...] = ()  # of callbacks; not in status yet
    held: tuple[tuple[str, datetime], ...] = ()  # callbacks whose destination is not to be asked before that time
    down: tuple[tuple[str, datetime], ...] = ()  # those of them whose destination fails for everybody, and since when


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything one decision rests on.

    `job` is the Job as last seen; `job_gone` says that the API server has been asked and has none, `job_doubtful` that
    it has to be asked. `pods` and `creation_failure` are None until somebody has looked.

    Of an operation with a template: `template` as last seen, `template_gone` where the API server was asked and has
    none; the verdicts on its input and result, and whether it is its `turn` to have work, are None until asked for.
    """

    operation: OperationView
    job: JobView | None = None
    job_gone: bool = False
    job_doubtful: bool = False
    pods: tuple[PodView, ...] | None = None
    creation_failure: str | None = None
    notes: Notes = field(default_factory=Notes)
    template: TemplateView | None = None
    template_gone: bool = False
    input_verdict: Verdict | None = None
    result_verdict: Verdict | None = None
    turn: bool | None = None

    @property
    def unrecorded_work(self) -> bool:
        """Whether an earlier process may have made a Job of which no status tells; only its pods would show."""
        first_here = self.notes.finalizer_added or self.notes.refusal is not None
        return self.operation.has_finalizer and self.operation.status.job is None and not first_here
