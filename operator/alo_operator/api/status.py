"""What the operator answers: the status of an AsyncOperation."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from alo_operator.api import limits
from alo_operator.api.model import (
    ATOMIC_LIST,
    ApiModel,
    Count,
    Digest,
    Message,
    ObjectName,
    Reason,
    Timestamp,
    Uid,
    Word,
    is_empty,
    map_list,
)
from alo_operator.api.phases import Phase, Promise
from alo_operator.api.spec import Retention, Timeouts

ContentType = Annotated[str, Field(max_length=limits.CONTENT_TYPE)]


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class DeliveryState(StrEnum):
    """How far the outcome's delivery to one callback has come."""

    PENDING = "Pending"
    DELIVERED = "Delivered"
    DEAD_LETTERED = "DeadLettered"


class Condition(ApiModel):
    """One aspect of the operation's state, as Kubernetes' own metav1.Condition has it."""

    type: Annotated[str, Field(min_length=1, max_length=limits.WORD)] = Field(
        description="The aspect: Accepted, Started, Suspended, CancelRequested, Completed, Succeeded, Retained, "
        "Ready, Reconciling or Stalled."
    )
    status: ConditionStatus = Field(description="True, False or Unknown.")
    observed_generation: Count | None = Field(
        default=None, description="The metadata.generation this condition was decided for."
    )
    last_transition_time: Timestamp = Field(description="When status last changed.")
    reason: Annotated[str, Field(min_length=1, max_length=limits.WORD, pattern=r"^[A-Za-z]([A-Za-z0-9_]*)$")] = Field(
        description="Why, in one CamelCase word from the documented list; programs may rely on it."
    )
    message: Message = Field(default="", description="Why, in a sentence for people.")


class JobRef(ApiModel):
    """The Job that does the work."""

    name: ObjectName = Field(description="Name of the Job, in the operation's namespace.")
    uid: Uid = Field(description="Uid of the Job: another Job of the same name is not this one.")


class TemplateStatus(ApiModel):
    """The template as it was when the operation took it up."""

    generation: Count = Field(description="metadata.generation of the OperationTemplate that was used.")
    digest: Digest = Field(description="Digest of the template's spec that was used.")
    retention: Retention | None = Field(
        default=None, description="The retention the template gave, for when spec.retention is changed later."
    )


class Effective(ApiModel):
    """The limits that really apply."""

    timeouts: Timeouts | None = Field(
        default=None, description="The timeouts in force, after the template's and the operator's defaults."
    )
    retention: Retention | None = Field(
        default=None, description="The retention in force, after the template's and the operator's defaults."
    )


class Progress(ApiModel):
    """How far the work has come, as far as anybody said."""

    percent: Annotated[int, Field(ge=0, le=100)] | None = Field(
        default=None, description="Part of the work that is done, 0 to 100."
    )
    done: Count | None = Field(default=None, description="Units of work done so far.")
    total: Count | None = Field(default=None, description="Units of work in all, where that is known.")
    unit: Word | None = Field(default=None, description="What done and total count, such as files or rows.")
    message: Annotated[str, Field(max_length=limits.REASON)] | None = Field(
        default=None, description="What the worker is doing now, in its own words."
    )
    summary: Annotated[str, Field(max_length=limits.SUMMARY)] | None = Field(
        default=None, description='The progress in a few characters, such as "3/10" or "40%", for the table column.'
    )
    update_time: Timestamp | None = Field(default=None, description="When the progress was last reported.")


class ResultRef(ApiModel):
    """The object that holds a result too large for status."""

    kind: Annotated[str, Field(min_length=1, max_length=limits.NAME)] = Field(
        description="Kind of the object: ConfigMap."
    )
    name: ObjectName = Field(description="Name of the object, in the operation's namespace.")
    key: ObjectName = Field(description="The key inside the object that holds the result.")


class Reported(ApiModel):
    """A result that a worker has handed in and that has not settled the operation yet."""

    attempt: Uid = Field(description="Uid of the pod that handed it in.")
    value: Any = Field(
        default=None, description="The reported result itself, where it is at most 4 KiB; absent where ref holds it."
    )
    ref: ResultRef | None = Field(default=None, description="The object that holds a larger reported result.")
    bytes: Count = Field(default=0, description="Size of the reported result in bytes.")
    sha256: Digest | None = Field(default=None, description="SHA-256 of the reported result, in hexadecimal.")
    content_type: ContentType | None = Field(
        default=None, description="Media type the worker gave, such as application/json."
    )


class LastAttempt(ApiModel):
    """The latest run of the work."""

    pod: ObjectName | None = Field(default=None, description="Name of the attempt's pod.")
    exit_code: int | None = Field(default=None, description="Exit code of the worker container.")
    reason: Word | None = Field(
        default=None, description="Why the container ended, in Kubernetes' word, such as Completed or OOMKilled."
    )


class Attempts(ApiModel):
    """How often the work was tried."""

    count: Count = Field(description="Number of attempts, the current one included.")
    last: LastAttempt | None = Field(default=None, description="The latest attempt.")


class Result(ApiModel):
    """What the work gave back."""

    value: Any = Field(
        default=None,
        description="The result itself, where it is at most 4 KiB: any JSON value, or a string where the worker wrote "
        "no JSON. Absent when the work gave none, when ref holds it, and for JSON's null (then bytes is 4).",
    )
    ref: ResultRef | None = Field(default=None, description="The object that holds a larger result.")
    content_type: ContentType | None = Field(default=None, description="Media type of the result.")
    bytes: Count | None = Field(default=None, description="Size of the result in bytes.")
    sha256: Digest | None = Field(default=None, description="SHA-256 of the result's bytes, in hexadecimal.")
    partial: bool | None = Field(
        default=None, description="True when the work was stopped before its end and gave back what it had."
    )


