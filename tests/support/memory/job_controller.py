"""The Job controller, as that of Kubernetes 1.34 acts on what this project uses.

Modelled: parallelism and completions, retries with their pause, podFailurePolicy (Ignore and Count of conditions),
podReplacementPolicy, suspend and resume, activeDeadlineSeconds, the tracking finalizer of pods, the interim conditions
SuccessCriteriaMet and FailureTarget, ends that wait for terminating pods. Refused with NotImplementedError: Indexed
Jobs, other rules of a podFailurePolicy, ttlSecondsAfterFinished, restartPolicy OnFailure.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from alo_operator.effects import clock
from tests.support.memory.batch import TRACKING
from tests.support.memory.deletion import delete
from tests.support.memory.documents import copied
from tests.support.memory.job_look import Look, has_condition, has_ended, is_active, is_ready, put_count, refuse
from tests.support.memory.kinds import JOBS, PODS
from tests.support.memory.server import Server, now
from tests.support.memory.store import Place

Body = dict[str, Any]

FIRST_PAUSE: Final = timedelta(seconds=10)  # before a pod that failed is replaced; doubled with each failure
LONGEST_PAUSE: Final = timedelta(minutes=10)


class JobController:
    """Acts only when asked to: `sync` looks at one Job once, `work` at all until nothing changes."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._numbers = itertools.count(1)
        self._failures: dict[str, list[str]] = {}  # Job uid -> when its pods failed since the last success

    def work(self) -> None:
        """Look at all Jobs and orphaned pods until nothing is left to do now."""
        version = -1
        while version != self._server.store.version:
            version = self._server.store.version
            for job in self._server.store.all(JOBS):
                self.sync(job)
            self._free_orphans()

    def sync(self, job: Body) -> None:
        """One look at one Job. What is only due later is done by a later look."""
        place = Place(JOBS, job["metadata"]["namespace"], job["metadata"]["name"])
        found = self._server.store.find(place)
        if found is None or has_condition(found, "Complete") or has_condition(found, "Failed"):
            self._free_finished(found)
            return
        refuse(found["spec"])
        pods = [copied(pod) for pod in self._pods_of(found)]
        look = Look(copied(found), pods, status=copied(found.get("status", {})))
        self._count(look)
        self._decide(look)
        self._finish(place, look)

    # -- one look

    def _count(self, look: Look) -> None:
        """Counts of pods, and which have ended without being counted."""
        look.active = [pod for pod in look.pods if is_active(pod)]
        look.terminating = sum("deletionTimestamp" in pod["metadata"] and not has_ended(pod) for pod in look.pods)
        for pod in look.pods:
            if TRACKING not in pod["metadata"].get("finalizers", ()):
                continue
            if pod["status"].get("phase") == "Succeeded":
                look.succeeded.append(pod)
            elif look.counts_as_failed(pod):
                look.failed.append(pod)
        if look.status.get("startTime") is None and not look.suspended:
            look.status["startTime"] = now()

    def _decide(self, look: Look) -> None:
        spec, status = look.job["spec"], look.status
        failures = status.get("failed", 0) + sum(look.is_counted(pod) for pod in look.failed)
        successes = status.get("succeeded", 0) + len(look.succeeded)
        look.end = next(
            (kind for kind in ("SuccessCriteriaMet", "FailureTarget") if has_condition(look.job, kind)), None
        )
        if look.end is None and failures > spec["backoffLimit"]:
            look.ends("FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
        elif look.end is None and self._is_past_deadline(look):
            look.ends("FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline")
        if look.end is not None:
            for pod in look.active:
                self._delete(pod)
            look.terminating += len(look.active)
            if look.end == "FailureTarget":
                # Once a Job has failed, so has each of its pods that has not succeeded.
                look.failed += [pod for pod in look.active if TRACKING in pod["metadata"].get("finalizers", ())]
            look.active = []
            return
        managed = "deletionTimestamp" not in look.job["metadata"]
        if managed:
            self._manage(look, successes)
        completions = spec.get("completions")
        enough = successes > 0 if completions is None else successes >= completions
        if enough and not look.active:
            look.ends("SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods")
        elif managed:
            self._tell_of_suspension(look)

    def _manage(self, look: Look, successes: int) -> None:
        """Make and delete pods, until as many are active as should be."""
        spec = look.job["spec"]
        if look.suspended:
            self._stop(look, look.active)
            return
        waiting = look.terminating if spec["podReplacementPolicy"] == "Failed" else 0
        completions = spec.get("completions")
        if completions is None:
            wanted = len(look.active) if successes else spec["parallelism"]
        else:
            wanted = max(0, min(spec["parallelism"], completions - successes))
        if len(look.active) > wanted:
            self._stop(look, look.active[wanted:])
            return
        missing = wanted - waiting - len(look.active)
        if missing > 0 and not self._pauses(look):
            look.active += [self._make_pod(look.job) for _ in range(missing)]

    def _stop(self, look: Look, pods: list[Body]) -> None:
        """Delete pods that are not wanted now: their tracking ends first, so that how they end is never counted."""
        for pod in pods:
            self._free(pod)
            self._delete(pod)
        stopped = {pod["metadata"]["uid"] for pod in pods}
        look.active = [pod for pod in look.active if pod["metadata"]["uid"] not in stopped]
        look.terminating += len(pods)

    def _tell_of_suspension(self, look: Look) -> None:
        known = next((c for c in look.status.get("conditions", ()) if c["type"] == "Suspended"), None)
        if look.suspended and (known is None or known["status"] != "True"):
            look.tell("Suspended", "True", "JobSuspended", "Job suspended")
        elif not look.suspended and known is not None and known["status"] == "True":
            look.tell("Suspended", "False", "JobResumed", "Job resumed")
            look.status["startTime"] = now()

    def _finish(self, place: Place, look: Look) -> None:
        """Write the status; then free the pods that were counted, and write what comes of that."""
        status = look.status
        self._remember_failures(look)
        status |= {"ready": sum(map(is_ready, look.active)), "terminating": look.terminating}
        put_count(status, "active", len(look.active))
        counted = [pod for pod in look.failed if look.is_counted(pod)]
        if look.end_told:
            self._write(place, status)
        for pod in look.pods:
            deleted = "deletionTimestamp" in look.job["metadata"]
            if deleted or pod in look.succeeded or pod in look.failed or has_ended(pod):
                self._free(pod)
        put_count(status, "succeeded", status.get("succeeded", 0) + len(look.succeeded))
        put_count(status, "failed", status.get("failed", 0) + len(counted))
        status["uncountedTerminatedPods"] = {}
        if look.end is not None and not look.terminating:
            target = next(c for c in status["conditions"] if c["type"] == look.end)
            kind = "Complete" if look.end == "SuccessCriteriaMet" else "Failed"
            look.tell(kind, "True", target["reason"], target["message"])
            if kind == "Complete":
                status["completionTime"] = now()
        self._write(place, status)

    def _write(self, place: Place, status: Body) -> None:
        found = self._server.store.find(place)
        if found is not None:
            self._server.change(place, {**copied(found), "status": copied(status)})

    # -- pods

    def _pods_of(self, job: Body) -> Iterator[Body]:
        uid = job["metadata"]["uid"]
        for pod in self._server.store.all(PODS, job["metadata"]["namespace"]):
            if any(owner["uid"] == uid for owner in pod["metadata"].get("ownerReferences", ())):
                yield pod

    def _make_pod(self, job: Body) -> Body:
        meta, template = job["metadata"], copied(job["spec"]["template"])
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"]}
        pod = {
            "metadata": {
                **template.get("metadata", {}),
                "name": f"{meta['name']}-{next(self._numbers):05}",
                "finalizers": [TRACKING],
                "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
            },
            "spec": template["spec"],
        }
        place = Place(PODS, meta["namespace"], "")
        made = self._server.create(place, {"apiVersion": "v1", "kind": "Pod", **pod})
        place = Place(PODS, meta["namespace"], made["metadata"]["name"])
        return self._server.change(place, {**copied(self._server.store.have(place)), "status": {"phase": "Pending"}})

    def _delete(self, pod: Body) -> None:
        place = Place(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])
        if self._server.store.find(place) is not None:
            delete(self._server, place, {"propagationPolicy": "Background"})

    def _free(self, pod: Body) -> None:
        place = Place(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])
        found = self._server.store.find(place)
        if found is not None and TRACKING in found["metadata"].get("finalizers", ()):
            new = copied(found)
            new["metadata"]["finalizers"].remove(TRACKING)
            self._server.change(place, new)

    def _free_finished(self, job: Body | None) -> None:
        for pod in list(self._pods_of(job)) if job else ():
            self._free(pod)

    def _free_orphans(self) -> None:
        """Pods whose Job is gone are tracked for nobody."""
        uids = {job["metadata"]["uid"] for job in self._server.store.all(JOBS)}
        for pod in self._server.store.all(PODS):
            if not any(owner["uid"] in uids for owner in pod["metadata"].get("ownerReferences", ())):
                self._free(pod)

    # -- time

    def _is_past_deadline(self, look: Look) -> bool:
        limit, started = look.job["spec"].get("activeDeadlineSeconds"), look.status.get("startTime")
        if limit is None or started is None or look.suspended:
            return False
        return bool(clock.now() >= datetime.fromisoformat(started) + timedelta(seconds=limit))

    def _remember_failures(self, look: Look) -> None:
        known = self._failures.setdefault(look.job["metadata"]["uid"], [])
        if look.succeeded:
            known.clear()
        known.extend(now() for pod in look.failed if look.is_counted(pod))

    def _pauses(self, look: Look) -> bool:
        """Whether the last failure is too recent for another attempt."""
        known = self._failures.get(look.job["metadata"]["uid"], [])
        known = known + [now() for pod in look.failed if look.is_counted(pod)]
        if not known:
            return False
        pause = min(FIRST_PAUSE * 2 ** min(len(known) - 1, 10), LONGEST_PAUSE)
        return bool(clock.now() < datetime.fromisoformat(known[-1]) + pause)
