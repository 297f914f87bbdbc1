"""All that is kept in memory of an operation that has ended and of which nothing is due yet."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Self

from alo_operator.api.names import FINALIZER
from alo_operator.api.phases import Promise
from alo_operator.desired.fields import number, section, text
from alo_operator.desired.retention import Due, Keeping, redelivery_asked

NAP: Final = timedelta(seconds=60)


class Resting(NamedTuple):
    """A few words of an operation; moments are in whole seconds since 1970, None is never.

    `job`: whether it still has a Job, as far as anybody has seen; only then does `job_due` mean anything.
    """

    namespace: str
    name: str
    resource_version: int
    job: bool = False
    job_due: int | None = None
    record_due: int | None = None
    telling_due: int | None = None

    @classmethod
    def of(cls, place: tuple[str, str], version: int, job: bool, due: Due) -> Self:
        """The few words of an operation; `place` is namespace and name."""
        moments = (_seconds(due.job), _seconds(due.record), _seconds(due.telling))
        return cls(sys.intern(place[0]), place[1], version, job, *moments)

    @property
    def due(self) -> int | None:
        """When something of it is due."""
        moments = (self.job_due if self.job else None, self.record_due, self.telling_due)
        return min((moment for moment in moments if moment is not None), default=None)


def rests(body: Mapping[str, Any], now: datetime) -> bool:
    """Whether only time or somebody else's change can make anything due; read off the raw object, as there are many.

    While callbacks are still to be told, only where that has time and deletion would wake us.
    """
    status = section(body, "status")
    if text(status, "promise") in ("", Promise.PENDING):
        return False
    meta = section(body, "metadata")
    if number(status, "observedGeneration") < number(meta, "generation"):
        return False
    held = FINALIZER in (meta.get("finalizers") or ())
    if not status.get("deliveries"):
        return not held
    if redelivery_asked(body) not in ("", text(status, "redelivery")):
        return False
    keeping = Keeping.from_body(body)
    if not keeping.telling:
        return not held
    return held and not meta.get("deletionTimestamp") and has_time(keeping.next_telling, now)


def has_time(moment: datetime | None, now: datetime) -> bool:
    """Whether `moment` is so far away that an operation is better read anew then."""
    return moment is not None and moment >= now + NAP


def _seconds(moment: datetime | None) -> int | None:
    """A moment in whole seconds, never too early."""
    return None if moment is None else math.ceil(moment.timestamp())
