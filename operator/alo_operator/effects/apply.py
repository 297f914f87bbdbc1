"""Plans become writes here, one step after the other, each answer taken in before the next."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from alo_operator.api import limits
from alo_operator.api.conditions import Reason
from alo_operator.api.model import format_time
from alo_operator.api.names import API_VERSION, FIELD_MANAGER_OPERATOR, FINALIZER, OPERATION_KIND
from alo_operator.desired.digest import short_hash
from alo_operator.desired.job_view import JobView
from alo_operator.desired.observed import OperationView, Refusal
from alo_operator.desired.status_patch import status_patch
from alo_operator.desired.steps import (
    AddFinalizer,
    CreateJob,
    DeleteJob,
    DeleteOperation,
    PatchJob,
    PostEvent,
    RemoveFinalizer,
    SendCallbacks,
    Step,
    WatchPods,
    WriteStatus,
)
from alo_operator.desired.waiting import LONGEST_RETRY
from alo_operator.effects import clock, paths
from alo_operator.effects.cluster import JSON_PATCH, MERGE_PATCH, Cluster
from alo_operator.effects.last_words import Listener
from alo_operator.effects.records import Records
from alo_operator.effects.writer import Writer
from alo_operator.errors import (
    AlreadyExists,
    ApiError,
    ApiUnreachable,
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    ServerBusy,
)

logger = logging.getLogger(__name__)

_MANAGER: Final = {"fieldManager": FIELD_MANAGER_OPERATOR}
_RETRY_FIRST: Final = timedelta(seconds=2)


class Telling(Protocol):
    """The part of the sender that plans use."""

    def offer(
        self, operation: OperationView, names: Sequence[str], *, last: bool = False, deadline: datetime | None = None
    ) -> None:
        """Take these callbacks of a settled operation in hand; returns at once, and never raises."""


class Applier:
    """Carries out plans. Raises ApiError, ApiUnreachable and NotLeader; then the rest of the plan was left undone."""

    def __init__(self, cluster: Cluster, writer: Writer, records: Records, listener: Listener, sender: Telling) -> None:
        self._cluster, self._writer, self._records = cluster, writer, records
        self._listener, self._sender = listener, sender

    async def apply(self, operation: OperationView, steps: Sequence[Step]) -> None:
        """Do `steps` in order. Where one meets a newer state, that state is read and the rest is for the next plan."""
        decided_on = operation.resource_version
        for step in steps:
            current = self._records.operation(operation.uid)
            try:
                if isinstance(step, PostEvent):
                    await self._post_event(operation, step)
                elif current is None or current.resource_version != decided_on:
                    return  # a watch told of a newer state meanwhile, so what follows may not be due any more
                elif isinstance(step, WriteStatus):
                    decided_on = await self._write_status(current, step)
                elif isinstance(step, AddFinalizer):
                    decided_on = await self._put_finalizers(current, (*current.finalizers, FINALIZER))
                    notes = replace(self._records.notes(current.uid), finalizer_added=True)
                    self._records.note(current.uid, notes)
                elif isinstance(step, RemoveFinalizer):
                    kept = tuple(f for f in current.finalizers if f != FINALIZER)
                    decided_on = await self._put_finalizers(current, kept)
                elif isinstance(step, WatchPods):
                    await self._listener.listen(current)
                elif isinstance(step, DeleteOperation):
                    await self._delete_operation(current)
                elif isinstance(step, SendCallbacks):
                    self._sender.offer(current, step.names, last=step.last, deadline=step.deadline)
                else:
                    await self._change_job(current, step)
            except (Conflict, NotFound) as problem:
                if isinstance(step, DeleteJob) and isinstance(problem, Conflict):
                    self._listener.forget(operation)  # it was not told; it may have ended by itself
                await self._read_again(operation, step.name if isinstance(step, DeleteJob | PatchJob) else None)
                return

    async def _write_status(self, operation: OperationView, step: WriteStatus) -> int:
        patch = [
            # Decided on this version: any other is answered with a conflict.
            {"op": "replace", "path": "/metadata/resourceVersion", "value": str(operation.resource_version)},
            *status_patch(operation.status, step.status),
        ]
        path = f"{paths.operation(operation.namespace, operation.name)}/status"
        try:
            body = await self._writer.write("PATCH", path, params=_MANAGER, body=patch, content_type=JSON_PATCH)
        except BadRequest as error:
            # A patch that removes what is gone by now is refused as such, before anybody looks at the version.
            found = await self._cluster.get(paths.operation(operation.namespace, operation.name))
            if int(found["metadata"]["resourceVersion"]) == operation.resource_version:
                raise
            raise Conflict(409, "Conflict", error.message) from error
        self._records.operation_seen(body)
        if step.answered:
            notes = self._records.notes(operation.uid)
            left = tuple(answer for answer in notes.answers if answer not in step.answered)
            self._records.note(operation.uid, replace(notes, answers=left))
        return int(body["metadata"]["resourceVersion"])

    async def _put_finalizers(self, operation: OperationView, finalizers: tuple[str, ...]) -> int:
        patch = {"metadata": {"resourceVersion": str(operation.resource_version), "finalizers": list(finalizers)}}
        path = paths.operation(operation.namespace, operation.name)
        body = await self._writer.write("PATCH", path, params=_MANAGER, body=patch, content_type=MERGE_PATCH)
        if operation.deleting and not finalizers:
            self._records.operation_gone(operation.uid)
        else:
            self._records.operation_seen(body)
        return int(body["metadata"]["resourceVersion"])

    async def _change_job(self, operation: OperationView, step: CreateJob | PatchJob | DeleteJob) -> None:
        if isinstance(step, CreateJob):
            await self._create_job(operation, step)
        elif isinstance(step, PatchJob):
            await self._patch_job(operation, step)
        else:
            await self._delete_job(operation, step)

    async def _create_job(self, operation: OperationView, step: CreateJob) -> None:
        namespace, name = operation.namespace, step.manifest["metadata"]["name"]
        params = {**_MANAGER, "fieldValidation": "Strict"}
        try:
            body = await self._writer.write("POST", paths.jobs(namespace), params=params, body=step.manifest)
        except AlreadyExists:
            body = await self._cluster.get(paths.job(namespace, name))
            if JobView.from_body(body).owner_uid != operation.uid:
                said = (
                    f"a Job named {name} exists already and is not this operation's; it was left alone. Delete it, and "
                    "ask again under a new name"
                )
                self._refused(operation, Reason.JOB_NAME_CONFLICT, said, again=False)
                return
        except BadRequest as error:
            self._refused(operation, Reason.INVALID_JOB, error.message, again=False)
            return
        except Forbidden as error:
            reason = Reason.QUOTA_EXCEEDED if error.over_quota else Reason.FORBIDDEN
            self._refused(operation, reason, error.message, again=True)
            return
        except (ApiUnreachable, ServerBusy):
            # It may have been made all the same: whoever goes on has to look.
            self._records.note(operation.uid, replace(self._records.notes(operation.uid), finalizer_added=False))
            raise
        self._records.job_seen(JobView.from_body(body))

    def _refused(self, operation: OperationView, reason: Reason, message: str, *, again: bool) -> None:
        notes = self._records.notes(operation.uid)
        tries = notes.refusal.tries + 1 if notes.refusal else 1
        pause = min(_RETRY_FIRST * 2 ** min(tries - 1, 10), LONGEST_RETRY)
        refusal = Refusal(
            reason=reason,
            message=limits.clip(message, limits.REASON),
            retry_at=clock.now() + pause if again else None,
            tries=tries,
        )
        self._records.note(operation.uid, replace(notes, refusal=refusal))

    async def _patch_job(self, operation: OperationView, step: PatchJob) -> None:
        patch = {"metadata": {"uid": step.uid, "resourceVersion": str(step.resource_version)}, "spec": dict(step.spec)}
        path = paths.job(operation.namespace, step.name)
        body = await self._writer.write("PATCH", path, params=_MANAGER, body=patch, content_type=MERGE_PATCH)
        self._records.job_seen(JobView.from_body(body))

    async def _delete_job(self, operation: OperationView, step: DeleteJob) -> None:
        options = _delete_options("Background" if step.over else "Foreground", step.uid, step.resource_version)
        body = await self._writer.write("DELETE", paths.job(operation.namespace, step.name), body=options)
        if body.get("kind") == "Job":
            self._records.job_seen(JobView.from_body(body))
        elif step.over:
            self._records.job_gone(operation.uid)

    async def _delete_operation(self, operation: OperationView) -> None:
        options = _delete_options("Background", operation.uid, operation.resource_version)
        path = paths.operation(operation.namespace, operation.name)
        body = await self._writer.write("DELETE", path, body=options)
        if body.get("metadata", {}).get("finalizers"):
            self._records.operation_seen(body)  # somebody else still holds it
        else:
            self._records.operation_gone(operation.uid)

    async def _post_event(self, operation: OperationView, step: PostEvent) -> None:
        now = format_time(clock.now().replace(microsecond=0))
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Event",
            # The name makes a repetition after a crash meet AlreadyExists.
            "metadata": {"name": f"{operation.name}.{short_hash(operation.uid + step.reason + step.about, 16)}"},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": OPERATION_KIND,
                "name": operation.name,
                "namespace": operation.namespace,
                "uid": operation.uid,
            },
            "type": "Warning" if step.warning else "Normal",
            "reason": step.reason,
            "message": limits.clip(step.message, limits.REASON - 2),
            "source": {"component": FIELD_MANAGER_OPERATOR},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            await self._writer.write("POST", paths.events(operation.namespace), params=_MANAGER, body=body)
            self._records.note(operation.uid, replace(self._records.notes(operation.uid), event_posted=True))
        except (ApiError, ApiUnreachable) as error:
            # An Event is a courtesy; the record is in status already, and a terminating namespace takes none.
            logger.debug("Event not posted: %s", error)

    async def _read_again(self, operation: OperationView, job: str | None) -> None:
        try:
            body = await self._cluster.get(paths.operation(operation.namespace, operation.name))
            if body["metadata"]["uid"] != operation.uid:
                self._records.operation_gone(operation.uid)
                return
            self._records.operation_seen(body)
        except NotFound:
            self._records.operation_gone(operation.uid)
            return
        if job:
            try:
                found = await self._cluster.get(paths.job(operation.namespace, job))
                self._records.job_seen(JobView.from_body(found))
            except NotFound:
                self._records.job_gone(operation.uid)


def _delete_options(policy: str, uid: str, resource_version: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": policy,
        "preconditions": {"uid": uid, "resourceVersion": str(resource_version)},
    }
