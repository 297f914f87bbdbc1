"""Who may report what: the gateway's decisions, from objects as the API server hands them out.

A pod may report for an operation if its controller is a Job whose controller is that operation, and as long as it has
not finished. Nothing more is needed to know the current attempt: Jobs of ours have `podReplacementPolicy: Failed`, so
the next pod is made only when the last one has finished or is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from alo_operator.api.model import to_wire
from alo_operator.api.names import GROUP, OPERATION_KIND
from alo_operator.api.reports import ReportReason
from alo_operator.api.status import Progress, Reported
from alo_operator.desired.digest import short_hash
from alo_operator.desired.fields import Json, text
from alo_operator.desired.job import job_name_of
from alo_operator.desired.job_view import JobView
from alo_operator.desired.observed import OperationView
from alo_operator.desired.ownership import controller, labels_of, owner_reference
from alo_operator.desired.pod_view import PodView
from alo_operator.desired.results import Handed
from alo_operator.errors import ReportRefused

_OVER: Final = "this attempt is over: a pod that has finished or is gone reports nothing more; let the worker end"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A pod that works for an operation; `uid` is the operation's, `since` when the pod was made."""

    namespace: str
    operation: str
    uid: str
    pod: str
    pod_uid: str
    index: str
    since: datetime | None
    job: JobView


def owning_job(pod: Json, uid: str) -> tuple[str, str]:
    """Name and uid of the Job that the live pod `uid` is an attempt of.

    Raises:
        ReportRefused: the pod has finished or is another, or no Job controls it.
    """
    view = PodView.from_body(pod)
    if view.uid != uid or view.finished:
        raise ReportRefused(ReportReason.REPLACED, _OVER)
    owner = controller(pod)
    if text(owner, "kind") != "Job" or text(owner, "apiVersion").partition("/")[0] != "batch":
        raise ReportRefused(ReportReason.NOT_THIS_OPERATION, f"pod {view.name} is not run by a Job")
    return text(owner, "name"), text(owner, "uid")


def attempt_of(pod: Json, job: Json, job_uid: str) -> Attempt:
    """The attempt that `pod` is, by the Job `job_uid` that controls it.

    Raises:
        ReportRefused: the Job is another, or not the one Job of an operation.
    """
    job_view, pod_view, owner = JobView.from_body(job), PodView.from_body(pod), controller(job)
    if job_view.uid != job_uid:
        raise ReportRefused(ReportReason.REPLACED, _OVER)
    name, uid = text(owner, "name"), text(owner, "uid")
    ours = text(owner, "kind") == OPERATION_KIND and text(owner, "apiVersion").partition("/")[0] == GROUP
    # Whoever may make Jobs can claim any owner, but not the one name that an operation's Job has.
    if not ours or job_view.name != job_name_of(name, uid):
        said = f"the Job {job_view.name} of pod {pod_view.name} is not the Job of an operation"
        raise ReportRefused(ReportReason.NOT_THIS_OPERATION, said)
    return Attempt(
        namespace=job_view.namespace,
        operation=name,
        uid=uid,
        pod=pod_view.name,
        pod_uid=pod_view.uid,
        index=pod_view.index,
        since=pod_view.created,
        job=job_view,
    )


def works_for(attempt: Attempt, namespace: str, operation: str) -> None:
    """Raises ReportRefused where the attempt is one of another operation."""
    if (attempt.namespace, attempt.operation) != (namespace, operation):
        said = f"pod {attempt.pod} works for {attempt.namespace}/{attempt.operation}, not for {namespace}/{operation}"
        raise ReportRefused(ReportReason.NOT_THIS_OPERATION, f"{said}; use $ALO_REPORT_URL as it is")


def may_show_progress(attempt: Attempt) -> None:
    """Raises ReportRefused where the operator counts the progress itself."""
    if (attempt.job.completions or 1) > 1:
        said = "the progress of a Job with several completions is counted by the operator; report none"
        raise ReportRefused(ReportReason.COUNTED_BY_JOB, said)


def may_hand_in(attempt: Attempt) -> None:
    """Raises ReportRefused where the attempt is none that gives the operation its one result."""
    if not attempt.job.gives_value:
        said = "a Job with several completions has no one result; use an Indexed Job, whose index 0 may hand one in"
        raise ReportRefused(ReportReason.NO_SINGLE_RESULT, said)
    if attempt.job.indexed and attempt.index != "0":
        said = f"this is index {attempt.index} of an Indexed Job; only index 0 hands in the result"
        raise ReportRefused(ReportReason.NO_SINGLE_RESULT, said)


def open_for(attempt: Attempt, operation: OperationView) -> None:
    """Raises ReportRefused where the operation takes no reports (any more)."""
    if operation.uid != attempt.uid:
        raise ReportRefused(ReportReason.NOT_FOUND, "the operation does not exist any more; let the worker end")
    if not operation.readable:
        said = "this gateway cannot read the operation's status; bring it up to the operator's version"
        raise ReportRefused(ReportReason.UNAVAILABLE, said, retry_after=10)
    if operation.settled:
        said = f"the operation has ended ({operation.status.phase}) and takes nothing more; let the worker end"
        raise ReportRefused(ReportReason.SETTLED, said)


def handed_in_before(attempt: Attempt, operation: OperationView, handed: Handed) -> bool:
    """Whether this very result of this attempt is on record.

    Raises:
        ReportRefused: the attempt has handed in another one.
    """
    reported = operation.status.reported
    if reported is None or reported.attempt != attempt.pod_uid:
        return False
    if reported.sha256 != handed.sha256:
        raise differs()
    return True


def differs() -> ReportRefused:
    """An attempt has one result, and it stands."""
    said = "this attempt has handed in another result before, which stands; hand in one result only"
    return ReportRefused(ReportReason.RESULT_DIFFERS, said)


def result_name(attempt: Attempt) -> str:
    """The name of the ConfigMap for a large result: one for each attempt."""
    return f"{attempt.job.name}-{short_hash(attempt.pod_uid)}"


def result_object(attempt: Attempt, handed: Handed) -> dict[str, Any]:
    """The ConfigMap for a large result; it goes with its operation."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": result_name(attempt),
            "namespace": attempt.namespace,
            "labels": labels_of(attempt.operation, attempt.uid),
            "ownerReferences": [owner_reference(attempt.operation, attempt.uid)],
        },
        "immutable": True,
        **handed.content(),
    }


def holds(found: Json, attempt: Attempt, handed: Handed) -> bool:
    """Whether the ConfigMap `found` is the one that `result_object` asks for."""
    wanted = handed.content()
    same = all(found.get(key) == value for key, value in wanted.items())
    return same and found.get("immutable") is True and text(controller(found), "uid") == attempt.uid


def progress_patch(attempt: Attempt, progress: Progress) -> list[dict[str, Any]]:
    """JSON Patch operations that show `progress`, of this operation and only while it is pending."""
    return [
        {"op": "test", "path": "/metadata/uid", "value": attempt.uid},
        {"op": "test", "path": "/status/promise", "value": "Pending"},
        {"op": "add", "path": "/status/progress", "value": to_wire(progress)},
    ]


def result_patch(operation: OperationView, reported: Reported, progress: Progress | None) -> list[dict[str, Any]]:
    """JSON Patch operations that record a result, decided on this version of the operation and on no other."""
    patch: list[dict[str, Any]] = [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": str(operation.resource_version)},
        {"op": "add", "path": "/status/reported", "value": to_wire(reported)},
    ]
    if progress:
        patch.append({"op": "add", "path": "/status/progress", "value": to_wire(progress)})
    return patch
