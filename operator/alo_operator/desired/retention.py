"""How long what has ended is kept, and what speaks against letting it go.

Four states of a settled operation: nothing is due; its Job is due at a time; its record is due at a time; its record
was due and is held by an owner, who would bring it back, and with it the work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from alo_operator.api import limits
from alo_operator.api.conditions import ConditionType, Reason
from alo_operator.api.durations import parse_duration
from alo_operator.api.names import REDELIVER_ANNOTATION
from alo_operator.api.spec import Retention
from alo_operator.api.status import ConditionStatus, DeliveryState
from alo_operator.desired.fields import entries, moment, section, text
from alo_operator.desired.settings import Settings

_ARGO_TRACKING: Final = "argocd.argoproj.io/tracking-id"
_FLUX_LABELS: Final = (
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "resourceset.fluxcd.controlplane.io/",
)
_HELM_RELEASE: Final = "meta.helm.sh/release-name"
_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
# Where Argo CD is told to track by label. The second one is everybody's; a record too many does less harm than a
# second run of the work.
_ARGO_LABELS: Final = ("argocd.argoproj.io/instance", "app.kubernetes.io/instance")

_NAMES: Final = {
    Reason.OWNED_BY_ARGO_CD: "Argo CD",
    Reason.OWNED_BY_FLUX: "Flux",
    Reason.OWNED_BY_HELM: "Helm",
    Reason.OWNED_BY_CONTROLLER: "another controller",
}


class Owner(NamedTuple):
    """Who keeps the object in being, and the sign that says so, such as `label app.kubernetes.io/managed-by`."""

    reason: Reason
    sign: str

    @property
    def message(self) -> str:
        """Why the record stays, and what to do."""
        return (
            f"retention.record is over, but {_NAMES[self.reason]} owns this operation ({self.sign}) and may create it "
            "again once it is deleted, which would run the work again; remove it where it is declared, or take "
            "retention.record out"
        )


class Due(NamedTuple):
    """When a settled operation wants its next look, for its Job (if there is one), for its record and for callbacks
    that are still to be told; None: never.
    """

    job: datetime | None
    record: datetime | None
    telling: datetime | None = None


@dataclass(frozen=True, slots=True)
class Keeping:
    """What decides on how long a settled operation is kept.

    `job` and `record` are durations, the operation's own or else the template's; "" where neither gives one. `telling`:
    a delivery is still due, the next one at `next_telling`. `said`: the reason of the condition Retained, "" where
    there is none.
    """

    ended: datetime | None
    job: str
    record: str
    owner: Owner | None
    telling: bool
    said: str
    next_telling: datetime | None = None

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Keeping:
        """Read it off an operation as the API server hands it out; never raises, cheap enough for thousands."""
        status = section(body, "status")
        own, given = section(body, "spec", "retention"), section(status, "template", "retention")
        waiting = [d for d in entries(status, "deliveries") if d.get("state") == DeliveryState.PENDING]
        # One that has no time, as somebody else may have written it, is due at once.
        moments = [moment(entry, "nextAttemptTime") or datetime.fromtimestamp(0, UTC) for entry in waiting]
        return cls(
            ended=moment(status, "completionTime"),
            job=text(own, "job") or text(given, "job"),
            record=text(own, "record") or text(given, "record"),
            owner=owner_of(body),
            telling=bool(waiting),
            said=_said(status),
            next_telling=min(moments, default=None),
        )

    def job_due(self, settings: Settings) -> datetime | None:
        """When the Job is to be deleted; None: never."""
        return self._after(self.job or settings.retention_job or "")

    @property
    def record_due(self) -> datetime | None:
        """When the record's time is over; None: never, or not while somebody has to be told."""
        return None if self.telling else self._after(self.record)

    def held(self, now: datetime) -> Owner | None:
        """The owner for whose sake the record is kept although its time is over."""
        due = self.record_due
        return self.owner if due is not None and now >= due else None

    def due(self, settings: Settings) -> Due:
        """When to look again; a condition that does not fit any more is due at the end of the operation: at once."""
        record = self.record_due
        if self.said and (record is None or self.owner is None or self.owner.reason != self.said):
            record = self.ended
        elif self.said:
            record = None  # its time is over, and the condition says why it stays
        return Due(self.job_due(settings), record, self.next_telling)

    def _after(self, duration: str) -> datetime | None:
        try:
            return self.ended + parse_duration(duration) if self.ended and duration else None
        except ValueError:
            return None  # written for another version: when in doubt, it is kept


def in_force(own: Retention | None, given: Retention | None, settings: Settings) -> Retention | None:
    """The retention that applies: each value the operation's `own`, else `given` by its template, else the default."""
    levels = [level for level in (own, given) if level]
    job = next((level.job for level in levels if level.job), settings.retention_job)
    record = next((level.record for level in levels if level.record), None)
    return Retention(job=job, record=record) if job or record else None


def redelivery_asked(body: Mapping[str, Any]) -> str:
    """The annotation that asks for callbacks to be told again, as far as it is kept; "" where there is none."""
    return text(body, "metadata", "annotations", REDELIVER_ANNOTATION)[: limits.REDELIVERY]


def owner_of(body: Mapping[str, Any]) -> Owner | None:
    """Who would create the operation again if it were deleted, by the signs that each of them leaves."""
    labels, annotations = section(body, "metadata", "labels"), section(body, "metadata", "annotations")
    if _ARGO_TRACKING in annotations:
        return Owner(Reason.OWNED_BY_ARGO_CD, f"annotation {_ARGO_TRACKING}")
    for label in labels:
        if label.startswith(_FLUX_LABELS):
            return Owner(Reason.OWNED_BY_FLUX, f"label {label}")
    if labels.get(_MANAGED_BY) == "Helm":
        return Owner(Reason.OWNED_BY_HELM, f"label {_MANAGED_BY}")
    if _HELM_RELEASE in annotations:
        return Owner(Reason.OWNED_BY_HELM, f"annotation {_HELM_RELEASE}")
    for label in _ARGO_LABELS:
        if label in labels:
            return Owner(Reason.OWNED_BY_ARGO_CD, f"label {label}")
    for reference in entries(body, "metadata", "ownerReferences"):
        if reference.get("controller") is True:
            # A controller that finds one of its own missing makes it anew; with its owner the record goes anyway.
            return Owner(
                Reason.OWNED_BY_CONTROLLER, f"owner {text(reference, 'kind')} {text(reference, 'name')}".rstrip()
            )
    return None


def _said(status: Mapping[str, Any]) -> str:
    for condition in entries(status, "conditions"):
        if condition.get("type") == ConditionType.RETAINED and condition.get("status") == ConditionStatus.TRUE:
            return text(condition, "reason")
    return ""
