"""What a platform team offers: the spec of an OperationTemplate."""

from typing import Annotated

from pydantic import Field

from alo_operator.api import limits
from alo_operator.api.model import ApiModel, DnsLabel, JsonObject, is_empty, map_list
from alo_operator.api.spec import JobTemplate, Retention, Timeouts


class EnvFromInput(ApiModel):
    """An environment variable that takes its value from the input."""

    name: Annotated[str, Field(min_length=1, max_length=limits.OBJECT_NAME, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = (
        Field(description="Name of the environment variable in the worker container.")
    )
    from_input: Annotated[str, Field(min_length=1, max_length=limits.OBJECT_NAME)] = Field(
        description="Name of the top-level field of the input that gives the value. Strings are taken as they are, "
        "anything else as JSON."
    )


class Concurrency(ApiModel):
    """How much of a template may run at once."""

    limit: Annotated[int, Field(ge=1)] = Field(
        description="The most operations of this template that run at the same time. The rest wait, oldest first."
    )


class TemplateSpec(ApiModel):
    """An operation that callers can ask for by name, without seeing or choosing its Job."""

    service: DnsLabel = Field(
        default="default",
        description="The service this operation belongs to, for callers who address it as service and operation. "
        "Absent: the service called default.",
    )
    description: Annotated[str, Field(max_length=limits.DESCRIPTION)] | None = Field(
        default=None, description="What the operation does, for the people who use it."
    )
    input_schema: JsonObject | None = Field(
        default=None,
        description="JSON Schema (draft 2020-12) for the input. An operation whose input does not match is rejected, "
        "and the failure names the place. References to other documents are not followed.",
    )
    result_schema: JsonObject | None = Field(
        default=None,
        description="JSON Schema (draft 2020-12) for the result. Work that gives back anything else is a failure.",
    )
    env: tuple[EnvFromInput, ...] = Field(
        default=(),
        json_schema_extra=map_list("name"),
        exclude_if=is_empty,
        max_length=limits.ENV,
        description="Environment variables of the worker container that take their values from the input. The input "
        "is never put anywhere else in the pod's spec.",
    )
    job: JobTemplate = Field(
        description="The work: a batch/v1 Job's metadata (labels and annotations) and spec, under the rules that hold "
        "for an operation's own job."
    )
    timeouts: Timeouts | None = Field(
        default=None, description="Timeouts of operations that do not give their own; each value is taken by itself."
    )
    retention: Retention | None = Field(
        default=None, description="Retention of operations that do not give their own; each value is taken by itself."
    )
    concurrency: Concurrency | None = Field(
        default=None, description="How many operations of this template may run at once. Absent: any number."
    )
