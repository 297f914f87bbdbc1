"""What the builders of unit tests share, and the one of pods. Times are UTC; `at(seconds)` counts from NOON."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from alo_operator.api.model import format_time
from alo_operator.api.names import LABEL_OPERATION_UID
from alo_operator.desired.pod_view import DEFAULT_CONTAINER_ANNOTATION, INDEX_ANNOTATION, PodView

Body = dict[str, Any]

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
UID = "6a0f3d1e-0000-4000-8000-000000000001"
JOB_UID = "6a0f3d1e-0000-4000-8000-000000000002"


def at(seconds: float) -> datetime:
    """NOON and that many seconds."""
    return NOON + timedelta(seconds=seconds)


class Built:
    """An object under construction."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def body(self) -> Body:
        """A copy of the object as JSON."""
        return copy.deepcopy(self._body)

    def version(self, resource_version: int) -> Self:
        self._body["metadata"]["resourceVersion"] = str(resource_version)
        return self

    def deleting(self, since: datetime) -> Self:
        self._body["metadata"]["deletionTimestamp"] = format_time(since)
        return self

    def status(self, **fields: Any) -> Self:
        """Set fields of status, in their spelling on the wire."""
        self._body.setdefault("status", {}).update(fields)
        return self


class MakePod(Built):
    """A pod of `make_job()` with the one container `main`; Pending, and the kubelet has told nothing yet."""

    def __init__(self, name: str = "resize-x") -> None:
        super().__init__(
            {
                "metadata": {
                    "name": name,
                    "uid": f"uid-{name}",
                    "creationTimestamp": format_time(NOON),
                    "annotations": {},
                    "labels": {LABEL_OPERATION_UID: UID},
                },
                "spec": {"containers": [{"name": "main"}]},
                "status": {"phase": "Pending"},
            }
        )

    def created(self, when: datetime) -> Self:
        self._body["metadata"]["creationTimestamp"] = format_time(when)
        return self

    def index(self, index: int) -> Self:
        self._body["metadata"]["annotations"][INDEX_ANNOTATION] = str(index)
        return self

    def containers(self, *names: str, init: Sequence[str] = ()) -> Self:
        self._body["spec"]["containers"] = [{"name": name} for name in names]
        self._body["spec"]["initContainers"] = [{"name": name} for name in init]
        return self

    def worker_is(self, name: str) -> Self:
        self._body["metadata"]["annotations"][DEFAULT_CONTAINER_ANNOTATION] = name
        return self

    def waiting(self, reason: str, message: str = "") -> Self:
        return self._container("main", {"waiting": {"reason": reason, "message": message}})

    def running(self, since: datetime = NOON) -> Self:
        self.status(phase="Running")
        return self._container("main", {"running": {"startedAt": format_time(since)}})

    def succeeded(self, message: str = "", *, started: datetime = NOON) -> Self:
        return self.status(phase="Succeeded").exited("main", 0, "Completed", message, started=started)

    def failed(self, code: int = 1, reason: str = "Error", message: str = "", *, finished: datetime = NOON) -> Self:
        return self.status(phase="Failed").exited("main", code, reason, message, finished=finished)

    def exited(
        self,
        container: str,
        code: int,
        reason: str,
        message: str = "",
        *,
        started: datetime = NOON,
        finished: datetime = NOON,
        init: bool = False,
    ) -> Self:
        """One container has ended; the pod's phase stays what it is."""
        ended = {
            "exitCode": code,
            "reason": reason,
            "message": message,
            "startedAt": format_time(started),
            "finishedAt": format_time(finished),
        }
        return self._container(container, {"terminated": ended}, init=init)

    def condition(self, kind: str, status: str, reason: str, message: str = "") -> Self:
        entry = {"type": kind, "status": status, "reason": reason, "message": message}
        self._body["status"].setdefault("conditions", []).append(entry)
        return self

    def _container(self, name: str, state: Mapping[str, Any], *, init: bool = False) -> Self:
        key = "initContainerStatuses" if init else "containerStatuses"
        self._body["status"].setdefault(key, []).append({"name": name, "state": dict(state)})
        return self

    def view(self) -> PodView:
        return PodView.from_body(self._body)
