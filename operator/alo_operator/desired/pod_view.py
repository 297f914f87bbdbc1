"""A pod as decisions need it, and which of its containers is the worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from alo_operator.desired.fields import entries, moment, number, section, text

DEFAULT_CONTAINER_ANNOTATION: Final = "kubectl.kubernetes.io/default-container"
INDEX_ANNOTATION: Final = "batch.kubernetes.io/job-completion-index"


@dataclass(frozen=True, slots=True)
class ContainerEnd:
    """How a container ended: `message` is the termination message as the kubelet kept it."""

    exit_code: int
    reason: str
    message: str
    started: datetime | None
    finished: datetime | None


@dataclass(frozen=True, slots=True)
class ContainerView:
    """One container (or init container) of a pod; `waiting` is the reason it does not run yet."""

    name: str
    init: bool
    ready: bool
    waiting: str
    waiting_message: str
    running_since: datetime | None
    end: ContainerEnd | None


@dataclass(frozen=True, slots=True)
class PodView:
    """One pod; `container_count` includes init and ephemeral ones, as the kubelet counts when it cuts messages."""

    name: str
    uid: str
    phase: str
    reason: str
    message: str
    index: str
    created: datetime | None
    deleting: datetime | None
    unschedulable: str
    not_ready: str
    disrupted: str
    worker_name: str
    container_count: int
    containers: tuple[ContainerView, ...]

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> PodView:
        """Read a pod as the API server hands it out."""
        status = section(body, "status")
        conditions = {text(c, "type"): c for c in entries(status, "conditions")}
        scheduled, disrupted = conditions.get("PodScheduled", {}), conditions.get("DisruptionTarget", {})
        ready = conditions.get("ContainersReady", {})
        return cls(
            name=text(body, "metadata", "name"),
            uid=text(body, "metadata", "uid"),
            phase=text(status, "phase"),
            reason=text(status, "reason"),
            message=text(status, "message"),
            index=text(body, "metadata", "annotations", INDEX_ANNOTATION),
            created=moment(body, "metadata", "creationTimestamp"),
            deleting=moment(body, "metadata", "deletionTimestamp"),
            unschedulable=text(scheduled, "message") if text(scheduled, "reason") == "Unschedulable" else "",
            not_ready=text(ready, "message") if text(ready, "status") == "False" else "",
            disrupted=text(disrupted, "reason") if text(disrupted, "status") == "True" else "",
            worker_name=worker_container_name(section(body, "metadata"), section(body, "spec")),
            container_count=sum(
                sum(1 for _ in entries(body, "spec", kind))
                for kind in ("containers", "initContainers", "ephemeralContainers")
            ),
            containers=tuple(
                _container(entry, init=kind == "initContainerStatuses")
                for kind in ("initContainerStatuses", "containerStatuses")
                for entry in entries(status, kind)
            ),
        )

    @property
    def finished(self) -> bool:
        """Whether no container of it will run again."""
        return self.phase in ("Succeeded", "Failed")

    @property
    def worker(self) -> ContainerView | None:
        """The container whose exit code and message count; None while the kubelet has told nothing of it."""
        return next((c for c in self.containers if c.name == self.worker_name and not c.init), None)


def worker_container_name(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    """The name of the worker container: the one the default-container annotation names, else the first; "" if none."""
    names = [text(container, "name") for container in entries(spec, "containers")]
    wanted = text(metadata, "annotations", DEFAULT_CONTAINER_ANNOTATION)
    return wanted if wanted in names else next(iter(names), "")


def _container(entry: Mapping[str, Any], *, init: bool) -> ContainerView:
    state = section(entry, "state")
    ended = section(state, "terminated")
    return ContainerView(
        name=text(entry, "name"),
        init=init,
        ready=entry.get("ready") is True,
        waiting=text(state, "waiting", "reason"),
        waiting_message=text(state, "waiting", "message"),
        running_since=moment(state, "running", "startedAt"),
        end=ContainerEnd(
            exit_code=number(ended, "exitCode"),
            reason=text(ended, "reason"),
            message=text(ended, "message"),
            started=moment(ended, "startedAt"),
            finished=moment(ended, "finishedAt"),
        )
        if ended
        else None,
    )
