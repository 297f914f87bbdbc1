"""Why work has not started: from pods, or from Events where there is no pod, to one reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alo_operator.api import limits
from alo_operator.api.conditions import Reason
from alo_operator.desired.pod_view import ContainerView, PodView

LOOK_AGES: Final = (timedelta(seconds=10), timedelta(seconds=30), timedelta(seconds=60))
LOOK_EVERY: Final = timedelta(seconds=60)
# How long a Job without a pod, or a pod being made, is only a queue: waiting in one costs no writes.
QUEUE_PATIENCE: Final = timedelta(minutes=5)
# Between two tries to make a Job that was refused; one that seems further away was set before the clock was set back.
LONGEST_RETRY: Final = timedelta(seconds=30)

_REASONS: Final = {
    "ErrImagePull": Reason.IMAGE_PULL_BACK_OFF,
    "ImagePullBackOff": Reason.IMAGE_PULL_BACK_OFF,
    "ErrImageNeverPull": Reason.IMAGE_PULL_BACK_OFF,
    "ImageInspectError": Reason.IMAGE_PULL_BACK_OFF,
    "RegistryUnavailable": Reason.IMAGE_PULL_BACK_OFF,
    "InvalidImageName": Reason.INVALID_IMAGE_NAME,
    "CreateContainerConfigError": Reason.CREATE_CONTAINER_ERROR,
    "CreateContainerError": Reason.CREATE_CONTAINER_ERROR,
    "RunContainerError": Reason.CREATE_CONTAINER_ERROR,
    "CrashLoopBackOff": Reason.CRASH_LOOP_BACK_OFF,
    "ContainerCreating": Reason.CONTAINER_CREATING,
    "PodInitializing": Reason.CONTAINER_CREATING,
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """One reason for not having started; `fatal` says that waiting cannot help."""

    reason: Reason
    message: str

    @property
    def telling(self) -> bool:
        """Whether it says more than "not yet", which is worth a write only when it lasts (`QUEUE_PATIENCE`)."""
        return self.reason not in (Reason.NO_POD, Reason.PENDING, Reason.CONTAINER_CREATING)

    @property
    def fatal(self) -> bool:
        """Whether the work can never start as it is written."""
        return self.reason is Reason.INVALID_IMAGE_NAME


def why_waiting(pods: tuple[PodView, ...], creation_failure: str | None) -> Waiting:
    """The reason that matters most: of the newest pod that has one, else of the failed creation of pods."""
    for pod in sorted(pods, key=lambda pod: (pod.created is None, pod.created), reverse=True):
        if found := _of_pod(pod):
            return found
    if pods:
        return Waiting(Reason.PENDING, "the pod exists and is being started")
    if creation_failure:
        reason = Reason.QUOTA_EXCEEDED if "exceeded quota" in creation_failure else Reason.FAILED_CREATE
        return Waiting(reason, limits.clip(creation_failure, limits.REASON))
    return Waiting(Reason.NO_POD, "the Job has no pod yet")


def next_look(job_created: datetime, last_look: datetime | None) -> datetime:
    """When to look (again); a moment that is past means now.

    Looks are due 10, 30 and 60 seconds after the Job's creation and every minute from then on.
    """
    if last_look is None:
        return job_created + LOOK_AGES[0]
    age = last_look - job_created
    for due in LOOK_AGES:
        if age < due:
            return job_created + due
    return job_created + (age // LOOK_EVERY + 1) * LOOK_EVERY


def _of_pod(pod: PodView) -> Waiting | None:
    if pod.unschedulable:
        return Waiting(Reason.UNSCHEDULABLE, _say(pod, pod.unschedulable))
    for container in pod.containers:
        if container.waiting:
            return _of_container(pod, container)
    if any(c.running_since for c in pod.containers) and pod.not_ready:
        return Waiting(Reason.NOT_READY, _say(pod, pod.not_ready))
    return None


def _of_container(pod: PodView, container: ContainerView) -> Waiting:
    reason = _REASONS.get(container.waiting, Reason.PENDING)
    what = f"container {container.name}: {container.waiting}"
    return Waiting(reason, _say(pod, f"{what}: {container.waiting_message}" if container.waiting_message else what))


def _say(pod: PodView, words: str) -> str:
    return limits.clip(f"pod {pod.name}: {words}", limits.REASON)
