"""From one status to another: the patch that is sent."""

from __future__ import annotations

from typing import Any

from alo_operator.api.model import to_wire
from alo_operator.api.status import OperationStatus


def status_patch(old: OperationStatus, new: OperationStatus) -> list[dict[str, Any]]:
    """JSON Patch operations (RFC 6902) that turn `old` into `new`, one for each top-level field that differs.

    Not a merge patch: that would drop every null inside a worker's result (RFC 7396).
    """
    before, after = _wire(old), _wire(new)
    changed: list[dict[str, Any]] = [
        {"op": "add", "path": f"/status/{key}", "value": value}
        for key, value in after.items()
        if key not in before or before[key] != value
    ]
    return changed + [{"op": "remove", "path": f"/status/{key}"} for key in before if key not in after]


def _wire(status: OperationStatus) -> dict[str, Any]:
    return {key: value for key, value in to_wire(status).items() if value not in ([], {})}
