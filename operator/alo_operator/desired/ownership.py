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
from alo_operator.desired.fields import Json, entries, text


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


def controller(body: Json) -> Json:
    """The reference of `body` to its controller; empty where it has none."""
    return next(
        (owner for owner in entries(body, "metadata", "ownerReferences") if owner.get("controller") is True), {}
    )


def may_be_of(pod: Json, job: str) -> bool:
    """Whether a pod with our labels may be one of the Job called `job`: nobody else controls it.

    Labels alone say nothing, as whoever may create Jobs can give any to the pods of their own. A pod without a
    controller may be one that was orphaned.
    """
    owner = controller(pod)
    return not owner or (text(owner, "kind"), text(owner, "name")) == ("Job", job)
