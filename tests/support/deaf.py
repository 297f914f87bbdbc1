"""A listener that hears nothing and a sender that sends nothing, where there is nobody to talk to."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from alo_operator.desired.observed import OperationView
from alo_operator.effects.cluster import Cluster
from alo_operator.effects.last_words import Listener
from alo_operator.effects.records import Records


class DeafListener(Listener):
    """Work that is stopped is noted as listened to, and no last words come."""

    def __init__(self, cluster: Cluster, records: Records) -> None:
        super().__init__(cluster, records, lambda _: None)

    async def listen(self, operation: OperationView) -> None:
        self._note(operation.uid, listening=True, last_words=())


class MuteSender:
    """Callbacks that are handed to it are noted as being sent, and stay so."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.offered: list[tuple[str, ...]] = []

    def offer(
        self, operation: OperationView, names: Sequence[str], *, last: bool = False, deadline: datetime | None = None
    ) -> None:
        self.offered.append(tuple(names))
        notes = self._records.notes(operation.uid)
        self._records.note(operation.uid, replace(notes, sending=notes.sending | set(names)))
