"""The floor of the whole: the operator's requests for each operation, by its client, and nothing that decides.

What the operator sends for work that succeeds: the finalizer, the Job, that it runs (if it still does after the
operator's delay), a list of its pods, the answer, and the finalizer off again. Two plain watches tell when. The bodies
are the operator's own for the first operation; those of the others are that text with other names and uids in it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from alo_operator.api.names import (
    FIELD_MANAGER_OPERATOR,
    FINALIZER,
    LABEL_MANAGED,
    LABEL_OPERATION_UID,
    MANAGED_VALUE,
)
from alo_operator.desired import record
from alo_operator.desired.job import build_job, job_name_of
from alo_operator.desired.job_view import JobView
from alo_operator.desired.observed import OperationView
from alo_operator.desired.outcome import succeeded
from alo_operator.desired.plan import RUNNING_AFTER
from alo_operator.desired.pod_view import PodView
from alo_operator.desired.status_patch import status_patch
from alo_operator.effects import paths
from alo_operator.effects.cluster import JSON, JSON_PATCH, MERGE_PATCH, Body, Cluster
from alo_operator.effects.command_line import run_to_the_end
from bench.peers.program import READY, arguments, client

CONNECTIONS = 16
LONGEST = 1800.0  # seconds that a watch is held
Take = Callable[[str, Body], None]
MANAGER = {"fieldManager": FIELD_MANAGER_OPERATOR}


@dataclass
class Held:
    """One operation: its names and how far it is. `body` is the last answer of the API server."""

    name: str
    uid: str
    job: str
    body: Body
    job_uid: str = ""
    started: bool = False
    ended: bool = False
    running: bool = False  # whether its status says so
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def version(self) -> str:
        return str(self.body["metadata"]["resourceVersion"])

    @property
    def words(self) -> tuple[str, ...]:
        """What is its own in a body; the Job's name contains the operation's, so it comes first."""
        return tuple(filter(None, (self.job, self.job_uid, self.uid, self.name)))


class Pattern:
    """A body that was made for one operation, for all others."""

    def __init__(self, body: object, model: Held) -> None:
        self._text, self._words = json.dumps(body), model.words

    def of(self, held: Held) -> Any:
        text = self._text
        for old, new in zip(self._words, held.words, strict=True):
            text = text.replace(old, new)
        return json.loads(text)


class Floor:
    """The client of one namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._held: dict[str, Held] = {}
        self._patterns: dict[str, Pattern] = {}
        self._todo: asyncio.Queue[Coroutine[Any, Any, None]] = asyncio.Queue()

    async def run(self) -> None:
        """Serve until cancelled; says when it is ready."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(self._work())
            managed = {"labelSelector": f"{LABEL_MANAGED}={MANAGED_VALUE}"}
            watches: tuple[tuple[str, dict[str, str], Take], ...] = (
                (paths.operations(self._namespace), {}, self._operation_event),
                (paths.jobs(self._namespace), managed, self._job_event),
            )
            opened = [asyncio.Event() for _ in watches]
            for (path, query, take), event in zip(watches, opened, strict=True):
                group.create_task(self._watch(path, query, take, event))
            for event in opened:
                await event.wait()
            print(READY, flush=True)

    async def _work(self) -> None:
        while True:
            await (await self._todo.get())

    async def _watch(self, path: str, query: dict[str, str], take: Take, opened: asyncio.Event) -> None:
        listed = await self._cluster.get(path, query)
        params = {**query, "watch": "true", "resourceVersion": listed["metadata"]["resourceVersion"]}
        async for event in self._cluster.watch(path, params, patience=LONGEST, opened=opened):
            take(event["type"], event["object"])
        raise RuntimeError(f"the watch of {path} is over")

    def _operation_event(self, kind: str, body: Body) -> None:
        if kind == "ADDED":
            name, uid = body["metadata"]["name"], body["metadata"]["uid"]
            held = self._held[uid] = Held(name, uid, job_name_of(name, uid), body)
            self._todo.put_nowait(self._start(held))

    def _job_event(self, _: str, job: Body) -> None:
        held, status = self._held[job["metadata"]["labels"][LABEL_OPERATION_UID]], job.get("status") or {}
        if held.ended:
            return
        conditions = status.get("conditions") or ()
        if any(one["type"] == "Complete" and one["status"] == "True" for one in conditions):
            held.ended = True
            self._todo.put_nowait(self._settle(held, job))
        elif not held.started and (status.get("ready") or status.get("succeeded")):
            held.started = True
            later = asyncio.get_running_loop().call_later
            later(RUNNING_AFTER.total_seconds(), lambda: self._todo.put_nowait(self._say_running(held, job)))

    async def _start(self, held: Held) -> None:
        async with held.turn:
            await self._finalizers(held, [FINALIZER])
            if "job" not in self._patterns:
                self._patterns["job"] = Pattern(build_job(OperationView.from_body(held.body)), held)
            params = {**MANAGER, "fieldValidation": "Strict"}
            await self._send("POST", paths.jobs(self._namespace), self._patterns["job"].of(held), params=params)

    async def _say_running(self, held: Held, job: Body) -> None:
        async with held.turn:
            if held.ended:
                return
            held.job_uid = job["metadata"]["uid"]
            if "running" not in self._patterns:
                operation, now = OperationView.from_body(held.body), _now()
                status = record.running(operation, JobView.from_body(job), now, now)
                self._patterns["running"] = Pattern(status_patch(operation.status, status), held)
            await self._status(held, self._patterns["running"])
            held.running = True

    async def _settle(self, held: Held, job: Body) -> None:
        async with held.turn:
            held.job_uid = job["metadata"]["uid"]
            query = {"labelSelector": f"{LABEL_OPERATION_UID}={held.uid}"}
            pods = [pod async for pod in self._cluster.pages(paths.pods(self._namespace), query)]
            kind = "settled after it ran" if held.running else "settled"
            if kind not in self._patterns:
                operation, view = OperationView.from_body(held.body), JobView.from_body(job)
                outcome = succeeded(view, tuple(PodView.from_body(pod) for pod in pods)) or succeeded(view, ())
                assert outcome
                status = record.settled(operation, view, outcome, _now())
                self._patterns[kind] = Pattern(status_patch(operation.status, status), held)
            await self._status(held, self._patterns[kind])
            await self._finalizers(held, [])

    async def _finalizers(self, held: Held, finalizers: list[str]) -> None:
        path = paths.operation(self._namespace, held.name)
        body = {"metadata": {"resourceVersion": held.version, "finalizers": finalizers}}
        held.body = await self._send("PATCH", path, body, content_type=MERGE_PATCH)

    async def _status(self, held: Held, pattern: Pattern) -> None:
        path = f"{paths.operation(self._namespace, held.name)}/status"
        version = {"op": "replace", "path": "/metadata/resourceVersion", "value": held.version}
        held.body = await self._send("PATCH", path, [version, *pattern.of(held)], content_type=JSON_PATCH)

    async def _send(
        self, method: str, path: str, body: Any, *, params: Mapping[str, str] = MANAGER, content_type: str = JSON
    ) -> Body:
        return await self._cluster.request(method, path, params=params, body=body, content_type=content_type)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


async def main() -> None:
    given = arguments()
    cluster = client(given.kubeconfig)
    try:
        await Floor(cluster, given.namespace).run()
    finally:
        await cluster.close()


if __name__ == "__main__":
    run_to_the_end(main, "text", "info")  # the event loop and garbage collection of the operator
