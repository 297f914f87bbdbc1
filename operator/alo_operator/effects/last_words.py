"""Listening to pods that are being stopped: the Job controller never counts their end, and once they are gone nobody
can be asked. Their last MODIFIED event before DELETED has exit code and termination message.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from alo_operator.api.names import LABEL_OPERATION_UID
from alo_operator.desired.job import job_name_known
from alo_operator.desired.observed import OperationView
from alo_operator.desired.ownership import may_be_of
from alo_operator.desired.pod_view import PodView
from alo_operator.effects import paths
from alo_operator.effects.cluster import LONGEST_WATCH, Cluster
from alo_operator.effects.records import Records
from alo_operator.errors import AloError

logger = logging.getLogger(__name__)

# Longer than any grace period we wait for: a pod that outlives this is given up anyway.
PATIENCE: Final = LONGEST_WATCH
OPENING: Final = 10.0


class Listener:
    """Opens one short-lived pod watch an operation; `wake` is called with the operation's uid when it is over."""

    def __init__(self, cluster: Cluster, records: Records, wake: Callable[[str], None]) -> None:
        self._cluster, self._records, self._wake = cluster, records, wake
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def listen(self, operation: OperationView) -> None:
        """Start listening, and return once the watch is open, so that nothing said after this is missed.

        A watch that cannot be opened within ten seconds is not waited for: nobody's cancellation hangs on it.
        """
        self._note(operation.uid, listening=True, last_words=None)
        opened = asyncio.Event()
        task = asyncio.create_task(self._listen(operation, opened), name=f"last words of {operation.uid}")
        self._tasks[operation.uid] = task
        with contextlib.suppress(TimeoutError):
            # Not wait_for, which in Python 3.11 lets a cancellation pass that comes together with the event.
            async with asyncio.timeout(OPENING):
                await opened.wait()

    def forget(self, operation: OperationView) -> None:
        """End listening to work that was not told to stop after all; `listen` may be called again."""
        if task := self._tasks.pop(operation.uid, None):
            task.cancel()
        self._note(operation.uid, listening=False, last_words=None)

    async def stop(self) -> None:
        """End all listening."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, operation: OperationView, opened: asyncio.Event) -> None:
        heard: dict[str, PodView] = {}
        try:
            await self._hear(operation, opened, heard)
        except AloError as error:
            logger.info("last words were not heard", extra={"uid": operation.uid, "error": str(error)})
        finally:
            opened.set()
            if self._tasks.get(operation.uid) is asyncio.current_task():
                del self._tasks[operation.uid]
                words = tuple(pod for pod in heard.values() if pod.worker and pod.worker.end)
                self._note(operation.uid, listening=True, last_words=words)
                self._wake(operation.uid)

    async def _hear(self, operation: OperationView, opened: asyncio.Event, heard: dict[str, PodView]) -> None:
        gone: set[str] = set()
        query = {
            "labelSelector": f"{LABEL_OPERATION_UID}={operation.uid}",
            "watch": "1",
            "timeoutSeconds": f"{PATIENCE:.0f}",
        }
        pods, job = paths.pods(operation.namespace), job_name_known(operation)
        async for event in self._cluster.watch(pods, query, patience=PATIENCE, opened=opened):
            kind = event.get("type")
            if kind not in ("ADDED", "MODIFIED", "DELETED"):
                return  # ERROR: nothing more will come
            body = event.get("object") or {}
            if not may_be_of(body, job):
                continue
            pod = PodView.from_body(body)
            if kind == "DELETED":
                gone.add(pod.uid)
            if kind != "DELETED" or (pod.worker and pod.worker.end):
                heard[pod.uid] = pod
            if heard.keys() <= gone:
                return

    def _note(self, uid: str, *, listening: bool, last_words: tuple[PodView, ...] | None) -> None:
        notes = replace(self._records.notes(uid), listening=listening, last_words=last_words)
        self._records.note(uid, notes)
