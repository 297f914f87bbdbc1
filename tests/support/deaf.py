"""A listener that hears nothing, where there is no connection over which pods could be watched."""

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
