"""The kstatus mirror: Ready, Reconciling and Stalled, which Flux, Helm, Argo CD and kubectl wait look at."""

from __future__ import annotations

from typing import Final

from alo_operator.api.conditions import ConditionType
from alo_operator.api.spec import ReadyWhen
from alo_operator.api.status import ConditionStatus
from alo_operator.desired.observed import OperationView

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN

type_: Final = ConditionType

Change = tuple[ConditionType, ConditionStatus | None, str, str]
"""One condition to be written: type, status (None: take it away), reason, message."""


def under_way(operation: OperationView, reason: str, message: str, *, started: bool = False) -> list[Change]:
    """The kstatus mirror of work under way: Ready once readyWhen is met, else Reconciling."""
    gate = _gate(operation)
    started = started or operation.status.start_time is not None
    if gate is ReadyWhen.ACCEPTED or (gate is ReadyWhen.STARTED and started):
        said = f"readyWhen is {gate}; see Succeeded for the outcome"
        return [
            (type_.READY, TRUE, gate, said),
            (type_.RECONCILING, None, reason, ""),
            (type_.STALLED, None, reason, ""),
        ]
    return [
        (type_.READY, UNKNOWN, reason, message),
        (type_.RECONCILING, TRUE, reason, message),
        (type_.STALLED, None, reason, ""),
    ]


def at_the_end(
    operation: OperationView,
    reason: str,
    message: str | None = None,
    *,
    good: bool,
    started: bool,
    taken_on: bool = True,
) -> list[Change]:
    """The kstatus mirror of the end; with readyWhen met before, no outcome takes Ready back.

    `message` None: what Stalled said stands. `taken_on` False: it could not be accepted as written, and whoever waits
    for no more than that learns of it at once; unless the gate was open before.
    """
    gate = _gate(operation)
    accepted = taken_on or any(c.type == type_.READY and c.status is TRUE for c in operation.status.conditions)
    if (gate is ReadyWhen.ACCEPTED and accepted) or (gate is ReadyWhen.STARTED and started):
        ready: Change = (type_.READY, TRUE, gate, f"readyWhen is {gate}; see Succeeded for the outcome")
        return [ready, (type_.RECONCILING, None, reason, ""), (type_.STALLED, None, reason, "")]
    said = next((c.message for c in operation.status.conditions if c.type == type_.SUCCEEDED), "")
    return [
        (type_.READY, TRUE if good else FALSE, reason, f"the operation has ended: {reason}"),
        (type_.RECONCILING, None, reason, ""),
        (type_.STALLED, None if good else TRUE, reason, message if message is not None else said),
    ]


def _gate(operation: OperationView) -> ReadyWhen:
    return operation.spec.ready_when if operation.spec else ReadyWhen.SUCCEEDED
