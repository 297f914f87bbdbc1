"""Listening to pods that are being stopped: the Job controller never counts their end, and once they are gone nobody
can be asked. Their last MODIFIED event before DELETED has exit code and termination message.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from alo_operator.api.names import LABEL_OPERATION_UID
from alo_operator.desired.observed import OperationView
from alo_operator.desired.pod_view import PodView
from alo_operator.effects import paths
from alo_operator.effects.cluster import Cluster
from alo_operator.effects.records import Records
from alo_operator.errors import AloError

logger = logging.getLogger(__name__)

# Longer than any grace period we wait for: a pod that outlives this is given up anyway.
PATIENCE: Final = 600.0


class Listener:
    """Opens one short-lived pod watch an operation; `wake` is called with the operation's uid when it is over."""

    def __init__(self, cluster: Cluster, records: Records, wake: Callable[[str], None]) -> None:
        self._cluster, self._records, self._wake = cluster, records, wake
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, operation: OperationView) -> None:
        """Start listening, and return once the watch is open, so that nothing said after this is missed."""
        self._records.note(operation.uid, replace(self._records.notes(operation.uid), listening=True))
        opened = asyncio.Event()
        task = asyncio.create_task(self._listen(operation, opened), name=f"last words of {operation.uid}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await opened.wait()

    async def stop(self) -> None:
        """End all listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self, operation: OperationView, opened: asyncio.Event) -> None:
        heard: dict[str, PodView] = {}
        gone: set[str] = set()
        query = {"labelSelector": f"{LABEL_OPERATION_UID}={operation.uid}", "watch": "1", "timeoutSeconds": "600"}
        try:
            async for event in self._cluster.watch(
                paths.pods(operation.namespace), query, patience=PATIENCE, opened=opened
            ):
                pod = PodView.from_body(event.get("object") or {})
                if event.get("type") == "DELETED":
                    gone.add(pod.uid)
                if pod.worker and pod.worker.end:
                    heard[pod.uid] = pod
                elif event.get("type") != "DELETED":
                    gone.discard(pod.uid)
                    heard.setdefault(pod.uid, pod)
                if heard.keys() <= gone:
                    break
        except AloError as error:
            logger.info("last words were not heard", extra={"uid": operation.uid, "error": str(error)})
        finally:
            opened.set()
            words = tuple(pod for pod in heard.values() if pod.worker and pod.worker.end)
            notes = self._records.notes(operation.uid)
            self._records.note(operation.uid, replace(notes, last_words=words))
            self._wake(operation.uid)
