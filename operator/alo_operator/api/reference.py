"""The API reference, made from the same schemas as the CRDs: `python -m alo_operator.api.reference --write docs/`."""

import inspect
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel

from alo_operator.api import names
from alo_operator.api.crd import OPERATION_COLUMNS, SELECTABLE_FIELDS, STATUS_DEFAULT, operation_schema, template_schema
from alo_operator.api.deliveries import MEANING as MEANING_OF_ERROR
from alo_operator.api.durations import DURATION_PATTERN
from alo_operator.api.generated import run
from alo_operator.api.operation import AsyncOperation, OperationTemplate
from alo_operator.api.phases import MEANING_OF
from alo_operator.api.rules import CALLBACK_RULES, METADATA_RULES, SPEC_RULES, Rule, name_rule
from alo_operator.api.schema import JsonSchema

_HEADER: Final = "<!-- Generated from the models in operator/alo_operator/api by `make generate`; do not edit. -->\n"


def files() -> dict[str, str]:
    """File name to content, the same on every run."""
    return {"api.md": _HEADER + "\n".join(_lines()) + "\n"}


def _lines() -> Iterator[str]:
    yield f"# API reference: {names.API_VERSION}"
    yield ""
    yield "The same words as `kubectl explain`. Fields marked *required* must be given; *default* values are filled in"
    yield "by the API server."
    yield ""
    yield from _kind(names.OPERATION_KIND, names.OPERATION_PLURAL, names.OPERATION_SHORT, AsyncOperation)
    yield from _section("spec", operation_schema()["properties"]["spec"])
    yield from _checks(
        "AsyncOperation", [name_rule(names.OPERATION_KIND), *SPEC_RULES, *METADATA_RULES, *CALLBACK_RULES]
    )
    yield from _section("status", operation_schema()["properties"]["status"])
    yield f"Before the operator has seen an operation, its status is `{_inline(STATUS_DEFAULT)}`. Once `promise` is not"
    yield "Pending, the API server refuses every change to the answer, whoever asks."
    yield ""
    yield from _phases()
    yield from _delivery_errors()
    yield from _table_view()
    yield from _kind(names.TEMPLATE_KIND, names.TEMPLATE_PLURAL, names.TEMPLATE_SHORT, OperationTemplate)
    yield from _section("spec", template_schema()["properties"]["spec"])


def _kind(kind: str, plural: str, short: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"## {kind}"
    yield ""
    yield inspect.getdoc(model) or ""
    yield ""
    yield f"`kubectl get {plural}`, short `{short}`; namespaced; category `{names.CATEGORY}`."
    yield ""


def _section(name: str, schema: JsonSchema) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    yield schema["description"]
    yield ""
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    yield from _rows(schema, "")
    yield ""


def _rows(schema: JsonSchema, prefix: str) -> Iterator[str]:
    required = schema.get("required", ())
    for name, field in schema["properties"].items():
        path = f"{prefix}{name}"
        notes = _notes(field, required=name in required)
        yield f"| `{path}` | {_type(field)} | {_cell(field['description'])}{notes} |"
        nested = field.get("items", field)
        if "properties" in nested:
            suffix = "[]." if "items" in field else "."
            yield from _rows(nested, f"{path}{suffix}")


def _notes(field: JsonSchema, *, required: bool) -> str:
    notes = []
    if required:
        notes.append("*required*")
    if "default" in field:
        notes.append(f"*default* `{_inline(field['default'])}`")
    if "enum" in field:
        notes.append("one of " + ", ".join(f"`{word}`" for word in field["enum"]))
    notes.extend(
        f"at most {field[key]} {what}"
        for key, what in (("maxLength", "characters"), ("maxItems", "entries"), ("maxProperties", "entries"))
        if key in field and _type(field) != "duration"
    )
    return f" ({'; '.join(notes)})" if notes else ""


def _type(field: JsonSchema) -> str:
    if "items" in field:
        return f"list of {_type(field['items'])}"
    if "additionalProperties" in field:
        values = field["additionalProperties"]
        return "JSON object" if "type" not in values else f"map of {_type(values)}"
    if field.get("format") == "date-time":
        return "time"
    if field.get("pattern") == DURATION_PATTERN:
        return "duration"
    return str(field.get("type", "any JSON"))


def _checks(kind: str, rules: list[Rule]) -> Iterator[str]:
    yield f"What the API server refuses of an {kind}, in its own words:"
    yield ""
    for rule in rules:
        yield f"- {_cell(rule['message'])}"
    yield ""


def _phases() -> Iterator[str]:
    yield "### Phases"
    yield ""
    yield "| phase | promise | AloInfo.status | Nexus state |"
    yield "|---|---|---|---|"
    for phase, meaning in MEANING_OF.items():
        yield f"| {phase} | {meaning.promise} | {meaning.alo} | {meaning.nexus} |"
    yield ""


def _delivery_errors() -> Iterator[str]:
    yield "### Why a callback was not told"
    yield ""
    yield "`deliveries[].lastError` begins with one of these words, a colon and a sentence for people:"
    yield ""
    yield "| word | meaning |"
    yield "|---|---|"
    for word, meaning in MEANING_OF_ERROR.items():
        yield f"| `{word}` | {_cell(meaning)} |"
    yield ""


def _table_view() -> Iterator[str]:
    yield "### Columns and field selectors"
    yield ""
    yield "| column | shows | from |"
    yield "|---|---|---|"
    for column in OPERATION_COLUMNS:
        wide = " (only with `-o wide`)" if column["priority"] else ""
        yield f"| {column['name']} | {column['description']}{wide} | `{_cell(column['jsonPath'])}` |"
    yield ""
    selectors = ", ".join(f"`{path.removeprefix('.')}`" for path in SELECTABLE_FIELDS)
    yield f"Field selectors: {selectors}, as in `kubectl get aop --field-selector status.phase=Failed`."
    yield ""


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_inline(item)}" for key, item in value.items()) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    raise SystemExit(run(files(), "make generate"))
