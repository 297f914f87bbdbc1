"""Reads that a decision asked for, each of them consistent: from the API server, never from the watch cache."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from alo_operator.api.names import LABEL_OPERATION_UID
from alo_operator.desired.fields import text
from alo_operator.desired.job import job_name
from alo_operator.desired.job_view import JobView
from alo_operator.desired.observed import Observed, OperationView
from alo_operator.desired.pod_view import PodView
from alo_operator.desired.steps import Look
from alo_operator.effects import clock, paths
from alo_operator.effects.cluster import Cluster
from alo_operator.effects.records import Records
from alo_operator.errors import NotFound

# Looks at what has not started, over all operations: a burst that only queues must not slow the API server down more.
_LOOKS_PER_SECOND: Final = 10.0
_LOOKS_AT_ONCE: Final = 20.0
_POD_LIMIT: Final = 2000  # of one operation; enough to find what failed last, and no more than a pass should hold


class Gatherer:
    """Completes an Observed with what a plan has to look at first. Raises ApiError and ApiUnreachable."""

    def __init__(self, cluster: Cluster, records: Records) -> None:
        self._cluster, self._records = cluster, records
        self._looks, self._filled = _LOOKS_AT_ONCE, clock.monotonic()

    def postponed(self, look: Look) -> float:
        """Seconds after which to ask again whether `look` may be done (1 to 10); 0: now, and it counts as done."""
        if look is not Look.REASON:
            return 0.0
        now = clock.monotonic()
        self._looks = min(_LOOKS_AT_ONCE, self._looks + (now - self._filled) * _LOOKS_PER_SECOND)
        self._filled = now
        if self._looks < 1:
            return random.uniform(1, 10)  # noqa: S311 - spread, so that not all ask at once again
        self._looks -= 1
        return 0.0

    async def look(self, observed: Observed, look: Look) -> Observed:
        """`observed` with what `look` asks for filled in."""
        operation = observed.operation
        if look is Look.JOB:
            return await self._job(observed)
        pods = await self._pods(operation)
        if look is Look.PODS:
            return replace(observed, pods=pods)
        failure = None if pods or not observed.job else await self._creation_failure(operation, observed.job.uid)
        notes = replace(self._records.notes(operation.uid), last_look=clock.now())
        self._records.note(operation.uid, notes)
        return replace(observed, pods=pods, creation_failure=failure, notes=notes)

    async def revive(self, uid: str, namespace: str, name: str) -> None:
        """Read an operation that rests, for its time has come."""
        try:
            body = await self._cluster.get(paths.operation(namespace, name))
        except NotFound:
            body = {}
        if text(body, "metadata", "uid") == uid:
            self._records.operation_revived(body)
        else:
            self._records.operation_gone(uid)  # by itself, or for another one of its name

    async def _job(self, observed: Observed) -> Observed:
        operation = observed.operation
        name = operation.status.job.name if operation.status.job else job_name(operation)
        try:
            body = await self._cluster.get(paths.job(operation.namespace, name))
        except NotFound:
            self._records.job_gone(operation.uid)
            return replace(observed, job_gone=True, job_doubtful=False)
        self._records.job_seen(body)
        return replace(observed, job=JobView.from_body(body), job_doubtful=False)

    async def _pods(self, operation: OperationView) -> tuple[PodView, ...]:
        found: list[PodView] = []
        query = {"labelSelector": f"{LABEL_OPERATION_UID}={operation.uid}"}
        async for body in self._cluster.pages(paths.pods(operation.namespace), query):
            found.append(PodView.from_body(body))
            if len(found) == _POD_LIMIT:
                break
        return tuple(found)

    async def _creation_failure(self, operation: OperationView, job_uid: str) -> str | None:
        query = {"fieldSelector": f"involvedObject.uid={job_uid},reason=FailedCreate"}
        events = [body async for body in self._cluster.pages(paths.events(operation.namespace), query)]
        newest = max(events, key=_event_time, default=None)
        return text(newest, "message") if newest else None


def _event_time(event: Mapping[str, Any]) -> str:
    return text(event, "lastTimestamp") or text(event, "eventTime") or text(event, "metadata", "creationTimestamp")
