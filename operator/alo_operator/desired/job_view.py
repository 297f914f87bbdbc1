"""A batch/v1 Job as decisions need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from alo_operator.api.names import LABEL_OPERATION_UID
from alo_operator.desired.adoption import Adopted
from alo_operator.desired.fields import entries, moment, number, section, text
from alo_operator.desired.ownership import controller

DEFAULT_GRACE_SECONDS = 30  # Kubernetes' own default of terminationGracePeriodSeconds
LONGEST_GRACE_SECONDS = 10 * 365 * 86_400  # the field takes any int64, with which no deadline could be reckoned


@dataclass(frozen=True, slots=True)
class JobEnd:
    """The Complete or Failed condition of a Job: when, and why in the Job controller's words."""

    succeeded: bool
    time: datetime | None
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class JobView:
    """One Job; counts are pods, times are UTC, `resource_version` orders views of one uid.

    Two views are equal where only their `resource_version` differs: no decision depends on that.

    `owner_uid` is the uid of its controller; after `--cascade=orphan`, which takes owner references away, it is the
    uid that our label names. `suspended` is what its spec asks for; `at_rest` that the Job controller has acted on it,
    so that `active` and `terminating` count what the suspension left. It stays until the controller has resumed it.
    `adopted` is what its operation took up from a template.
    """

    name: str
    namespace: str
    uid: str
    resource_version: int = field(compare=False)
    owner_uid: str
    created: datetime | None
    deleting: datetime | None
    completions: int | None
    indexed: bool
    suspended: bool
    at_rest: bool
    active_deadline: int | None
    grace_seconds: int
    active: int
    ready: int
    succeeded: int
    failed: int
    terminating: int
    start_time: datetime | None
    end: JobEnd | None
    adopted: Adopted | None = None

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> JobView:
        """Read a Job as the API server hands it out."""
        spec, status = section(body, "spec"), section(body, "status")
        completions = spec.get("completions")
        grace = section(spec, "template", "spec").get("terminationGracePeriodSeconds")
        return cls(
            name=text(body, "metadata", "name"),
            namespace=text(body, "metadata", "namespace"),
            uid=text(body, "metadata", "uid"),
            resource_version=int(text(body, "metadata", "resourceVersion") or 0),
            owner_uid=_owner_uid(body),
            created=moment(body, "metadata", "creationTimestamp"),
            deleting=moment(body, "metadata", "deletionTimestamp"),
            completions=completions if isinstance(completions, int) else None,
            indexed=spec.get("completionMode") == "Indexed",
            suspended=spec.get("suspend") is True,
            at_rest=any(
                c.get("type") == "Suspended" and c.get("status") == "True" for c in entries(status, "conditions")
            ),
            active_deadline=number(spec, "activeDeadlineSeconds") or None,
            grace_seconds=min(max(grace, 0), LONGEST_GRACE_SECONDS) if type(grace) is int else DEFAULT_GRACE_SECONDS,
            active=number(status, "active"),
            ready=number(status, "ready"),
            succeeded=number(status, "succeeded"),
            failed=number(status, "failed"),
            terminating=number(status, "terminating"),
            start_time=moment(status, "startTime"),
            end=_end(status),
            adopted=Adopted.read(body),
        )

    @property
    def started(self) -> bool:
        """Whether work has begun: a pod is or was ready, or has already finished."""
        return self.ready > 0 or self.succeeded > 0 or self.failed > 0

    @property
    def gives_value(self) -> bool:
        """Whether there is one result to read: a single completion, or index 0 of an Indexed Job."""
        return self.completions == 1 or self.indexed


def _owner_uid(body: Mapping[str, Any]) -> str:
    owner = controller(body)
    return text(owner, "uid") if owner else text(body, "metadata", "labels", LABEL_OPERATION_UID)


def _end(status: Mapping[str, Any]) -> JobEnd | None:
    for condition in entries(status, "conditions"):
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            return JobEnd(
                succeeded=condition["type"] == "Complete",
                time=moment(condition, "lastTransitionTime"),
                reason=text(condition, "reason"),
                message=text(condition, "message"),
            )
    return None
