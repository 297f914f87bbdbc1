"""What a pass has done, in the log and in the counters."""

from __future__ import annotations

import logging

from alo_operator.api.conditions import ConditionType
from alo_operator.api.status import Delivery, DeliveryState, OperationStatus
from alo_operator.controller import metrics
from alo_operator.controller.cache import Cache
from alo_operator.controller.stopwatch import Stopwatch, observe
from alo_operator.desired.observed import Observed, OperationView
from alo_operator.desired.steps import CreateJob, DeleteJob, DeleteOperation, Plan, Step, WriteStatus

logger = logging.getLogger(__name__)


def tell(cache: Cache, stopwatch: Stopwatch, observed: Observed, decision: Plan) -> None:
    """Tell of the steps of `decision`, as far as `cache` knows them to be done."""
    operation = observed.operation
    for step in decision.steps:
        _of_deletion(cache, operation, step)
        if isinstance(step, CreateJob) and (now := cache.observe(operation.uid)) and now.job:
            stopwatch.job_made(operation.uid)
        if not isinstance(step, WriteStatus):
            continue
        after = cache.operation(operation.uid)
        # Where a write met a newer state, nothing has changed yet.
        if after is None or after.status.phase is step.status.phase:
            _of_phase(stopwatch, operation, step.status)
        if after is None or after.status.deliveries == step.status.deliveries:
            _of_deliveries(operation, step.status)


def _of_phase(stopwatch: Stopwatch, operation: OperationView, status: OperationStatus) -> None:
    if status.phase is operation.status.phase:
        return
    reason = next((found.reason for found in status.conditions if found.type == ConditionType.SUCCEEDED), "")
    logger.info("operation is %s", status.phase, extra={**_whose(operation), **({"reason": reason} if reason else {})})
    observe(operation, status)
    if status.completion_time:
        stopwatch.settled(operation.uid)
        metrics.SETTLED.labels(phase=status.phase, reason=reason).inc()


def _of_deliveries(operation: OperationView, status: OperationStatus) -> None:
    before = {(entry.name, entry.target): entry for entry in operation.status.deliveries}
    for entry in status.deliveries:
        old = before.get((entry.name, entry.target))
        if old is not None and old.state is not entry.state:
            _of_delivery(operation, entry)


def _of_delivery(operation: OperationView, entry: Delivery) -> None:
    extra = {**_whose(operation), "callback": entry.name, "attempts": entry.attempts}
    if entry.state is DeliveryState.DELIVERED:
        metrics.DELIVERIES.labels(state="delivered").inc()
        logger.info("callback is told", extra=extra)
    elif entry.state is DeliveryState.DEAD_LETTERED:
        state = "dropped" if operation.deleting else "dead_lettered"
        metrics.DELIVERIES.labels(state=state).inc()
        logger.warning("callback is given up", extra={**extra, "error": entry.last_error})


def _of_deletion(cache: Cache, operation: OperationView, step: Step) -> None:
    if isinstance(step, DeleteOperation) and cache.place(operation.uid) is None:
        metrics.RETENTION_DELETIONS.labels(kind="AsyncOperation").inc()
        logger.info("operation is deleted: its retention is over", extra=_whose(operation))
    elif isinstance(step, DeleteJob) and step.over:
        after = cache.observe(operation.uid)
        if after and (after.job_gone or (after.job and after.job.deleting)):
            metrics.RETENTION_DELETIONS.labels(kind="Job").inc()
            logger.info("the operation's Job is deleted: its retention is over", extra=_whose(operation))


def _whose(operation: OperationView) -> dict[str, str]:
    return {"operation": f"{operation.namespace}/{operation.name}", "uid": operation.uid}
