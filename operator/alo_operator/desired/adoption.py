"""What an operation takes up from its template, once: it is written onto its Job, where no later edit reaches it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError

from alo_operator.api.model import ApiModel, to_wire
from alo_operator.api.names import RESULT_SCHEMA_ANNOTATION, TEMPLATE_ANNOTATION
from alo_operator.api.spec import Timeouts
from alo_operator.api.status import TemplateStatus
from alo_operator.desired.fields import Json, compact, text
from alo_operator.desired.template_view import TemplateView


class Adopted(ApiModel):
    """`template` is what status shows; `judged`: whether the template had a resultSchema."""

    template: TemplateStatus
    timeouts: Timeouts = Field(default_factory=Timeouts)
    judged: bool = False

    @classmethod
    def of(cls, view: TemplateView) -> Adopted | None:
        """What would be taken up now; None from a template that cannot be read."""
        spec = view.spec
        if spec is None or not view.digest:
            return None
        return cls(
            template=TemplateStatus(generation=view.generation, digest=view.digest, retention=spec.retention),
            timeouts=spec.timeouts or Timeouts(),
            judged=spec.result_schema is not None,
        )

    @classmethod
    def read(cls, job: Mapping[str, Any]) -> Adopted | None:
        """What a Job says was taken up; None where it says nothing that can be understood."""
        said = text(job, "metadata", "annotations", TEMPLATE_ANNOTATION)
        try:
            return cls.model_validate_json(said) if said else None
        except ValidationError:
            return None


def adoption_annotations(view: TemplateView) -> dict[str, str]:
    """What the Job has to carry: the generation, digest, limits and resultSchema of the template it was made from."""
    adopted = Adopted.of(view)
    if adopted is None:
        return {}
    said = {TEMPLATE_ANNOTATION: compact(to_wire(adopted))}
    if view.spec and view.spec.result_schema is not None:
        said[RESULT_SCHEMA_ANNOTATION] = compact(view.spec.result_schema)
    return said


def result_schema(job: Json) -> Json | None:
    """The resultSchema that a Job carries; None where there is none that can be read."""
    try:
        found = json.loads(text(job, "metadata", "annotations", RESULT_SCHEMA_ANNOTATION))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
