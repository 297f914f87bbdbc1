"""Kopf's part: events in, keys woken, nothing else. No I/O here, no writes by Kopf, and no return values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import kopf

from alo_operator.api.names import GROUP, OPERATION_PLURAL, TEMPLATE_PLURAL, VERSION
from alo_operator.controller import metrics
from alo_operator.controller.cache import Cache
from alo_operator.controller.stopwatch import Stopwatch
from alo_operator.desired.fields import text
from alo_operator.desired.job_view import JobView
from alo_operator.effects import clock
from alo_operator.effects.measures import child

Wake = Callable[[str, bool], None]
"""Called with an operation's uid and whether it is urgent."""


def register(
    registry: kopf.OperatorRegistry,
    cache: Cache,
    wake: Wake,
    rested: Callable[[str], None],
    relisted: Callable[[], None],
    stopwatch: Stopwatch,
) -> None:
    """Have `registry` feed `cache` and say what is new.

    `wake` what may have changed, `rested` with the uid of what has nothing due yet; `relisted`: a watch began anew.
    `stopwatch` hears of what has to be answered for.
    """

    @kopf.on.event(GROUP, VERSION, OPERATION_PLURAL, registry=registry)
    async def operation_event(event: Any, **_: Any) -> None:
        body, uid = event["object"], text(event["object"], "metadata", "uid")
        if event["type"] == "DELETED":
            cache.operation_gone(uid)
            stopwatch.rests(uid)
            return
        if event["type"] is None and cache.place(uid) is not None:
            relisted()
        relevant = cache.operation_seen(body)
        _count("AsyncOperation", relevant)
        if operation := cache.operation(uid):
            if relevant and event["type"] == "ADDED" and operation.status.observed_generation < 0:
                stopwatch.new(uid)
                _lag("AsyncOperation", operation.created)
            if relevant:
                wake(uid, operation.deleting is not None)
        else:
            stopwatch.rests(uid)
            rested(uid)

    @kopf.on.event(GROUP, VERSION, TEMPLATE_PLURAL, registry=registry)
    async def template_event(event: Any, **_: Any) -> None:
        body, templates = event["object"], cache.templates
        relevant = templates.deleted(body) if event["type"] == "DELETED" else templates.seen(body)
        _count("OperationTemplate", relevant)

    @kopf.on.event("batch", "v1", "jobs", registry=registry)
    async def job_event(event: Any, **_: Any) -> None:
        view = JobView.from_body(event["object"])
        relevant = cache.job_deleted(view) if event["type"] == "DELETED" else cache.job_seen(view)
        _count("Job", relevant)
        if relevant:
            if cache.due(view.owner_uid) is not None:
                rested(view.owner_uid)
                return
            if view.end and view.deleting is None and event["type"] and cache.operation(view.owner_uid):
                stopwatch.ended(view.owner_uid)
                _lag("Job", view.end.time)
            wake(view.owner_uid, view.end is not None or view.deleting is not None)


def _count(kind: str, relevant: bool) -> None:
    child(metrics.EVENTS, kind, str(relevant).lower()).inc()
    child(metrics.LAST_EVENT, kind).set(clock.now().timestamp())


def _lag(kind: str, stamped: datetime | None) -> None:
    if stamped:
        child(metrics.WATCH_LAG, kind).observe(max(0.0, (clock.now() - stamped).total_seconds()))
