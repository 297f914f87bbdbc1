"""Fields of the API whose behaviour is not built yet: they are refused by name, never ignored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from alo_operator.api.spec import OperationSpec
from alo_operator.desired.observed import OperationView

NOT_SUPPORTED: Final[dict[str, Callable[[OperationSpec], bool]]] = {
    "spec.callbacks": lambda spec: bool(spec.callbacks),
}


def unsupported_fields(spec: OperationSpec) -> tuple[str, ...]:
    """Paths of the fields in `spec` that this version does not act on, in the order of the API."""
    return tuple(path for path, used in NOT_SUPPORTED.items() if used(spec))


def not_supported(operation: OperationView) -> str:
    """Why this version cannot act on the operation as it is written; "" where it can."""
    if operation.spec is None:
        return f"this operator cannot read the spec: {operation.problem}"
    if fields := unsupported_fields(operation.spec):
        return (
            f"not built yet in this version: {', '.join(fields)}; leave it out (work that defines it needs a new name)"
        )
    return ""
