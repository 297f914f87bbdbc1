"""The kubelet and the scheduler, in single moves: a test decides what happens to which pod, and when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.support.memory.deletion import delete
from tests.support.memory.documents import copied
from tests.support.memory.kinds import PODS
from tests.support.memory.server import Server, now
from tests.support.memory.store import Place

Body = dict[str, Any]


class Nodes:
    """All nodes there are. What is asked of a pod that is not in the state for it is left undone."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def pods(self, namespace: str = "") -> Iterator[Body]:
        """Copies of all pods."""
        return (copied(body) for body in self._server.store.all(PODS, namespace))

    def schedule(self, pod: Body, node: str = "node") -> None:
        """Bind a pod to a node."""
        new, place = self._now(pod)
        if new and not new["spec"].get("nodeName"):
            new["spec"]["nodeName"] = node
            self._server.change(place, new)

    def start(self, pod: Body) -> None:
        """Start the containers, which are ready at once; a pod without a node gets one first."""
        self.schedule(pod)
        new, place = self._now(pod)
        if new and new["status"].get("phase") == "Pending" and "deletionTimestamp" not in new["metadata"]:
            self._tell(place, new, "Running", {"running": {"startedAt": now()}}, ready=True)

    def end(self, pod: Body, exit_code: int = 0, message: str = "", reason: str = "") -> None:
        """The containers of a running pod end, whether or not they were told to."""
        new, place = self._now(pod)
        if new and new["status"].get("phase") == "Running":
            ended = {"exitCode": exit_code, "reason": reason or ("Error" if exit_code else "Completed")}
            ended |= {"finishedAt": now()} | ({"message": message} if message else {})
            self._tell(place, new, "Failed" if exit_code else "Succeeded", {"terminated": ended}, ready=False)

    def stop(self, pod: Body, exit_code: int = 143, message: str = "") -> None:
        """What was told to stop has stopped: its end shows, then the pod goes, unless a finalizer keeps it."""
        new, _ = self._now(pod)
        if new and "deletionTimestamp" in new["metadata"]:
            self.end(pod, exit_code, message)
            self.confirm(pod)

    def confirm(self, pod: Body) -> None:
        """Tell the API server that nothing of a deleted pod runs any more."""
        new, place = self._now(pod)
        if new and "deletionTimestamp" in new["metadata"]:
            delete(self._server, place, {"gracePeriodSeconds": 0})

    def _now(self, pod: Body) -> tuple[Body | None, Place]:
        meta = pod["metadata"]
        place = Place(PODS, meta["namespace"], meta["name"])
        found = self._server.store.find(place)
        if found is None or found["metadata"]["uid"] != meta["uid"]:
            return None, place
        return copied(found), place

    def _tell(self, place: Place, pod: Body, phase: str, state: Body, *, ready: bool) -> None:
        names = [container["name"] for container in pod["spec"]["containers"]]
        containers = [{"name": name, "ready": ready, "state": copied(state)} for name in names]
        conditions = [one for one in pod["status"].get("conditions", ()) if one["type"] != "Ready"]
        conditions.append({"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": now()})
        pod["status"] |= {"phase": phase, "containerStatuses": containers, "conditions": conditions}
        pod["status"].setdefault("startTime", now())
        self._server.change(place, pod)
