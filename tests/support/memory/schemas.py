"""Structural schemas, as a CRD has them: what is dropped, what is filled in, what is refused."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from tests.support.memory.documents import copied, same

Body = dict[str, Any]
Rule = Callable[[Any, Any], bool]
"""Given the value and the old one (ABSENT: there is none), whether a rule in CEL is kept."""

ABSENT: Final = object()
_KEEP: Final = "x-kubernetes-preserve-unknown-fields"
_RULES: Final = "x-kubernetes-validations"


def pruned(value: Any, schema: Body, path: str = "") -> tuple[Any, list[str]]:
    """`value` without the fields that `schema` does not know, and the paths of those."""
    unknown: list[str] = []
    if isinstance(value, list):
        items = schema.get("items") or {_KEEP: bool(schema.get(_KEEP))}
        kept = [pruned(item, items, f"{path}[{place}]") for place, item in enumerate(value)]
        return [item for item, _ in kept], [each for _, paths in kept for each in paths]
    if not isinstance(value, dict):
        return value, unknown
    result: Body = {}
    for name, inner in value.items():
        part = _part(schema, name)
        if part is None:
            unknown.append(f"{path}.{name}".lstrip("."))
            continue
        result[name], more = pruned(inner, part, f"{path}.{name}")
        unknown += more
    return result, unknown


def defaulted(value: Any, schema: Body) -> Any:
    """`value` with defaults filled in, and without nulls where none is allowed."""
    if isinstance(value, list):
        return [defaulted(item, schema.get("items", {})) for item in value]
    if not isinstance(value, dict):
        return value
    result = {
        name: inner
        for name, inner in value.items()
        if inner is not None or (part := _part(schema, name)) is None or part.get("nullable") or not _is_typed(part)
    }
    for name, part in schema.get("properties", {}).items():
        if name not in result and "default" in part:
            result[name] = copied(part["default"])
    return {name: defaulted(inner, _part(schema, name) or {}) for name, inner in result.items()}


def _part(schema: Body, name: str) -> Body | None:
    if name in schema.get("properties", {}):
        found: Body = schema["properties"][name]
        return found
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        return extra
    return {_KEEP: True} if schema.get(_KEEP) else None


def _is_typed(schema: Body) -> bool:
    """Whether the CRD names this field; what lies in a field of any content is left as it is."""
    return "type" in schema or "description" in schema


_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "object": (dict,),
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def problems(value: Any, schema: Body, path: str = "") -> Iterator[str]:
    """What `schema` itself finds wrong with `value`."""
    kind = schema.get("type")
    if kind and (not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        yield f"{path}: must be of type {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: Unsupported value: {value!r}"
    if isinstance(value, str):
        yield from _string_problems(value, schema, path)
    elif isinstance(value, dict):
        yield from _object_problems(value, schema, path)
    elif isinstance(value, list):
        yield from _list_problems(value, schema, path)
    elif isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{path}: out of range: {value}"


@functools.cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _string_problems(value: str, schema: Body, path: str) -> Iterator[str]:
    if len(value) > schema.get("maxLength", len(value)) or len(value) < schema.get("minLength", 0):
        yield f"{path}: has {len(value)} characters"
    if "pattern" in schema and not _pattern(schema["pattern"]).search(value):
        yield f"{path}: does not match {schema['pattern']}"
    if schema.get("format") == "date-time":
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            yield f"{path}: is no date-time: {value!r}"


def _object_problems(value: Body, schema: Body, path: str) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path}.{name}: Required value"
    if len(value) > schema.get("maxProperties", len(value)):
        yield f"{path}: has {len(value)} entries"
    for name, inner in value.items():
        part = _part(schema, name)
        if part:
            yield from problems(inner, part, f"{path}.{name}")


def _list_problems(value: list[Any], schema: Body, path: str) -> Iterator[str]:
    if len(value) > schema.get("maxItems", len(value)) or len(value) < schema.get("minItems", 0):
        yield f"{path}: has {len(value)} items"
    keys = schema.get("x-kubernetes-list-map-keys", ())
    seen: list[Any] = []
    for place, item in enumerate(value):
        yield from problems(item, schema.get("items", {}), f"{path}[{place}]")
        key = _key(item, keys)
        if keys and key in seen:
            yield f"{path}[{place}]: Duplicate value: {key}"
        seen.append(key)


def _key(item: Any, keys: tuple[str, ...]) -> list[Any]:
    return [item.get(key) for key in keys] if isinstance(item, dict) else [item]


def broken_rules(value: Any, old: Any, schema: Body, rules: Mapping[str, Rule], path: str = "") -> Iterator[str]:
    """The messages of the rules in CEL that are not kept; `rules` says each again in Python.

    `old` is ABSENT in a new object and where nothing corresponds to `value`; rules about changes are left out then,
    unless they say that they do without.
    Raises NotImplementedError for a rule that `rules` lacks.
    """
    for rule in schema.get(_RULES, ()):
        text = rule["rule"]
        if text not in rules:
            raise NotImplementedError(f"the rule at {path or 'the root'} is not said in Python: {text}")
        possible = old is not ABSENT or "oldSelf" not in text or rule.get("optionalOldSelf", False)
        if possible and not rules[text](value, old):
            yield f"{path}: {rule['message']}"
    if isinstance(value, dict):
        for name, inner in value.items():
            part = _part(schema, name)
            before = old.get(name, ABSENT) if isinstance(old, dict) else ABSENT
            if part:
                yield from broken_rules(inner, before, part, rules, f"{path}.{name}")
    elif isinstance(value, list) and "items" in schema:
        keys = schema.get("x-kubernetes-list-map-keys", ())
        for place, item in enumerate(value):
            before = ABSENT
            if keys and isinstance(old, list):
                before = next((one for one in old if same(_key(one, keys), _key(item, keys))), ABSENT)
            yield from broken_rules(item, before, schema["items"], rules, f"{path}[{place}]")
