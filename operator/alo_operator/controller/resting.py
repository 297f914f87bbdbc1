"""All that is kept in memory of an operation that has ended and of which nothing is due yet."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Self

from alo_operator.api.names import FINALIZER
from alo_operator.api.phases import Promise
from alo_operator.desired.fields import number, section, text


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

    @classmethod
    def of(
        cls, place: tuple[str, str], version: int, job: bool, job_due: datetime | None, record_due: datetime | None
    ) -> Self:
        """The few words of an operation; `place` is namespace and name."""
        return cls(sys.intern(place[0]), place[1], version, job, _seconds(job_due), _seconds(record_due))

    @property
    def due(self) -> int | None:
        """When something of it is due."""
        if self.job and self.job_due is not None and (self.record_due is None or self.job_due < self.record_due):
            return self.job_due
        return self.record_due


def rests(body: Mapping[str, Any]) -> bool:
    """Whether only time or somebody else's change can make anything due; read off the raw object, as there are many."""
    status = section(body, "status")
    if text(status, "promise") in ("", Promise.PENDING):
        return False
    finalizers = section(body, "metadata").get("finalizers") or ()
    return FINALIZER not in finalizers and number(status, "observedGeneration") >= number(
        body, "metadata", "generation"
    )


def _seconds(moment: datetime | None) -> int | None:
    """A moment in whole seconds, never too early."""
    return None if moment is None else math.ceil(moment.timestamp())
