"""What marks an object as one of an operation's: it is found by its labels, and goes with the operation."""

from __future__ import annotations

from typing import Any

from alo_operator.api.names import (
    API_VERSION,
    LABEL_MANAGED,
    LABEL_OPERATION,
    LABEL_OPERATION_UID,
    MANAGED_VALUE,
    OPERATION_KIND,
)


def labels_of(operation: str, uid: str) -> dict[str, str]:
    """The labels of what belongs to the operation with this name and uid."""
    return {LABEL_MANAGED: MANAGED_VALUE, LABEL_OPERATION: operation, LABEL_OPERATION_UID: uid}


def owner_reference(operation: str, uid: str) -> dict[str, Any]:
    """The reference to that operation as the one controller."""
    return {
        "apiVersion": API_VERSION,
        "kind": OPERATION_KIND,
        "name": operation,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
