"""What one look at a Job finds, and what can be told of its pods."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.support.memory.server import now

Body = dict[str, Any]


@dataclass
class Look:
    """What one look at a Job finds and decides; `status` becomes the new one."""

    job: Body
    pods: list[Body]
    status: Body
    active: list[Body] = field(default_factory=list)
    succeeded: list[Body] = field(default_factory=list)
    failed: list[Body] = field(default_factory=list)
    terminating: int = 0
    end: str | None = None
    end_told: bool = False

    @property
    def suspended(self) -> bool:
        return bool(self.job["spec"].get("suspend"))

    def counts_as_failed(self, pod: Body) -> bool:
        phase, deleted = pod["status"].get("phase"), "deletionTimestamp" in pod["metadata"]
        if phase == "Failed":
            return True
        only_failed = self.job["spec"]["podReplacementPolicy"] == "Failed"
        return deleted and (phase == "Pending" if only_failed else phase != "Succeeded")

    def is_counted(self, pod: Body) -> bool:
        """Whether a failed pod uses up an attempt."""
        conditions = {(c["type"], c["status"]) for c in pod["status"].get("conditions", ())}
        for rule in self.job["spec"].get("podFailurePolicy", {}).get("rules", ()):
            if any((c["type"], c["status"]) in conditions for c in rule["onPodConditions"]):
                return bool(rule["action"] == "Count")
        return True

    def ends(self, kind: str, reason: str, message: str) -> None:
        self.end, self.end_told = kind, True
        self.tell(kind, "True", reason, message)

    def tell(self, kind: str, status: str, reason: str, message: str) -> None:
        others = [one for one in self.status.get("conditions", ()) if one["type"] != kind]
        told = {"type": kind, "status": status, "reason": reason, "message": message}
        self.status["conditions"] = [*others, {**told, "lastProbeTime": now(), "lastTransitionTime": now()}]


def refuse(spec: Body) -> None:
    rules = spec.get("podFailurePolicy", {}).get("rules", ())
    if (
        spec["completionMode"] != "NonIndexed"
        or "ttlSecondsAfterFinished" in spec
        or spec["template"]["spec"]["restartPolicy"] != "Never"
        or any(rule["action"] not in ("Ignore", "Count") or "onPodConditions" not in rule for rule in rules)
    ):
        raise NotImplementedError("the Job controller in memory does not know all that this Job asks for")


def has_condition(job: Body, kind: str) -> bool:
    return any(c["type"] == kind and c["status"] == "True" for c in job.get("status", {}).get("conditions", ()))


def has_ended(pod: Body) -> bool:
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def is_active(pod: Body) -> bool:
    return not has_ended(pod) and "deletionTimestamp" not in pod["metadata"]


def is_ready(pod: Body) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))


def put_count(status: Body, name: str, count: int) -> None:
    if count:
        status[name] = count
    else:
        status.pop(name, None)
