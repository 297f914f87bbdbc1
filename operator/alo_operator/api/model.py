"""What all models of the API share: the base class, the field types with their limits, and the way to the wire.

A field's description is its text in the CRD, in `kubectl explain` and in the reference: write it for users.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict

from alo_operator.api import limits
from alo_operator.api.durations import DURATION_MAX_LENGTH, DURATION_MIN_LENGTH, DURATION_PATTERN


class ApiModel(BaseModel):
    """A frozen piece of the API; fields are camelCase on the wire, unknown ones are dropped."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


def to_wire(model: BaseModel) -> dict[str, Any]:
    """`model` as the JSON object the API server takes: camelCase, absent fields left out, times as text.

    Only fields of models are left out; a null inside raw JSON (`input`, `job`, `value`) stays.
    """
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def format_time(moment: datetime) -> str:
    """`moment` as RFC 3339 in UTC with a Z; microseconds only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def is_empty(value: object) -> bool:
    """Whether a field's value says nothing, so that the wire can do without it."""
    return not value


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


Timestamp = Annotated[AwareDatetime, AfterValidator(_in_utc), PlainSerializer(format_time, return_type=str)]
"""A moment in UTC; RFC 3339 with a Z on the wire."""

Duration = Annotated[
    str,
    Field(
        pattern=DURATION_PATTERN,
        min_length=DURATION_MIN_LENGTH,
        max_length=DURATION_MAX_LENGTH,
    ),
]
"""A length of time as text; `durations.parse_duration` reads it."""

DnsLabel = Annotated[str, Field(min_length=1, max_length=limits.NAME, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
"""Lower-case letters, digits and dashes, at most 63 of them."""

ObjectName = Annotated[str, Field(min_length=1, max_length=limits.OBJECT_NAME)]
"""The name of another Kubernetes object; whether it is a good one is for that object's own API to say."""

Word = Annotated[str, Field(max_length=limits.WORD)]
Uid = Annotated[str, Field(max_length=limits.UID)]
Digest = Annotated[str, Field(max_length=limits.DIGEST)]
Message = Annotated[str, Field(max_length=limits.MESSAGE)]
Reason = Annotated[str, Field(max_length=limits.REASON)]
Count = Annotated[int, Field(ge=0)]

JsonObject = dict[str, Any]
"""A raw JSON object, kept as it came. Its CRD schema is `RAW_OBJECT_SCHEMA`."""

# Not "type: object" with preserve-unknown-fields: CEL's equality skips a key of such an object that the other side
# lacks, so that {a: 1} equals {b: 1}. With every value declared as preserved, equality goes all the way down.
RAW_OBJECT_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": {"nullable": True, "x-kubernetes-preserve-unknown-fields": True},
    "x-kubernetes-map-type": "atomic",
}

ATOMIC_LIST: Final[JsonDict] = {"x-kubernetes-list-type": "atomic"}


def map_list(key: str) -> JsonDict:
    """Schema extension of a list whose entries are told apart by the field `key`."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
