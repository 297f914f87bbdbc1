"""From reports to status: a result at once, progress at most every five seconds for each operation.

What a worker says between two writes is merged, the latest wins, and a timer writes it when its time has come. The one
report that says that all is done is not held back: the operation may settle before its time would come, and what it
shows then it shows for ever.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any, Final

from alo_operator.api.names import FIELD_MANAGER_GATEWAY
from alo_operator.api.reports import ReportReason
from alo_operator.api.status import Progress
from alo_operator.desired import reports
from alo_operator.desired.observed import OperationView
from alo_operator.desired.progress import complete, heartbeat
from alo_operator.desired.reports import Attempt
from alo_operator.desired.results import Handed
from alo_operator.desired.settling import stamp
from alo_operator.effects import clock, paths
from alo_operator.effects.cluster import JSON_PATCH, Cluster
from alo_operator.effects.writer import Writer
from alo_operator.errors import AloError, AlreadyExists, BadRequest, Conflict, Forbidden, NotFound, ReportRefused

logger = logging.getLogger(__name__)

EVERY: Final = 5.0  # seconds between two writes of progress for one operation
FORGOTTEN: Final = 600.0  # seconds after the last report
_TRIES: Final = 5
_MANAGER: Final = {"fieldManager": FIELD_MANAGER_GATEWAY}


@dataclass(slots=True)
class _Desk:
    """What is known of one operation: `shown` is in status, `pending` not yet; `closed` says why nothing is taken."""

    attempt: Attempt
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    seen: bool = False
    shown: Progress | None = None
    pending: Progress | None = None
    written_at: float | None = None
    used_at: float = 0.0
    timer: asyncio.TimerHandle | None = None
    closed: ReportRefused | None = None

    def check_open(self) -> None:
        """Raises ReportRefused where nothing more is taken."""
        if self.closed:
            raise ReportRefused(self.closed.reason, self.closed.message)


class Reports:
    """Takes reports. Every method raises ReportRefused, ApiError and ApiUnreachable."""

    def __init__(self, cluster: Cluster, writer: Writer) -> None:
        self._cluster, self._writer = cluster, writer
        self._desks: dict[str, _Desk] = {}
        self._writing: set[asyncio.Task[None]] = set()
        self._swept_at = clock.monotonic()

    @property
    def waiting(self) -> int:
        """How many operations have progress that is not written yet."""
        return sum(desk.pending is not None for desk in self._desks.values())

    async def progress(self, attempt: Attempt, said: Progress | None) -> None:
        """Take progress, or (None) a heartbeat; it is in status now, or will be within five seconds."""
        desk = self._desk(attempt)
        desk.check_open()
        if desk.seen and desk.lock.locked():
            # A write is under way, which may take long; nobody else has to wait for it.
            self._take(desk, said)
            self._set_timer(desk, max(self._due_in(desk), 0.0))
            return
        async with desk.lock:
            desk.check_open()
            if not desk.seen:
                await self._look(desk)
            self._take(desk, said)
            if self._due_in(desk) <= 0:
                await self._write(desk)
            else:
                self._set_timer(desk, self._due_in(desk))

    async def result(self, attempt: Attempt, handed: Handed) -> None:
        """Take a result; when this returns it is on record, with the progress that was waiting."""
        desk = self._desk(attempt)
        async with desk.lock:
            for _ in range(_TRIES):
                operation = await self._look(desk)
                if reports.handed_in_before(attempt, operation, handed):
                    return
                if not handed.inline:
                    await self._keep(attempt, handed)
                reported = handed.reported(attempt.pod_uid, reports.result_name(attempt))
                progress = desk.pending
                try:
                    await self._patch(attempt, reports.result_patch(operation, reported, progress))
                except Conflict:
                    continue  # decided on an old version; look again
                if progress:
                    self._written(desk, progress)
                logger.info("result taken", extra=_whose(attempt) | {"bytes": len(handed.raw)})
                return
        said = "others are changing the operation's status at the same time; try again"
        raise ReportRefused(ReportReason.UNAVAILABLE, said, retry_after=1)

    async def drain(self) -> None:
        """Write all that waits, without waiting for its time."""
        for desk in self._desks.values():
            self._stop_timer(desk)
        await asyncio.gather(*(self._write_quietly(desk) for desk in self._desks.values() if desk.pending))
        await asyncio.gather(*self._writing)
        for desk in self._desks.values():
            self._stop_timer(desk)

    def _desk(self, attempt: Attempt) -> _Desk:
        now = clock.monotonic()
        if now > self._swept_at + FORGOTTEN / 10:
            self._swept_at = now
            old = [uid for uid, desk in self._desks.items() if not desk.pending and now > desk.used_at + FORGOTTEN]
            for uid in old:
                del self._desks[uid]
        desk = self._desks.get(attempt.uid)
        if desk is None:
            desk = self._desks[attempt.uid] = _Desk(attempt)
        elif desk.attempt.pod_uid != attempt.pod_uid:
            # A new attempt begins anew: what the one before it has said is no news of it.
            desk.attempt, desk.shown, desk.pending = attempt, None, None
        desk.used_at = now
        return desk

    def _take(self, desk: _Desk, said: Progress | None) -> None:
        desk.pending = said or heartbeat(desk.pending or desk.shown, stamp(clock.now()))

    def _due_in(self, desk: _Desk) -> float:
        if desk.written_at is None or (complete(desk.pending) and not complete(desk.shown)):
            return 0.0
        return desk.written_at + EVERY - clock.monotonic()

    async def _look(self, desk: _Desk) -> OperationView:
        """The operation as it is now."""
        attempt = desk.attempt
        try:
            body = await self._cluster.get(paths.operation(attempt.namespace, attempt.operation))
            operation = OperationView.from_body(body)
            reports.open_for(attempt, operation)
        except NotFound:
            gone = ReportRefused(ReportReason.NOT_FOUND, "the operation does not exist any more; let the worker end")
            self._close(desk, gone)
            raise gone from None
        except ReportRefused as refused:
            if refused.retry_after is None:
                self._close(desk, refused)
            raise
        if not desk.seen:
            progress = operation.status.progress
            own = progress and progress.update_time and attempt.since and progress.update_time >= attempt.since
            desk.shown, desk.seen = progress if own else None, True
        return operation

    def _close(self, desk: _Desk, why: ReportRefused) -> None:
        desk.closed, desk.pending = why, None
        self._stop_timer(desk)

    async def _write(self, desk: _Desk) -> None:
        progress, desk.written_at = desk.pending, clock.monotonic()
        assert progress
        try:
            await self._patch(desk.attempt, reports.progress_patch(desk.attempt, progress))
        except AloError as error:
            if isinstance(error, BadRequest | NotFound):
                # Settled, or another operation by now: the patch was for a pending one of this uid.
                await self._look(desk)
            self._set_timer(desk, EVERY)
            raise
        self._written(desk, progress)

    def _written(self, desk: _Desk, progress: Progress) -> None:
        desk.shown, desk.written_at = progress, clock.monotonic()
        if desk.pending is progress:
            desk.pending = None
            self._stop_timer(desk)

    async def _patch(self, attempt: Attempt, patch: list[dict[str, Any]]) -> None:
        path = f"{paths.operation(attempt.namespace, attempt.operation)}/status"
        await self._writer.write("PATCH", path, params=_MANAGER, body=patch, content_type=JSON_PATCH)

    async def _keep(self, attempt: Attempt, handed: Handed) -> None:
        body = reports.result_object(attempt, handed)
        try:
            await self._writer.write("POST", paths.config_maps(attempt.namespace), params=_MANAGER, body=body)
        except AlreadyExists:
            path = paths.config_map(attempt.namespace, reports.result_name(attempt))
            if not reports.holds(await self._cluster.get(path), attempt, handed):
                raise reports.differs() from None
        except Forbidden as error:
            if error.namespace_terminating:
                said = "the namespace is being deleted, so that nothing new can be kept in it"
                raise ReportRefused(ReportReason.SETTLED, said) from error
            if error.over_quota:
                said = f"the namespace's quota has no room for a ConfigMap with the result: {error.message}"
                raise ReportRefused(ReportReason.UNAVAILABLE, said, retry_after=10) from error
            raise

    def _set_timer(self, desk: _Desk, delay: float) -> None:
        if desk.timer is None:
            desk.timer = asyncio.get_running_loop().call_later(delay, self._ring, desk)

    def _stop_timer(self, desk: _Desk) -> None:
        if desk.timer:
            desk.timer.cancel()
            desk.timer = None

    def _ring(self, desk: _Desk) -> None:
        desk.timer = None
        task = asyncio.get_running_loop().create_task(self._write_quietly(desk))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write_quietly(self, desk: _Desk) -> None:
        """Write what waits; nobody is there to be told of a failure, so the timer tries again."""
        try:
            async with desk.lock:
                if desk.pending:
                    await self._write(desk)
        except ReportRefused:
            pass  # the operation has ended; the next report will be told
        except AloError as error:
            logger.warning("progress not written yet", extra=_whose(desk.attempt) | {"error": str(error)})


def _whose(attempt: Attempt) -> dict[str, Any]:
    return {"operation": f"{attempt.namespace}/{attempt.operation}", "uid": attempt.uid, "pod": attempt.pod}
