"""Who is to be told of the outcome: the callbacks in spec, and the deliveries in status that mirror them."""

from __future__ import annotations

from datetime import datetime

from alo_operator.api.model import to_wire
from alo_operator.api.spec import Callback
from alo_operator.api.status import Delivery, DeliveryState, OperationStatus
from alo_operator.desired.digest import canonical_digest, short_hash
from alo_operator.desired.observed import OperationView


def pending(status: OperationStatus) -> bool:
    """Whether somebody is still to be told."""
    return any(entry.state is DeliveryState.PENDING for entry in status.deliveries)


def subscribed(operation: OperationView, now: datetime) -> tuple[Delivery, ...]:
    """An entry for each callback in spec; what is known of it is kept, anything new is due at once."""
    if operation.spec is None:
        return operation.status.deliveries
    known = {(entry.name, entry.target): entry for entry in operation.status.deliveries}
    return tuple(
        known.get((callback.name, target := target_of(callback))) or due_at_once(callback.name, target, now)
        for callback in operation.spec.callbacks
    )


def due_at_once(name: str, target: str | None, now: datetime) -> Delivery:
    """The entry of a callback that is to be told, with nothing tried yet."""
    return Delivery(name=name, state=DeliveryState.PENDING, target=target, next_attempt_time=now)


def target_of(callback: Callback) -> str:
    """What tells this callback from another one of its name: 16 hexadecimal digits."""
    return short_hash(canonical_digest(to_wire(callback)) or "", 16)
