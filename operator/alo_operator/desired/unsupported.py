"""Fields of the API whose behaviour is not built yet: they are refused by name, never ignored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from alo_operator.api.spec import OperationSpec, ReadyWhen

NOT_SUPPORTED: Final[dict[str, Callable[[OperationSpec], bool]]] = {
    "spec.templateRef": lambda spec: spec.template_ref is not None,
    "spec.timeouts.startToClose": lambda spec: bool(spec.timeouts and spec.timeouts.start_to_close),
    "spec.timeouts.scheduleToClose": lambda spec: bool(spec.timeouts and spec.timeouts.schedule_to_close),
    "spec.callbacks": lambda spec: bool(spec.callbacks),
    "spec.suspend": lambda spec: spec.suspend,
    "spec.cancel": lambda spec: spec.cancel is not None,
    "spec.readyWhen": lambda spec: spec.ready_when is not ReadyWhen.SUCCEEDED,
    "spec.retention": lambda spec: spec.retention is not None,
}


def unsupported_fields(spec: OperationSpec) -> tuple[str, ...]:
    """Paths of the fields in `spec` that this version does not act on, in the order of the API."""
    return tuple(path for path, used in NOT_SUPPORTED.items() if used(spec))
