"""One OperationTemplate as decisions need it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from alo_operator.api import limits
from alo_operator.api.template import TemplateSpec
from alo_operator.desired.digest import canonical_digest
from alo_operator.desired.fields import Json, compact_size, number, section, text, too_deep

RESERVED_VARIABLES: Final = ("ALO_", "TRACEPARENT")

Key = tuple[str, str]
"""Namespace and name of a template."""


@dataclass(frozen=True, slots=True)
class TemplateView:
    """A template; `problem` says why none of its operations can run, "" where they can.

    `spec` is None where this version cannot read it, or where it is too large to be worth reading. `digest` is that of
    the whole spec, "" where there is none.
    """

    name: str
    namespace: str
    uid: str
    resource_version: int
    generation: int
    spec: TemplateSpec | None
    digest: str
    problem: str = ""

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> TemplateView:
        """Read a template as the API server hands it out; never raises for what users can write."""
        raw = section(body, "spec")
        spec, digest, problem = None, "", _too_much(raw)
        if not problem:
            digest = canonical_digest(raw) or ""
            try:
                spec = TemplateSpec.model_validate(raw)
            except ValidationError as error:
                first = error.errors(include_url=False, include_context=False, include_input=False)[0]
                place = ".".join(str(part) for part in ("spec", *first["loc"]))
                problem = f"{place}: {first['msg']}"
            else:
                problem = next(_problems(spec), "")
            if not digest:
                problem = problem or "spec has a number or a text that JSON cannot carry to other programs"
        return cls(
            name=text(body, "metadata", "name"),
            namespace=text(body, "metadata", "namespace"),
            uid=text(body, "metadata", "uid"),
            resource_version=int(text(body, "metadata", "resourceVersion") or 0),
            generation=number(body, "metadata", "generation"),
            spec=spec,
            digest=digest,
            problem=problem,
        )

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return self.namespace, self.name

    @property
    def limit(self) -> int | None:
        """How many of its operations may have work at a time; None: any number."""
        return self.spec.concurrency.limit if self.spec and self.spec.concurrency else None

    @property
    def schemas(self) -> tuple[Json | None, Json | None]:
        """The schemas of input and result; None where there is none."""
        return (self.spec.input_schema, self.spec.result_schema) if self.spec else (None, None)


def _too_much(raw: Json) -> str:
    deep = "spec is nested more deeply than any Job is"
    try:
        # The size first: it is known in a few milliseconds, where walking through a megabyte takes many.
        size = compact_size(raw)
    except RecursionError:
        return deep
    if size > limits.TEMPLATE_BYTES:
        return f"spec has {size} bytes as JSON and may have {limits.TEMPLATE_BYTES}"
    return deep if too_deep(raw) else ""


def _problems(spec: TemplateSpec) -> Iterator[str]:
    for name, schema in (("inputSchema", spec.input_schema), ("resultSchema", spec.result_schema)):
        if schema is None:
            continue
        if (size := compact_size(schema)) > limits.SCHEMA_BYTES:
            yield f"spec.{name} has {size} bytes as JSON and may have {limits.SCHEMA_BYTES}"
        if too_deep(schema, limits.SCHEMA_DEPTH - 1):
            yield f"spec.{name} is nested more than {limits.SCHEMA_DEPTH} levels deep"
    for variable in spec.env:
        if variable.name.startswith(RESERVED_VARIABLES):
            yield f"spec.env sets {variable.name}: names that begin with ALO_, and TRACEPARENT, are the operator's"
    completions, mode = (section(spec.job, "spec").get(key) for key in ("completions", "completionMode"))
    if spec.result_schema is not None and completions not in (None, 1) and mode != "Indexed":
        yield (
            f"spec.resultSchema wants a result, and a Job of {completions} completions gives none: set completionMode: "
            "Indexed (index 0 gives the result), or leave completions out"
        )
