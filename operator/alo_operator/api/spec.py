"""What a caller asks for: the spec of an AsyncOperation."""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from alo_operator.api import limits
from alo_operator.api.model import (
    RAW_OBJECT_SCHEMA,
    ApiModel,
    DnsLabel,
    Duration,
    JsonObject,
    ObjectName,
    Reason,
    is_empty,
    map_list,
)

# Nothing before the host, and no backslash, which some take for a slash.
_URL: Final = r"^https?://[^\s/?#@\\]+([/?#][^\s]*)?$"


class ReadyWhen(StrEnum):
    """How far an operation must have come for its Ready condition to be True."""

    ACCEPTED = "Accepted"
    STARTED = "Started"
    SUCCEEDED = "Succeeded"


class CallbackFormat(StrEnum):
    """The shape of the message a callback receives."""

    STANDARD_WEBHOOKS = "StandardWebhooks"
    CLOUD_EVENTS = "CloudEvents"


def _has_job_spec(job: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(job.get("spec"), dict):
        raise ValueError("job.spec is missing or not an object: write the spec of a batch/v1 Job there")  # noqa: TRY004  (pydantic wants it)
    return job


JobTemplate = Annotated[
    JsonObject,
    AfterValidator(_has_job_spec),
    WithJsonSchema(
        {
            "type": "object",
            "required": ["spec"],
            "properties": {
                "metadata": {
                    **RAW_OBJECT_SCHEMA,
                    "description": "Labels and annotations for the Job, as in a batch/v1 Job.",
                },
                "spec": {
                    **RAW_OBJECT_SCHEMA,
                    "description": "The spec of a batch/v1 Job. The API server checks it when the Job is made; a "
                    "field it does not know or accept ends the operation as InvalidJob with the server's own words.",
                },
            },
        }
    ),
]
"""`{metadata?: {...}, spec: {...}}` as raw JSON; the API server judges the rest when the Job is posted."""


class TemplateRef(ApiModel):
    """Names an OperationTemplate."""

    name: DnsLabel = Field(description="Name of an OperationTemplate in the same namespace.")


class Timeouts(ApiModel):
    """How long each stretch of an operation may last."""

    schedule_to_start: Duration | None = Field(
        default=None,
        description="The longest time from the operation's creation until its work has started. It goes on counting "
        "while the operation is paused before its start. Absent: it may wait for ever.",
    )
    start_to_close: Duration | None = Field(
        default=None,
        description="The longest time from the start of the work to its end. Counts anew each time the operation is "
        "resumed after a pause. Absent: the work may run for ever.",
    )
    schedule_to_close: Duration | None = Field(
        default=None,
        description="The longest time from the operation's creation to its end, by the clock on the wall: neither "
        "waiting nor a pause stops it. Absent: no limit.",
    )

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return any(limit for _, limit in self)

    def else_of(self, other: "Timeouts") -> "Timeouts":
        """These limits, and for each that is absent the other's."""
        return other.model_copy(update={name: limit for name, limit in self if limit is not None})


class SecretKeyRef(ApiModel):
    """Names one key of a Secret."""

    name: ObjectName = Field(
        description="Name of a Secret in the same namespace. It must carry the label "
        'alo-operator.io/signing-key: "true".'
    )
    key: Annotated[str, Field(min_length=1, max_length=limits.OBJECT_NAME)] = Field(
        description="The key inside the Secret's data that holds the signing key, or several of them, one a line, "
        "while keys are being changed over."
    )


class Callback(ApiModel):
    """Somebody who is told over HTTP how the operation ended."""

    name: DnsLabel = Field(description="Name of this callback, unique in the operation. Its deliveries carry it.")
    url: Annotated[str, Field(min_length=1, max_length=limits.URL, pattern=_URL)] = Field(
        description="Where to send the outcome with POST. The address must be routable on the Internet unless the "
        "operator's settings allow its network or host; redirects are not followed. It has no user name and no "
        "password: messages are signed instead."
    )
    format: CallbackFormat = Field(
        default=CallbackFormat.STANDARD_WEBHOOKS,
        description="The shape of the message: StandardWebhooks (signed with HMAC, needs secretRef) or CloudEvents "
        "(structured JSON).",
    )
    secret_ref: SecretKeyRef | None = Field(
        default=None, description="The Secret that holds the key for signing messages to this callback."
    )


class CancelRequest(ApiModel):
    """A request to stop the work and keep the record."""

    reason: Reason | None = Field(
        default=None, description="Why, in words for people. It is kept in status.cancellation.reason."
    )


class Retention(ApiModel):
    """How long things are kept after the end."""

    job: Duration | None = Field(
        default=None,
        description="How long the Job and its pods stay after the operation has ended; then they are deleted and the "
        "record stays. Absent: the template's value, then the operator's default.",
    )
    record: Duration | None = Field(
        default=None,
        description="How long the AsyncOperation itself stays after it has ended. It is never deleted while a "
        "callback is still to be told, nor where Argo CD, Flux or Helm owns it. Once it is gone, applying the same "
        "manifest runs the work again. Absent: the template's value; if that is absent too, it is kept for ever.",
    )


class OperationSpec(ApiModel):
    """What to run, with which input, within which limits, and whom to tell."""

    template_ref: TemplateRef | None = Field(
        default=None,
        description="The OperationTemplate to run. Give either templateRef or job. Cannot be changed.",
    )
    job: JobTemplate | None = Field(
        default=None,
        description="The work itself: a batch/v1 Job's metadata (labels and annotations) and spec. Give either "
        "templateRef or job. suspend, activeDeadlineSeconds and ttlSecondsAfterFinished are the operator's; "
        "selector, manualSelector, managedBy and the restart policy OnFailure are refused. Cannot be changed.",
    )
    input: JsonObject | None = Field(
        default=None,
        description="The input of the work: a JSON object of at most 64 KiB. The worker finds it in the file "
        "/alo/in/input.json. Whoever may read pods can read it, so put no secrets here. Cannot be changed.",
    )
    metadata: dict[str, Annotated[str, Field(max_length=limits.METADATA_CHARACTERS)]] | None = Field(
        default=None,
        max_length=limits.METADATA_ENTRIES,
        description="Words of your own about the operation, such as who asked for it: at most 64 entries and "
        "8192 characters in all. They are sent along with every outcome. Cannot be changed.",
    )
    timeouts: Timeouts | None = Field(
        default=None,
        description="Limits on how long the operation may wait and run. When one passes, the work is cancelled and "
        "the operation ends as TimedOut. Written like 90s, 10m or 1h30m; 0 is no time at all. Values left out come "
        "from the template. Cannot be changed.",
    )
    callbacks: tuple[Callback, ...] = Field(
        default=(),
        json_schema_extra=map_list("name"),
        exclude_if=is_empty,
        max_length=limits.CALLBACKS,
        description="Who is told over HTTP how the operation ended, at least once each. An entry cannot be changed: "
        "remove it to unsubscribe, add one under a new name to subscribe, even after the end.",
    )
    suspend: bool = Field(
        default=False,
        description="True pauses the operation: its pods are stopped, and a fresh attempt starts when it is false "
        "again. An operation paused before its start makes no Job.",
    )
    cancel: CancelRequest | None = Field(
        default=None,
        description="Its presence asks to cancel the work while the record is kept; an empty object is enough. A "
        "request once recorded in status.cancellation stands, even if this field is removed again. After the end "
        "it changes nothing.",
    )
    ready_when: ReadyWhen = Field(
        default=ReadyWhen.SUCCEEDED,
        description="What the condition Ready waits for, and with it Flux, Helm and Argo CD: Accepted (the promise is "
        "durable), Started (the work runs) or Succeeded. With Accepted or Started, a later failure does not take "
        "Ready back.",
    )
    retention: Retention | None = Field(
        default=None,
        description="How long the Job and this record are kept after the operation has ended. Written like 90s, 10m or "
        "720h; 0 is no time at all.",
    )

    @model_validator(mode="after")
    def _one_source_of_work(self) -> "OperationSpec":
        if (self.template_ref is None) == (self.job is None):
            raise ValueError("give exactly one of templateRef and job")
        return self
