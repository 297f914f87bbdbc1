"""Our own kinds: the schemas of their CRDs, and the rules in CEL said again in Python."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Final

from alo_operator.api import crd, limits, names, rules
from tests.support.memory import schemas
from tests.support.memory.documents import same
from tests.support.memory.kinds import Kind
from tests.support.memory.refusals import bad_request
from tests.support.memory.schemas import ABSENT

Body = dict[str, Any]


def _stays(field: str, value: Any, old: Any) -> bool:
    return same(value.get(field), old.get(field)) and (field in value) == (field in old)


def _has_name_of_label(value: Any, old: Any) -> bool:
    if old is not ABSENT:
        return True
    name = value["metadata"]["name"]
    return len(name) <= limits.NAME and "." not in name


def _has_one_source(value: Any, old: Any) -> bool:
    if old is not ABSENT:
        return True
    return ("templateRef" in value) != ("job" in value)


def _has_short_metadata(value: Any, _: Any) -> bool:
    return sum(len(key) + len(text) for key, text in value.items()) <= limits.METADATA_CHARACTERS


def _can_sign(value: Any, _: Any) -> bool:
    return value["format"] != "StandardWebhooks" or "secretRef" in value


def _is_unsettled(status: Body) -> bool:
    return bool(status.get("promise", "Pending") == "Pending")


def _has_status(value: Any, old: Any) -> bool:
    return "status" in value or _is_unsettled(old.get("status", {}))


def _is_frozen(value: Any, old: Any) -> bool:
    return _is_unsettled(old) or (
        all(_stays(field, value, old) for field in rules.FROZEN_FIELDS)
        and all(_states(value, kind) == _states(old, kind) for kind in rules.FROZEN_CONDITIONS)
    )


def _states(status: Body, kind: str) -> list[str]:
    return [one["status"] for one in status.get("conditions", ()) if one["type"] == kind]


IN_PYTHON: Final[dict[str, schemas.Rule]] = {
    rules.SPEC_RULES[0]["rule"]: _has_one_source,
    **{rules._immutable(field)["rule"]: functools.partial(_stays, field) for field in rules.IMMUTABLE_FIELDS},
    rules.METADATA_RULES[0]["rule"]: _has_short_metadata,
    rules.CALLBACK_RULES[0]["rule"]: same,
    rules.CALLBACK_RULES[1]["rule"]: _can_sign,
    rules.ROOT_RULES[0]["rule"]: _has_status,
    rules.STATUS_RULES[0]["rule"]: _is_frozen,
    rules.name_rule(names.OPERATION_KIND)["rule"]: _has_name_of_label,
}


@functools.cache
def _schema(kind: str) -> Body:
    schema = crd.operation_schema() if kind == names.OPERATION_KIND else crd.template_schema()
    # The API server looks after metadata itself.
    schema["properties"]["metadata"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return schema


def decoded(kind: Kind, body: Body, *, strict: bool) -> Body:
    """What was sent, without unknown fields and with defaults. Raises BadRequest for unknown ones if `strict`."""
    kept, unknown = schemas.pruned(body, _schema(kind.kind))
    if unknown and strict:
        raise bad_request(f"strict decoding error: unknown field {', '.join(unknown)}")
    return shown(kind, kept)


def shown(kind: Kind, stored: Body) -> Body:
    """What is stored, as it is read: with defaults."""
    found: Body = schemas.defaulted(stored, _schema(kind.kind))
    return found


def problems(kind: Kind, new: Body, old: Body | None) -> Iterator[str]:
    """What the schema finds wrong, or where that is nothing, what the rules do."""
    found = list(schemas.problems(new, _schema(kind.kind)))
    if found:
        yield from found
        return
    yield from broken_rules(kind, new, old)


def broken_rules(kind: Kind, new: Body, old: Body | None) -> Iterator[str]:
    """What the rules find wrong."""
    return schemas.broken_rules(new, ABSENT if old is None else old, _schema(kind.kind), IN_PYTHON)
