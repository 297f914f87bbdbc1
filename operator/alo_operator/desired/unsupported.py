"""Fields of the API whose behaviour is not built yet: they are refused by name, never ignored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from alo_operator.api.spec import OperationSpec

NOT_SUPPORTED: Final[dict[str, Callable[[OperationSpec], bool]]] = {
    "spec.templateRef": lambda spec: spec.template_ref is not None,
    "spec.callbacks": lambda spec: bool(spec.callbacks),
    "spec.retention": lambda spec: spec.retention is not None,
}


def unsupported_fields(spec: OperationSpec) -> tuple[str, ...]:
    """Paths of the fields in `spec` that this version does not act on, in the order of the API."""
    return tuple(path for path, used in NOT_SUPPORTED.items() if used(spec))
