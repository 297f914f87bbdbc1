"""A cluster in memory around one operator: clients, a toy Job controller, a toy kubelet and a garbage collector.

Each of their moves is a method, so that a test decides who acts when. Nothing here knows how the operator decides.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import Any, Final

from alo_operator.api.model import format_time
from alo_operator.api.names import LABEL_OPERATION_UID
from alo_operator.effects import clock
from alo_operator.errors import Forbidden
from tests.support.memory_api import FOREGROUND, MemoryApi

Body = dict[str, Any]

GRACE_SECONDS: Final = 30


class World:
    """Everything but the operator. `asked_to_stop` and `ended` say what really happened, for the laws."""

    def __init__(self) -> None:
        self.api = MemoryApi()
        self.quota_full = False
        self.asked_to_stop: set[str] = set()  # uids of operations somebody deleted
        self.ended: defaultdict[str, set[str]] = defaultdict(set)  # operation uid -> Complete, Failed
        self.deleted_by_hand: set[str] = set()  # whose Job somebody deleted
        self.may_run_twice: set[str] = set()  # its Job was deleted by hand before any status named it
        self._names = itertools.count(1)

    # -- clients

    def create(self, **spec: Any) -> str:
        """A caller creates an operation; its name."""
        name = f"op-{next(self._names)}"
        pod: Body = {"containers": [{"name": "main", "image": "example.test/work:1"}]}
        work: Body = {"job": {"spec": {"backoffLimit": 0, "completions": 1, "template": {"spec": pod}}}}
        job_spec = spec.pop("job_spec", {})
        work["job"]["spec"] |= job_spec
        self.api.add("asyncoperations", {"metadata": {"name": name}, "spec": {**work, **spec}})
        return name

    def delete(self, name: str) -> None:
        """A caller withdraws an operation."""
        found = self.operation(name)
        if found is not None:
            self.asked_to_stop.add(found["metadata"]["uid"])
            self.api.remove("asyncoperations", name)

    def label(self, name: str) -> None:
        """Somebody else writes the operation: every version known of it is now old."""
        if self.operation(name) is not None:
            count = str(len(self.api.events))
            self.api.change("asyncoperations", name, lambda body: body["metadata"].update(labels={"touched": count}))

    def edit(self, name: str) -> None:
        """A caller changes something that may change and asks for nothing."""
        if self.operation(name) is not None:
            count = len(self.api.events)
            self.api.change("asyncoperations", name, lambda body: body["spec"].update(edited=count))

    def delete_job_by_hand(self, name: str) -> None:
        """Somebody deletes the Job behind the operator's back."""
        for job in self.jobs_of(name):
            operation = self.operation(name)
            if operation is None:
                continue
            self.deleted_by_hand.add(operation["metadata"]["uid"])
            if "job" not in operation["status"]:
                self.may_run_twice.add(operation["metadata"]["uid"])
            self.api.remove("jobs", job["metadata"]["name"])

    # -- the cluster

    def refuse_jobs(self, method: str, path: str) -> None:
        """A quota, as admission enforces it. Raises Forbidden."""
        if self.quota_full and method == "POST" and path.endswith("/jobs"):
            raise Forbidden(403, "Forbidden", "exceeded quota: few-jobs")

    def make_pods(self) -> None:
        """The Job controller makes the one pod of each Job that needs one."""
        for job in self.api.every("jobs"):
            meta = job["metadata"]
            if not _over(job) and not meta.get("deletionTimestamp") and not job.get("status", {}).get("pod"):
                owner = meta["labels"][LABEL_OPERATION_UID]
                pod: Body = {
                    "metadata": {"name": f"{meta['name']}-{meta['uid']}", "labels": {LABEL_OPERATION_UID: owner}}
                }
                pod |= {
                    "spec": {"containers": [{"name": "main"}]},
                    "status": {"phase": "Pending"},
                    "job": meta["uid"],
                    "of": meta["name"],
                }
                self.api.add("pods", pod)
                self._job(meta["name"], pod=True, active=1)

    def start_pods(self) -> None:
        """The kubelet starts what is scheduled, and the Job controller counts it."""
        for pod in self.api.every("pods"):
            if pod["status"]["phase"] == "Pending" and not pod["metadata"].get("deletionTimestamp"):
                self._pod(pod, "Running", {"running": {"startedAt": _now()}})
                self._job(_job_name(pod), ready=1, startTime=_now())

    def end_work(self, name: str, exit_code: int) -> None:
        """The worker of an operation exits."""
        for pod in self.pods_of(name):
            if pod["status"]["phase"] == "Running":
                ended = {"exitCode": exit_code, "reason": "Completed", "message": '"done"', "finishedAt": _now()}
                self._pod(pod, "Failed" if exit_code else "Succeeded", {"terminated": ended})

    def count_ends(self) -> None:
        """The Job controller counts pods that have finished; a Job that is being deleted counts none."""
        for pod in self.api.every("pods"):
            phase, name = pod["status"]["phase"], _job_name(pod)
            job = self.api.find("jobs", name)
            if (
                phase not in ("Succeeded", "Failed")
                or job is None
                or _over(job)
                or job["metadata"]["uid"] != pod["job"]
            ):
                continue
            if not job["metadata"].get("deletionTimestamp"):
                kind = "Complete" if phase == "Succeeded" else "Failed"
                condition = {"type": kind, "status": "True", "lastTransitionTime": _now(), "reason": "Toy"}
                self._job(name, ready=0, active=0, conditions=[condition], **{phase.lower(): 1})
                self.ended[pod["metadata"]["labels"][LABEL_OPERATION_UID]].add(kind)

    def collect(self) -> None:
        """The garbage collector and the Job controller: what belongs to something deleted is deleted."""
        uids = {body["metadata"]["uid"] for body in self.api.every("asyncoperations")}
        for job in self.api.every("jobs"):
            meta = job["metadata"]
            if meta["labels"][LABEL_OPERATION_UID] not in uids and not meta.get("deletionTimestamp"):
                self.api.remove("jobs", meta["name"])
        for pod in self.api.every("pods"):
            meta, owner = pod["metadata"], self.api.find("jobs", _job_name(pod))
            kept = owner and owner["metadata"]["uid"] == pod["job"] and not owner["metadata"].get("deletionTimestamp")
            if not kept and not meta.get("deletionTimestamp"):
                self.api.change("pods", meta["name"], _told_to_stop)
        self.api_lets_go()

    def stop_pods(self) -> None:
        """The kubelet has stopped what was told to stop."""
        for pod in self.api.every("pods"):
            if pod["metadata"].get("deletionTimestamp"):
                self.api.change("pods", pod["metadata"]["name"], lambda body: body["metadata"].update(finalizers=[]))
        self.api_lets_go()

    def api_lets_go(self) -> None:
        """A Job deleted in the foreground is gone once its pods are."""
        for job in self.api.every("jobs"):
            meta = job["metadata"]
            if FOREGROUND in meta.get("finalizers", ()) and not any(
                _job_name(pod) == meta["name"] for pod in self.api.every("pods")
            ):
                self.api.change("jobs", meta["name"], lambda body: body["metadata"].update(finalizers=[]))

    def everything_ends(self) -> None:
        """All that is scheduled starts, all that runs ends well, all that is deleted goes."""
        self.quota_full = False
        self.make_pods()
        self.start_pods()
        for operation in self.api.every("asyncoperations"):
            self.end_work(operation["metadata"]["name"], 0)
        self.count_ends()
        self.collect()
        self.stop_pods()

    # -- what is

    def operation(self, name: str) -> Body | None:
        return self.api.find("asyncoperations", name)

    def jobs_of(self, name: str) -> list[Body]:
        return self._of("jobs", name)

    def pods_of(self, name: str) -> list[Body]:
        return self._of("pods", name)

    def _of(self, plural: str, name: str) -> list[Body]:
        operation = self.operation(name)
        uid = operation["metadata"]["uid"] if operation else ""
        return [body for body in self.api.every(plural) if body["metadata"]["labels"][LABEL_OPERATION_UID] == uid]

    def _job(self, name: str, **status: Any) -> None:
        if self.api.find("jobs", name) is not None:
            self.api.change("jobs", name, lambda body: body.setdefault("status", {}).update(status))

    def _pod(self, pod: Body, phase: str, state: Body) -> None:
        status = {"phase": phase, "containerStatuses": [{"name": "main", "state": state}]}
        self.api.change("pods", pod["metadata"]["name"], lambda body: body.update(status=status))


def live(pod: Body) -> bool:
    """Whether something of it may still run."""
    return pod["status"]["phase"] in ("Pending", "Running")


def _over(job: Body) -> bool:
    return bool(job.get("status", {}).get("conditions"))


def _job_name(pod: Body) -> str:
    return str(pod["of"])


def _told_to_stop(body: Body) -> None:
    # A finalizer stands for the kubelet, which has to confirm that the containers have ended.
    body["metadata"] |= {"deletionTimestamp": _now(), "finalizers": ["kubelet"]}


def _now() -> str:
    return format_time(clock.now().replace(microsecond=0))
