"""Views for unit tests, said in the words of the situation: `make_job().completed(at(5))`.

A builder holds an object as the API server hands it out; `body()` gives that, `view()` what decisions see of it. Each
method changes the builder and returns it. Times are UTC; `at(seconds)` counts from NOON, when everything is created.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from alo_operator.api.model import format_time, to_wire
from alo_operator.api.names import (
    API_VERSION,
    FINALIZER,
    LABEL_MANAGED,
    LABEL_OPERATION,
    LABEL_OPERATION_UID,
    MANAGED_VALUE,
    OPERATION_KIND,
)
from alo_operator.api.status import OperationStatus
from alo_operator.desired.job import job_name
from alo_operator.desired.job_view import JobView
from alo_operator.desired.observed import Notes, Observed, OperationView
from tests.support.building import JOB_UID, NOON, UID, Built, MakePod, at

__all__ = ["CALLBACKS", "JOB_UID", "NOON", "UID", "at", "make_job", "make_observed", "make_operation", "make_pod"]

CALLBACKS = [{"name": "billing", "url": "https://billing.example/alo", "format": "CloudEvents"}]


class MakeOperation(Built):
    """An AsyncOperation that runs one container; generation 1, never seen by an operator."""

    def __init__(self, name: str = "resize", uid: str = UID) -> None:
        pod = {"containers": [{"name": "main", "image": "example.test/resize:1"}]}
        super().__init__(
            {
                "apiVersion": API_VERSION,
                "kind": OPERATION_KIND,
                "metadata": {
                    "name": name,
                    "namespace": "media",
                    "uid": uid,
                    "resourceVersion": "10",
                    "generation": 1,
                    "creationTimestamp": format_time(NOON),
                },
                "spec": {"job": {"spec": {"template": {"spec": pod}}}, "suspend": False, "readyWhen": "Succeeded"},
                "status": {"observedGeneration": -1, "promise": "Pending", "phase": "Pending"},
            }
        )

    def spec(self, **fields: Any) -> Self:
        """Set fields of spec, in their spelling on the wire; None takes one out."""
        self._body["spec"] = {k: v for k, v in (self._body["spec"] | fields).items() if v is not None}
        return self

    def job_spec(self, **fields: Any) -> Self:
        self._body["spec"]["job"]["spec"].update(fields)
        return self

    def pod_spec(self, **fields: Any) -> Self:
        self._body["spec"]["job"]["spec"]["template"]["spec"].update(fields)
        return self

    def worker(self, **fields: Any) -> Self:
        """Set fields of the (first) container."""
        self._body["spec"]["job"]["spec"]["template"]["spec"]["containers"][0].update(fields)
        return self

    def to_start_within(self, duration: str) -> Self:
        return self.spec(timeouts={"scheduleToStart": duration})

    def with_finalizer(self, *others: str) -> Self:
        self._body["metadata"]["finalizers"] = [*others, FINALIZER]
        return self

    def without_finalizer(self) -> Self:
        self._body["metadata"].pop("finalizers", None)
        return self

    def generation(self, number: int) -> Self:
        self._body["metadata"]["generation"] = number
        return self

    def annotated(self, **annotations: str) -> Self:
        self._body["metadata"].setdefault("annotations", {}).update(annotations)
        return self

    def having(self, status: OperationStatus) -> Self:
        """Its status is now `status`, for instance what a plan has written."""
        self._body["status"] = to_wire(status)
        return self

    def running(self, since: datetime) -> Self:
        """Seen running since then, in generation 1."""
        return self.with_finalizer().status(
            observedGeneration=1,
            phase="Running",
            startTime=format_time(since),
            job={"name": job_name(self.view()), "uid": JOB_UID},
        )

    def started(self, since: datetime) -> Self:
        """Running, as status says it once it has been written: with the conditions of its last transition."""
        wanted = {"type": "Started", "status": "True", "reason": "Started", "lastTransitionTime": format_time(since)}
        return self.running(since).status(conditions=[wanted])

    def cancelling(self, since: datetime, source: str = "Deletion", reason: str = "the operation was deleted") -> Self:
        """Its cancellation is recorded."""
        cancellation = {"requestTime": format_time(since), "source": source, "reason": reason}
        return self.with_finalizer().status(observedGeneration=1, phase="Cancelling", cancellation=cancellation)

    def settled(self, phase: str = "Succeeded", promise: str = "Fulfilled") -> Self:
        return self.status(observedGeneration=1, phase=phase, promise=promise, completionTime=format_time(at(60)))

    def view(self) -> OperationView:
        return OperationView.from_body(self._body)


class MakeJob(Built):
    """The Job of `make_operation()`: created at NOON, one completion wanted, no pod ready."""

    def __init__(self, operation: MakeOperation | None = None) -> None:
        owner = (operation or MakeOperation()).view()
        reference = {"kind": OPERATION_KIND, "name": owner.name, "uid": owner.uid, "controller": True}
        super().__init__(
            {
                "kind": "Job",
                "metadata": {
                    "name": job_name(owner),
                    "namespace": owner.namespace,
                    "uid": JOB_UID,
                    "resourceVersion": "20",
                    "creationTimestamp": format_time(NOON),
                    "labels": {
                        LABEL_MANAGED: MANAGED_VALUE,
                        LABEL_OPERATION: owner.name,
                        LABEL_OPERATION_UID: owner.uid,
                    },
                    "ownerReferences": [reference],
                },
                "spec": {"completions": 1, "template": {"spec": {"terminationGracePeriodSeconds": 30}}},
                "status": {},
            }
        )

    def of_somebody_else(self) -> Self:
        self._body["metadata"]["ownerReferences"] = [{"kind": "CronJob", "uid": "another", "controller": True}]
        return self

    def orphaned(self) -> Self:
        """As `kubectl delete --cascade=orphan` leaves it."""
        self._body["metadata"]["ownerReferences"] = []
        return self

    def uid(self, uid: str) -> Self:
        self._body["metadata"]["uid"] = uid
        return self

    def spec(self, **fields: Any) -> Self:
        self._body["spec"].update(fields)
        return self

    def grace(self, seconds: int) -> Self:
        self._body["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = seconds
        return self

    def suspended(self, *, at_rest: bool = True, **counts: int) -> Self:
        """Suspended by its spec; `at_rest`: the Job controller has acted on it. `counts` are of pods."""
        self.spec(suspend=True)
        if at_rest:
            self.status(conditions=[{"type": "Suspended", "status": "True", "reason": "JobSuspended"}])
        return self.status(**({"active": 0, "ready": 0, "terminating": 0} | counts))

    def completions(self, total: int, done: int = 0) -> Self:
        return self.spec(completions=total).status(succeeded=done, ready=1)

    def ready(self) -> Self:
        return self.status(active=1, ready=1, startTime=format_time(NOON))

    def completed(self, when: datetime, succeeded: int = 1) -> Self:
        return self.status(ready=0, active=0, succeeded=succeeded)._ended("Complete", when, "CompletionsReached", "")

    def failed(self, when: datetime, reason: str = "BackoffLimitExceeded", message: str = "gave up") -> Self:
        return self.status(ready=0, active=0, failed=1)._ended("Failed", when, reason, message)

    def _ended(self, kind: str, when: datetime, reason: str, message: str) -> Self:
        condition = {
            "type": kind,
            "status": "True",
            "lastTransitionTime": format_time(when),
            "reason": reason,
            "message": message,
        }
        return self.status(conditions=[condition], completionTime=format_time(when))

    def view(self) -> JobView:
        return JobView.from_body(self._body)


def make_operation(name: str = "resize", uid: str = UID) -> MakeOperation:
    return MakeOperation(name, uid)


def make_job(operation: MakeOperation | None = None) -> MakeJob:
    return MakeJob(operation)


def make_pod(name: str = "resize-x") -> MakePod:
    return MakePod(name)


def make_observed(
    operation: MakeOperation | None = None,
    job: MakeJob | None = None,
    pods: Sequence[MakePod] | None = None,
    *,
    notes: Notes | None = None,
    **known: Any,
) -> Observed:
    """An Observed of what is given; `known` sets `job_gone`, `job_doubtful` and `creation_failure`."""
    return Observed(
        (operation or make_operation()).view(),
        job.view() if job else None,
        pods=None if pods is None else tuple(pod.view() for pod in pods),
        notes=notes or Notes(),
        **known,
    )
