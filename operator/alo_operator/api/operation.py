"""The two kinds as whole objects, the way the API server hands them out."""

from pydantic import Field

from alo_operator.api.model import ApiModel, Timestamp, is_empty
from alo_operator.api.names import API_VERSION, OPERATION_KIND, TEMPLATE_KIND
from alo_operator.api.spec import OperationSpec
from alo_operator.api.status import OperationStatus
from alo_operator.api.template import TemplateSpec


class OwnerReference(ApiModel):
    """An object this one belongs to."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False


class ObjectMeta(ApiModel):
    """The part of Kubernetes' object metadata that decisions rest on; managedFields and the rest are dropped."""

    name: str = Field(default="", exclude_if=is_empty)
    namespace: str = Field(default="", exclude_if=is_empty)
    uid: str = Field(default="", exclude_if=is_empty)
    resource_version: str = Field(default="", exclude_if=is_empty)
    generation: int = Field(default=0, exclude_if=is_empty)
    creation_timestamp: Timestamp | None = None
    deletion_timestamp: Timestamp | None = None
    labels: dict[str, str] = Field(default_factory=dict, exclude_if=is_empty)
    annotations: dict[str, str] = Field(default_factory=dict, exclude_if=is_empty)
    finalizers: tuple[str, ...] = Field(default=(), exclude_if=is_empty)
    owner_references: tuple[OwnerReference, ...] = Field(default=(), exclude_if=is_empty)


class AsyncOperation(ApiModel):
    """A durable promise: work that is asked for once, under a name of the caller's choosing, and its answer.

    The name is the operation's id. Applying the same manifest again changes nothing; deleting it cancels the work.
    """

    api_version: str = API_VERSION
    kind: str = OPERATION_KIND
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: OperationSpec = Field(description="What to run, with which input, within which limits, and whom to tell.")
    status: OperationStatus = Field(
        default_factory=OperationStatus,
        description="The answer: not yet, fulfilled with a result, or rejected for a reason. Only the operator "
        "writes it.",
    )


class OperationTemplate(ApiModel):
    """An operation that a platform team offers by name, with its Job, its schemas and its limits.

    A change touches only operations that have not started yet.
    """

    api_version: str = API_VERSION
    kind: str = TEMPLATE_KIND
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: TemplateSpec = Field(description="What the operation runs and what it takes and gives.")
