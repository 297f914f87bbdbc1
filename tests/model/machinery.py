"""A toy Job controller, a toy kubelet and a toy garbage collector: each move is a method, so a test says who acts when.

They keep to what was measured on a real cluster: a Job that is suspended or deleted in the foreground never counts how
its live pods end; a resumed one starts afresh; a pod's last words are in its last change before it goes.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Final

from alo_operator.api.model import format_time
from alo_operator.api.names import LABEL_OPERATION_UID, OPERATION_PLURAL
from alo_operator.effects import clock
from tests.model.world import Body, World, live, owner_uid, waits_for_dependents

GRACE: Final = timedelta(seconds=30)
PARTIAL: Final = '"half"'
FAILING: Final = "FailureTarget"
COLLECTORS: Final = {"foregroundDeletion", "orphan"}
WHOLE: Final = '"done"'


class Machinery:
    """Everything in the cluster but the API server and the operator. `seen` counts what happened to workers."""

    def __init__(self, world: World) -> None:
        self._world, self._api = world, world.api
        self.seen: Counter[str] = Counter()
        self._numbers = 0

    # -- the Job controller

    def sync_jobs(self, *, late: bool = False) -> None:
        """One look at each Job; `late`: it still counts a pod that had ended before its Job was deleted."""
        for job in self._world.every("jobs"):
            if not _end_of(job):
                self._sync(job, late=late)

    def _sync(self, job: Body, *, late: bool) -> None:
        status: Body = {"succeeded": 0, "failed": 0, **job.get("status", {})}
        pods = self._world.pods_of_job(job["metadata"]["uid"])
        deleting = bool(job["metadata"].get("deletionTimestamp"))
        for pod in pods:
            if not live(pod) and pod["toy"]["tracked"] and (late or not deleting):
                self._count(pod, status)
            elif deleting:
                self._toy(pod, tracked=False)
        if deleting:
            end = _verdict(job, status)
            self._write(job, self._counted(job, status) | ({"conditions": [end]} if end and late else {}))
            return
        if end := _verdict(job, status):
            self._finish(job, status, end)
            return
        if job["spec"].get("suspend"):
            for pod in pods:
                self._let_go(pod)
            if not _held(status):
                status["conditions"] = [_condition("Suspended", "True", "JobSuspended")]
        else:
            if _held(status):  # until now startTime was that of before the pause
                status |= {"conditions": [_condition("Suspended", "False", "JobResumed")], "startTime": _now()}
            status.setdefault("startTime", _now())
            if not any(live(pod) for pod in pods):
                self._make_pod(job)
        self._write(job, self._counted(job, status))

    def _finish(self, job: Body, status: Body, end: Body) -> None:
        for pod in self._world.pods_of_job(job["metadata"]["uid"]):
            self._let_go(pod)
        counted = self._counted(job, status) | {"ready": 0, "active": 0}
        if counted["terminating"]:  # it is over only when its pods are gone
            end = {**end, "type": "SuccessCriteriaMet" if end["type"] == "Complete" else FAILING}
        self._write(job, counted | {"conditions": [end]})

    def _count(self, pod: Body, status: Body) -> None:
        self._toy(pod, tracked=False)
        if pod["status"]["phase"] == "Succeeded":
            status["succeeded"] += 1
        elif not pod["toy"].get("disrupted"):  # podFailurePolicy: Ignore
            status["failed"] += 1

    def _counted(self, job: Body, status: Body) -> Body:
        pods = self._world.pods_of_job(job["metadata"]["uid"])
        going = [pod for pod in pods if pod["metadata"].get("deletionTimestamp")]
        active = [pod for pod in pods if live(pod) and pod not in going]
        ready = [pod for pod in active if pod["status"]["phase"] == "Running" and not pod["toy"].get("node_dead")]
        return status | {"active": len(active), "ready": len(ready), "terminating": len(going)}

    def _make_pod(self, job: Body) -> None:
        self._numbers += 1
        meta, template = job["metadata"], job["spec"]["template"]
        body: Body = {
            "metadata": {"name": f"{meta['name']}-{self._numbers}", "labels": dict(template["metadata"]["labels"])},
            "spec": {"containers": [{"name": "main"}]},
            "status": {"phase": "Pending"},
            "toy": {"job": meta["uid"], "tracked": True},
        }
        self._api.add("pods", body)

    def _write(self, job: Body, status: Body) -> None:
        if status != job.get("status"):
            self._api.change("jobs", job["metadata"]["name"], lambda body: body.update(status=status))

    # -- the kubelet

    def start_pods(self) -> None:
        """What is scheduled runs."""
        for pod in self._world.every("pods"):
            if pod["status"]["phase"] == "Pending" and self._reachable(pod) and not _going(pod):
                self._state(pod, "Running", {"running": {"startedAt": _now()}})
                self.seen["started"] += 1

    def end_work(self, name: str, exit_code: int) -> None:
        """The worker of an operation exits by itself."""
        for pod in self._world.pods_of(self._world.uid_of(name)):
            if pod["status"]["phase"] == "Running" and self._reachable(pod):
                self._exit(pod, exit_code, WHOLE if exit_code == 0 else "it did not work")
                self.seen["success" if exit_code == 0 else "failure"] += 1

    def end_orphan(self, pod: Body) -> None:
        """A pod that belongs to nobody any more ends, and somebody tidies it away."""
        if pod["status"]["phase"] == "Running":
            self._exit(pod, 0, WHOLE)
        self._toy(pod, tracked=False, node_dead=False)
        if not _going(pod):
            self._api.change("pods", pod["metadata"]["name"], _told_to_stop)

    def report(self, name: str, value: str | None) -> None:
        """A running worker hands in its result (`value`), or says how far it is."""
        for pod in self._world.pods_of(self._world.uid_of(name)):
            if pod["status"]["phase"] == "Running" and self._reachable(pod) and self._world.report(name, pod, value):
                self.seen["progress" if value is None else "result handed in"] += 1

    def stop_pods(self, *, manners: str = "dies", rest_too: bool = True) -> None:
        """What was told to stop stops, and (`rest_too`) goes.

        `manners`: "hands over" (a partial result, exit 0), "dies" (143), "ignores" SIGTERM until its grace is over.
        """
        for pod in self._world.every("pods"):
            told = pod["metadata"].get("deletionTimestamp")
            if not told or not self._reachable(pod):
                continue
            if pod["status"]["phase"] == "Running":
                over = clock.now() >= datetime.fromisoformat(told)
                if manners == "ignores" and not over:
                    self.seen["ignored SIGTERM"] += 1
                    continue
                code, said = {"hands over": (0, PARTIAL), "dies": (143, "stopped"), "ignores": (137, "")}[manners]
                self._exit(pod, code, said)
                self.seen["partial result" if code == 0 else "stopped"] += 1
            if pod["status"]["phase"] == "Pending":
                self._state(pod, "Failed", None)
            if rest_too and not (pod["toy"]["tracked"] and not self._job_gone(pod)):
                self._api.change("pods", pod["metadata"]["name"], lambda body: body["metadata"].update(finalizers=[]))

    def node_dies(self, name: str) -> None:
        """The node of an operation's pod is not heard of any more."""
        for pod in self._world.pods_of(self._world.uid_of(name)):
            if live(pod):
                self._toy(pod, node_dead=True)
                self.seen["node gone"] += 1

    def nodes_are_removed(self) -> None:
        """Somebody deletes dead nodes: the pod garbage collector fails their pods as disrupted, and deletes them."""
        for pod in self._world.every("pods"):
            if pod["toy"].get("node_dead"):
                self._toy(pod, node_dead=False, disrupted=True)
                if live(pod):
                    self._state(pod, "Failed", None)
                    self.seen["lost pod"] += 1
                self._let_go(pod)

    def evict(self, name: str) -> None:
        """A pod is deleted by somebody else: it is replaced, and costs no attempt."""
        for pod in self._world.pods_of(self._world.uid_of(name)):
            if live(pod) and not _going(pod):
                self._toy(pod, disrupted=True)
                self._api.change("pods", pod["metadata"]["name"], _told_to_stop)
                self.seen["evicted"] += 1

    def _exit(self, pod: Body, code: int, said: str) -> None:
        ended = {"exitCode": code, "reason": "Error" if code else "Completed", "message": said, "finishedAt": _now()}
        self._state(pod, "Failed" if code else "Succeeded", {"terminated": ended})

    def _reachable(self, pod: Body) -> bool:
        return not pod["toy"].get("node_dead")

    def _state(self, pod: Body, phase: str, state: Body | None) -> None:
        status: Body = {"phase": phase}
        if state:
            status["containerStatuses"] = [{"name": "main", "state": state}]
        if pod["toy"].get("disrupted"):
            status["conditions"] = [{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC"}]
        self._api.change("pods", pod["metadata"]["name"], lambda body: body.update(status=status))

    # -- the garbage collector

    def collect(self) -> None:
        """What belongs to something deleted is deleted."""
        operations = {body["metadata"]["uid"]: body for body in self._world.every(OPERATION_PLURAL)}
        for job in self._world.every("jobs"):
            owners = job["metadata"].get("ownerReferences") or ()
            uid = owners[0]["uid"] if owners else ""
            blocked = uid in operations and waits_for_dependents(operations[uid])
            if uid and (uid not in operations or blocked) and not _going(job):
                self._api.remove("jobs", job["metadata"]["name"])
        jobs = {body["metadata"]["uid"]: body for body in self._world.every("jobs")}
        for pod in self._world.every("pods"):
            owner = jobs.get(pod["toy"]["job"])
            if (owner is None or waits_for_dependents(owner)) and not _going(pod) and not pod["toy"].get("orphan"):
                self._toy(pod, tracked=False)
                self._api.change("pods", pod["metadata"]["name"], _told_to_stop)
        self._let_owners_go()

    def _let_owners_go(self) -> None:
        """Of what is deleted in the foreground, once nothing depends on it."""
        for job in self._world.every("jobs"):
            if _lets_go(job, dependents=bool(self._world.pods_of_job(job["metadata"]["uid"]))):
                self._drop("jobs", job)
        owned = {owner_uid(job) for job in self._world.every("jobs") if job["metadata"].get("ownerReferences")}
        for body in self._world.every(OPERATION_PLURAL):
            if _lets_go(body, dependents=body["metadata"]["uid"] in owned):
                self._drop(OPERATION_PLURAL, body)

    def _drop(self, plural: str, body: Body) -> None:
        kept = [name for name in body["metadata"]["finalizers"] if name not in COLLECTORS]
        self._api.change(plural, body["metadata"]["name"], lambda new: new["metadata"].update(finalizers=kept))

    # -- all together

    def goes_on(self, *, starts: bool = True, manners: str = "dies") -> None:
        """Everybody acts until there is nothing to do but to wait for workers."""
        for _ in range(8):
            before = len(self._api.events)
            self.sync_jobs()
            if starts:
                self.start_pods()
            self.collect()
            self.stop_pods(manners=manners)
            self.collect()
            if len(self._api.events) == before:
                return

    # -- inside

    def _let_go(self, pod: Body) -> None:
        """The Job controller deletes a pod and looks at it no more; one that has ended already stays."""
        if self._api.find("pods", pod["metadata"]["name"]) is None:
            return
        self._toy(pod, tracked=False)
        if (live(pod) or pod["toy"].get("disrupted")) and not _going(pod):
            self._api.change("pods", pod["metadata"]["name"], _told_to_stop)

    def _job_gone(self, pod: Body) -> bool:
        return not any(job["metadata"]["uid"] == pod["toy"]["job"] for job in self._world.every("jobs"))

    def _toy(self, pod: Body, **marks: Any) -> None:
        if any(pod["toy"].get(mark) != value for mark, value in marks.items()):
            self._api.change("pods", pod["metadata"]["name"], lambda body: body["toy"].update(marks))
            pod["toy"].update(marks)


def operation_of(pod: Body) -> str:
    """The uid of the operation that a pod works for."""
    return str(pod["metadata"]["labels"][LABEL_OPERATION_UID])


def _lets_go(body: Body, *, dependents: bool) -> bool:
    """Whether the garbage collector has nothing more to do about what is being deleted: all gone, or left alone."""
    mine = COLLECTORS & set(body["metadata"].get("finalizers", ()))
    return _going(body) and bool(mine) and (mine == {"orphan"} or not dependents)


def _going(body: Body) -> bool:
    return bool(body["metadata"].get("deletionTimestamp"))


def _told_to_stop(body: Body) -> None:
    # Of a pod it is the moment when its grace is over. A finalizer stands for the kubelet, which has to confirm that
    # the containers have ended.
    body["metadata"] |= {"deletionTimestamp": _now(GRACE), "finalizers": ["kubelet"]}


def _end_of(job: Body) -> bool:
    return any(c["type"] in ("Complete", "Failed") for c in job.get("status", {}).get("conditions", ()))


def _verdict(job: Body, status: Body) -> Body | None:
    deadline, began = job["spec"].get("activeDeadlineSeconds"), status.get("startTime")
    if job["spec"].get("suspend"):
        deadline = None
    for condition in status.get("conditions", ()):
        if condition["type"] == FAILING:
            return _condition("Failed", "True", condition["reason"])
    if status["succeeded"] >= 1:
        return _condition("Complete", "True", "CompletionsReached")
    if status["failed"] > job["spec"].get("backoffLimit", 6):
        return _condition("Failed", "True", "BackoffLimitExceeded")
    if deadline and began and clock.now() >= datetime.fromisoformat(began) + timedelta(seconds=deadline):
        return _condition("Failed", "True", "DeadlineExceeded")
    return None


def _held(status: Body) -> bool:
    return any(c["type"] == "Suspended" and c["status"] == "True" for c in status.get("conditions", ()))


def _condition(kind: str, status: str, reason: str) -> Body:
    return {"type": kind, "status": status, "reason": reason, "lastTransitionTime": _now()}


def _now(after: timedelta = timedelta()) -> str:
    return format_time((clock.now() + after).replace(microsecond=0))
