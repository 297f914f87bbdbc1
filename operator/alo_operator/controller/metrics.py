"""What the operator tells Prometheus; no label ever carries a name a user chose."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from alo_operator.effects.measures import ApiMeasures

REGISTRY: Final = CollectorRegistry()
API: Final = ApiMeasures(REGISTRY)

SETTLED: Final = Counter(
    "alo_operations_settled_total", "Operations settled by this process.", ["phase", "reason"], registry=REGISTRY
)
RETENTION_DELETIONS: Final = Counter(
    "alo_retention_deletions_total", "What this process deleted as its retention was over.", ["kind"], registry=REGISTRY
)
RECONCILE_SECONDS: Final = Histogram(
    "alo_reconcile_duration_seconds",
    "Time of one pass over one operation.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30),
    registry=REGISTRY,
)
EVENTS: Final = Counter(
    "alo_watch_events_total",
    "Watch events by kind, and whether a decision could depend on them.",
    ["kind", "relevant"],
    registry=REGISTRY,
)
QUARANTINED: Final = Counter(
    "alo_quarantined_total", "Passes that failed by a defect of the operator; the object is retried.", registry=REGISTRY
)
QUEUE_DEPTH: Final = Gauge("alo_queue_depth", "Operations waiting for a pass.", registry=REGISTRY)
KNOWN: Final = Gauge("alo_operations_known", "Operations in this replica's memory.", registry=REGISTRY)
LEADER: Final = Gauge("alo_leader", "1 where this replica may write.", registry=REGISTRY)
LOOP_LAG: Final = Gauge("alo_loop_lag_seconds", "How late the event loop last was.", registry=REGISTRY)
LOOP_LAG_MAX: Final = Gauge(
    "alo_loop_lag_max_seconds", "The latest that the event loop ever was in this process.", registry=REGISTRY
)
RESYNC_FOUND: Final = Counter(
    "alo_resync_differences_total",
    "Objects that a resync found otherwise than the watches had told.",
    registry=REGISTRY,
)

DELIVERY_ATTEMPTS: Final = Counter(
    "alo_delivery_attempts_total",
    "Attempts to tell a callback by format, outcome (Delivered, or the word of what went wrong) and class of the HTTP "
    "status (2xx ... 5xx; none where there was no answer).",
    ["format", "outcome", "code"],
    registry=REGISTRY,
)
DELIVERY_SECONDS: Final = Histogram(
    "alo_delivery_duration_seconds",
    "Time of one attempt to tell a callback.",
    ["format"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15),
    registry=REGISTRY,
)
DELIVERIES: Final = Counter(
    "alo_deliveries_total",
    "Deliveries that came to their end: delivered, dead_lettered (given up), dropped (lost with a deleted operation).",
    ["state"],
    registry=REGISTRY,
)
DELIVERIES_IN_FLIGHT: Final = Gauge(
    "alo_deliveries_in_flight", "Callbacks that are being told just now.", registry=REGISTRY
)
DELIVERY_LINES_OPEN: Final = Gauge(
    "alo_delivery_lines_open",
    "Destinations that are left alone for a while, as they failed several times in a row.",
    registry=REGISTRY,
)

BUILD: Final = Gauge("alo_build_info", "Always 1; the version is in the label.", ["version"], registry=REGISTRY)


def delivery_attempted(form: str, outcome: str, status: int | None, seconds: float) -> None:
    """Count one attempt to tell a callback; `outcome` is `Delivered` or a word of the API, `status` that of HTTP."""
    code = f"{status // 100}xx" if status and 100 <= status < 600 else "none"
    DELIVERY_ATTEMPTS.labels(format=form, outcome=outcome, code=code).inc()
    DELIVERY_SECONDS.labels(format=form).observe(seconds)


def render() -> bytes:
    """The current values in Prometheus' text format."""
    return generate_latest(REGISTRY)
