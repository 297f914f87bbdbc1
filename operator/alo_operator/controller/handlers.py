"""Kopf's part: events in, keys woken, nothing else. No I/O here, no writes by Kopf, and no return values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kopf

from alo_operator.api.names import GROUP, OPERATION_PLURAL, TEMPLATE_PLURAL, VERSION
from alo_operator.controller import metrics
from alo_operator.controller.cache import Cache
from alo_operator.desired.fields import text
from alo_operator.desired.job_view import JobView

Wake = Callable[[str, bool], None]
"""Called with an operation's uid and whether it is urgent."""


def register(
    registry: kopf.OperatorRegistry,
    cache: Cache,
    wake: Wake,
    rested: Callable[[str], None],
    relisted: Callable[[], None],
) -> None:
    """Have `registry` feed `cache` and say what is new.

    `wake` what may have changed, `rested` with the uid of what has nothing due yet; `relisted`: a watch began anew.
    """

    @kopf.on.event(GROUP, VERSION, OPERATION_PLURAL, registry=registry)
    async def operation_event(event: Any, **_: Any) -> None:
        body, uid = event["object"], text(event["object"], "metadata", "uid")
        if event["type"] == "DELETED":
            cache.operation_gone(uid)
            return
        if event["type"] is None and cache.place(uid) is not None:
            relisted()
        relevant = cache.operation_seen(body)
        metrics.EVENTS.labels(kind="AsyncOperation", relevant=str(relevant).lower()).inc()
        if operation := cache.operation(uid):
            if relevant:
                wake(uid, operation.deleting is not None)
        else:
            rested(uid)

    @kopf.on.event(GROUP, VERSION, TEMPLATE_PLURAL, registry=registry)
    async def template_event(event: Any, **_: Any) -> None:
        body, templates = event["object"], cache.templates
        relevant = templates.deleted(body) if event["type"] == "DELETED" else templates.seen(body)
        metrics.EVENTS.labels(kind="OperationTemplate", relevant=str(relevant).lower()).inc()

    @kopf.on.event("batch", "v1", "jobs", registry=registry)
    async def job_event(event: Any, **_: Any) -> None:
        body = event["object"]
        relevant = cache.job_deleted(body) if event["type"] == "DELETED" else cache.job_seen(body)
        metrics.EVENTS.labels(kind="Job", relevant=str(relevant).lower()).inc()
        if relevant:
            view = JobView.from_body(body)
            if cache.due(view.owner_uid) is not None:
                rested(view.owner_uid)
                return
            wake(view.owner_uid, view.end is not None or view.deleting is not None)
