"""Which operation does a pod work for, and does it still?"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from alo_operator.api.reports import ReportReason
from alo_operator.desired.reports import Attempt, attempt_of, owning_job
from alo_operator.effects import clock, paths
from alo_operator.effects.allowance import Allowance
from alo_operator.effects.cluster import Cluster
from alo_operator.errors import NotFound, ReportRefused
from alo_operator.gateway.identity import Caller

LOOKED_AT: Final = 30.0  # seconds for which a pod seen alive counts as alive, for progress
MOST: Final = 10_000  # pods
# Of one pod; far more than a worker has reason to say.
REPORTS_PER_SECOND: Final = 50.0
REPORTS_AT_ONCE: Final = 200.0


@dataclass(slots=True)
class _Known:
    allowance: Allowance
    attempt: Attempt | None = None
    alive_at: float = 0.0


class Attempts:
    """The pods that report, by uid: which attempt of which operation they are never changes; that they live does.

    `namespaces` are those whose pods are heard; None for all.
    """

    def __init__(self, cluster: Cluster, namespaces: Collection[str] | None = None) -> None:
        self._cluster = cluster
        self._namespaces = namespaces
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def find(self, caller: Caller, *, surely: bool) -> Attempt:
        """The attempt that the caller is; `surely`: as of now, not of up to 30 s ago.

        Raises:
            ReportRefused: it is none (any more), or it reports too often.
            ApiError, ApiUnreachable: the API server could not be asked.
        """
        if self._namespaces is not None and caller.namespace not in self._namespaces:
            said = f"workers of namespace {caller.namespace} are not heard here: its operator names another gateway"
            raise ReportRefused(ReportReason.NOT_THIS_OPERATION, said)
        known = self._of(caller.pod_uid)
        if pause := known.allowance.take():
            said = f"more than {REPORTS_PER_SECOND:g} reports a second from one pod; wait a moment, and say it once"
            raise ReportRefused(ReportReason.TOO_MANY_REPORTS, said, retry_after=pause)
        if known.attempt is not None and not surely and clock.monotonic() < known.alive_at + LOOKED_AT:
            return known.attempt
        looked = clock.monotonic()
        try:
            pod = await self._cluster.get(paths.pod(caller.namespace, caller.pod))
            name, uid = owning_job(pod, caller.pod_uid)
            if known.attempt is None:
                job = await self._cluster.get(paths.job(caller.namespace, name))
                known.attempt = attempt_of(pod, job, uid)
        except NotFound as error:
            said = "this attempt is over: its pod or its Job is gone; let the worker end"
            raise ReportRefused(ReportReason.REPLACED, said) from error
        known.alive_at = looked
        return known.attempt

    def _of(self, pod_uid: str) -> _Known:
        known = self._known.get(pod_uid)
        if known is None:
            known = self._known[pod_uid] = _Known(Allowance(REPORTS_PER_SECOND, REPORTS_AT_ONCE))
            if len(self._known) > MOST:
                self._known.popitem(last=False)
        self._known.move_to_end(pod_uid)
        return known
