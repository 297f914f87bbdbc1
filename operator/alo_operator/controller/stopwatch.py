"""What the times in status cannot tell, as they are whole seconds: how long this process itself took."""

from __future__ import annotations

from alo_operator.api.phases import Phase
from alo_operator.api.status import OperationStatus
from alo_operator.controller import metrics
from alo_operator.desired.observed import OperationView
from alo_operator.effects import clock


class Stopwatch:
    """Remembers by uid when something was told, while this replica leads, and observes what came of it."""

    def __init__(self) -> None:
        self._leading = False
        self._new: dict[str, float] = {}
        self._ended: dict[str, float] = {}

    def leads(self, leading: bool) -> None:
        """Leadership has changed: what was told before is not this process's to answer for."""
        self._leading = leading
        self._new.clear()
        self._ended.clear()

    def new(self, uid: str) -> None:
        """An operation was told of that nobody has seen before."""
        if self._leading:
            self._new.setdefault(uid, clock.monotonic())

    def ended(self, uid: str) -> None:
        """The end of an operation's Job was told of."""
        if self._leading:
            self._ended.setdefault(uid, clock.monotonic())

    def job_made(self, uid: str) -> None:
        """Its Job has been made."""
        if (told := self._new.pop(uid, None)) is not None:
            metrics.JOB_DELAY.observe(clock.monotonic() - told)

    def passed(self, uid: str) -> None:
        """A pass over it is over: what has no Job now waits for something else than us."""
        self._new.pop(uid, None)

    def rests(self, uid: str) -> None:
        """The operation has its answer, whoever wrote it, or is gone."""
        self._new.pop(uid, None)
        self._ended.pop(uid, None)

    def settled(self, uid: str) -> None:
        """Its answer has been written."""
        if (told := self._ended.pop(uid, None)) is not None:
            metrics.SETTLE_DELAY.observe(clock.monotonic() - told)


def observe(operation: OperationView, status: OperationStatus) -> None:
    """Observe the times that `status` adds to what was on record of `operation`."""
    start, end = status.start_time, status.completion_time
    if start and not operation.status.start_time:
        metrics.SCHEDULE_TO_START.observe(max(0.0, (start - operation.created).total_seconds()))
    if end is None:
        return
    phase = status.phase.value
    metrics.SCHEDULE_TO_CLOSE.labels(phase=phase).observe(max(0.0, (end - operation.created).total_seconds()))
    if start:
        metrics.START_TO_CLOSE.labels(phase=phase).observe(max(0.0, (end - start).total_seconds()))
    asked = status.cancellation
    if asked and asked.deliver_time and asked.settle_time and status.phase is not Phase.SUCCEEDED:
        source = metrics.known_source(asked.source)
        told, over = asked.deliver_time - asked.request_time, asked.settle_time - asked.request_time
        metrics.CANCEL_DELIVERED.labels(source=source).observe(max(0.0, told.total_seconds()))
        metrics.CANCEL_SETTLED.labels(source=source).observe(max(0.0, over.total_seconds()))
