"""Pydantic models as structural OpenAPI v3 schemas, the only kind of schema a CRD may have.

Pydantic writes JSON Schema with `$defs`, `anyOf [X, null]`, titles and defaults everywhere; a structural schema knows
none of these. What is left out on purpose: a model's defaults. Only those asked for by name go into the CRD, because
the API server would write each of them into every object, where a template's default could no longer apply.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from alo_operator.api.model import RAW_OBJECT_SCHEMA

JsonSchema = dict[str, Any]

# Everything the models use. A keyword that is not here is an error, not something to pass through in the hope that the
# API server takes it.
_KEPT = (
    "description",
    "type",
    "format",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "maxProperties",
    "nullable",
    "required",
)
_DROPPED = ("title", "default", "$defs")


def structural_schema(model: type[BaseModel], defaults: Mapping[str, tuple[str, ...]]) -> JsonSchema:
    """The structural schema of `model`, references inlined.

    `defaults` names, by class name, the fields (as on the wire) whose default goes into the schema.

    Raises:
        TypeError: a field has a shape that this generator, or a structural schema, does not know.
    """
    raw = model.model_json_schema(by_alias=True, mode="validation")
    definitions = raw.get("$defs", {})
    return _Generator(definitions, defaults).convert(raw, model.__name__)


class _Generator:
    def __init__(self, definitions: JsonSchema, defaults: Mapping[str, tuple[str, ...]]) -> None:
        self._definitions = definitions
        self._defaults = defaults

    def convert(self, raw: JsonSchema, where: str) -> JsonSchema:
        """One schema node; `where` is the class name of an object node, and part of error messages."""
        if "$ref" in raw:
            return self._reference(raw)
        if "anyOf" in raw:
            return self._optional(raw, where)
        if not set(raw) - {"description", *_DROPPED}:
            # Any: no type at all, so that CEL compares the value as a whole.
            return self._kept(raw) | {"x-kubernetes-preserve-unknown-fields": True}
        schema = self._kept(raw)
        if raw.get("type") == "object":
            schema |= self._object(raw, where)
        elif raw.get("type") == "array" and "items" in raw:
            schema["items"] = self.convert(raw["items"], where)
        elif raw.get("type") == "integer":
            schema["format"] = "int64"
        unknown = set(raw) - set(schema) - set(_DROPPED)
        if unknown:
            raise TypeError(f"{where}: {', '.join(sorted(unknown))} cannot be written as a structural schema")
        return schema

    def _reference(self, raw: JsonSchema) -> JsonSchema:
        name = raw["$ref"].rpartition("/")[2]
        schema = self.convert(self._definitions[name], name)
        return schema | self._kept(raw)

    def _optional(self, raw: JsonSchema, where: str) -> JsonSchema:
        choices = [choice for choice in raw["anyOf"] if choice != {"type": "null"}]
        if len(choices) != 1:
            raise TypeError(f"{where}: a choice between {len(choices)} types is not structural")
        extensions = {key: value for key, value in raw.items() if key.startswith("x-")}
        return self.convert(choices[0], where) | self._kept(raw) | extensions

    def _object(self, raw: JsonSchema, where: str) -> JsonSchema:
        if "properties" not in raw:
            values = raw.get("additionalProperties", True)
            if values is True:
                return dict(RAW_OBJECT_SCHEMA)
            if "x-kubernetes-preserve-unknown-fields" in values:
                return {"additionalProperties": values}
            return {"additionalProperties": self.convert(values, where)}
        wanted = self._defaults.get(where, ())
        properties: JsonSchema = {}
        for name, value in raw["properties"].items():
            properties[name] = self.convert(value, f"{where}.{name}")
            if name in wanted:
                properties[name]["default"] = value["default"]
        return {"properties": properties}

    @staticmethod
    def _kept(raw: JsonSchema) -> JsonSchema:
        kept = {key: raw[key] for key in _KEPT if key in raw}
        return kept | {key: value for key, value in raw.items() if key.startswith("x-")}