class Cause(ApiModel):
    """One link in the chain of what went wrong."""

    kind: Word = Field(description="What failed, such as Job, Pod or Container.")
    name: ObjectName | None = Field(default=None, description="Its name, where it has one.")
    reason: Word | None = Field(default=None, description="Why, in one word.")
    message: Message | None = Field(default=None, description="Why, in the words of whoever noticed.")
    exit_code: int | None = Field(default=None, description="The exit code, where a container failed.")


class Failure(ApiModel):
    """Why the operation was rejected."""

    type: Word = Field(description="The kind of failure, in one CamelCase word; programs may rely on it.")
    reason: Word = Field(description="The same word as the reason of the condition Succeeded.")
    message: Message | None = Field(default=None, description="What went wrong, in words for people.")
    retryable: bool | None = Field(
        default=None, description="Whether the same work, under a new name, might succeed unchanged."
    )
    causes: tuple[Cause, ...] = Field(
        default=(),
        json_schema_extra=ATOMIC_LIST,
        exclude_if=is_empty,
        max_length=limits.CAUSES,
        description="What led to it, outermost first, at most 8.",
    )


class Cancellation(ApiModel):
    """How a cancellation went: requested, delivered to the work, settled."""

    request_time: Timestamp = Field(description="When the cancellation was first seen.")
    source: Word = Field(
        description="Who asked: a caller through spec.cancel, the deletion, or the timeout that passed."
    )
    reason: Reason | None = Field(default=None, description="The reason the caller gave, or which timeout passed.")
    deliver_time: Timestamp | None = Field(
        default=None, description="When the work was told to stop. Absent while, or because, there was none to tell."
    )
    settle_time: Timestamp | None = Field(default=None, description="When the cancellation was over.")


class Delivery(ApiModel):
    """How telling one callback went."""

    name: Annotated[str, Field(min_length=1, max_length=limits.NAME)] = Field(description="Name of the callback.")
    state: DeliveryState = Field(
        description="Pending (still to be told), Delivered, or DeadLettered (given up; see lastError)."
    )
    attempts: Count = Field(default=0, description="How often it was tried.")
    last_attempt_time: Timestamp | None = Field(default=None, description="When it was last tried.")
    next_attempt_time: Timestamp | None = Field(default=None, description="When it will be tried next.")
    last_status: int | None = Field(default=None, description="HTTP status of the last answer, if there was one.")
    last_error: Annotated[str, Field(max_length=limits.DELIVERY_ERROR)] | None = Field(
        default=None, description="What went wrong at the last try."
    )
    target: Annotated[str, Field(max_length=limits.WORD)] | None = Field(
        default=None,
        description="A digest of the callback's entry, which tells another callback of the same name apart.",
    )


class OperationStatus(ApiModel):
    """The one answer a caller needs: not yet, fulfilled with this result, or rejected for this reason."""

    observed_generation: int = Field(
        default=-1,
        description="The metadata.generation the operator has taken in. -1: it has not seen the operation yet.",
    )
    promise: Promise = Field(
        default=Promise.PENDING,
        description="The answer: Pending (not yet), Fulfilled (see result) or Rejected (see failure). Once it is not "
        "Pending it never changes, and the API server refuses whoever tries.",
    )
    phase: Phase = Field(
        default=Phase.PENDING,
        description="Where the operation stands: Pending, Running, Paused or Cancelling; at the end Succeeded, "
        "Failed, Cancelled or TimedOut.",
    )
    spec_digest: Digest | None = Field(
        default=None,
        description="Digest of what defines the work: templateRef, job, input, metadata and timeouts, as canonical "
        "JSON (RFC 8785).",
    )
    template: TemplateStatus | None = Field(default=None, description="Which state of the template was used.")
    effective: Effective | None = Field(
        default=None, description="Timeouts and retention in force, written when the work is started."
    )
    start_time: Timestamp | None = Field(default=None, description="When the work first started.")
    completion_time: Timestamp | None = Field(default=None, description="When the promise was settled.")
    conditions: tuple[Condition, ...] = Field(
        default=(),
        json_schema_extra=map_list("type"),
        exclude_if=is_empty,
        max_length=limits.CONDITIONS,
        description="Aspects of the state, one entry per type. Completed is True once the operation has ended, "
        "whatever the outcome; Succeeded says how.",
    )
    job: JobRef | None = Field(default=None, description="The Job that does the work.")
    progress: Progress | None = Field(default=None, description="How far the work has come.")
    reported: Reported | None = Field(
        default=None, description="A result a worker has handed in before its end; it counts once the work has ended."
    )
    attempts: Attempts | None = Field(default=None, description="How often the work was tried.")
    result: Result | None = Field(
        default=None, description="What the work gave back; of cancelled work, what it had by then."
    )
    failure: Failure | None = Field(default=None, description="Why the promise was rejected.")
    cancellation: Cancellation | None = Field(
        default=None, description="How a cancellation went, whoever asked for it. Once here it stays."
    )
    deliveries: tuple[Delivery, ...] = Field(
        default=(),
        json_schema_extra=map_list("name"),
        exclude_if=is_empty,
        max_length=limits.CALLBACKS,
        description="How telling each callback went.",
    )
    redelivery: Annotated[str, Field(max_length=limits.REDELIVERY)] | None = Field(
        default=None,
        description="The value of the annotation alo-operator.io/redeliver that was taken in last.",
    )
