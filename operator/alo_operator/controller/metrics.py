"""What the operator tells Prometheus; no label ever carries a name a user chose."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest

from alo_operator.api.conditions import CancelSource, Reason
from alo_operator.api.phases import SETTLED as ENDED_PHASES
from alo_operator.api.phases import Phase
from alo_operator.effects.measures import ApiMeasures

ENDED: Final = "Settled"
OTHER: Final = "other"
_SOURCES: Final = frozenset(source.value for source in CancelSource)

REGISTRY: Final = CollectorRegistry()
API: Final = ApiMeasures(REGISTRY)
PROCESS: Final = ProcessCollector(registry=REGISTRY)  # process_resident_memory_bytes and its like

# Moments in status are whole seconds, so that times taken from them may be off by one.
_LIFE: Final = (1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200, 86_400, 259_200)
_START: Final = (1, 2, 5, 10, 30, 60, 300, 1800, 3600, 21_600)
_STOP: Final = (1, 5, 15, 30, 45, 60, 90, 120, 300, 900, 3600)
_LAG: Final = (1, 2, 3, 5, 10, 30, 60, 300)
_QUICK: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 15, 60)

SETTLED: Final = Counter(
    "alo_operations_settled_total", "Operations settled by this process.", ["phase", "reason"], registry=REGISTRY
)
SCHEDULE_TO_START: Final = Histogram(
    "alo_operation_schedule_to_start_seconds",
    "From the creation of an operation to the start of its work, as status says (whole seconds).",
    buckets=_START,
    registry=REGISTRY,
)
START_TO_CLOSE: Final = Histogram(
    "alo_operation_start_to_close_seconds",
    "From the start of the work to the answer, by the phase it ended in, as status says (whole seconds).",
    ["phase"],
    buckets=_LIFE,
    registry=REGISTRY,
)
SCHEDULE_TO_CLOSE: Final = Histogram(
    "alo_operation_schedule_to_close_seconds",
    "From the creation of an operation to its answer, by the phase it ended in, as status says (whole seconds).",
    ["phase"],
    buckets=_LIFE,
    registry=REGISTRY,
)
JOB_DELAY: Final = Histogram(
    "alo_job_creation_delay_seconds",
    "From the news of an operation to the API server's answer that its Job is made, of those that start at once.",
    buckets=_QUICK,
    registry=REGISTRY,
)
SETTLE_DELAY: Final = Histogram(
    "alo_settle_delay_seconds",
    "From the news of a Job's end to the written answer, the finalizer's removal included.",
    buckets=_QUICK,
    registry=REGISTRY,
)
CANCEL_DELIVERED: Final = Histogram(
    "alo_cancellation_deliver_seconds",
    "From the request of a cancellation to the moment its work was told, by who asked (whole seconds).",
    ["source"],
    buckets=_STOP,
    registry=REGISTRY,
)
CANCEL_SETTLED: Final = Histogram(
    "alo_cancellation_settle_seconds",
    "From the request of a cancellation of work that had to be told, to its end, by who asked (whole seconds).",
    ["source"],
    buckets=_STOP,
    registry=REGISTRY,
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
RETRIES: Final = Counter(
    "alo_reconcile_retries_total",
    "Passes that could not be finished and were put off, by the kind of error.",
    ["error"],
    registry=REGISTRY,
)
EVENTS: Final = Counter(
    "alo_watch_events_total",
    "Watch events by kind, and whether a decision could depend on them.",
    ["kind", "relevant"],
    registry=REGISTRY,
)
LAST_EVENT: Final = Gauge(
    "alo_watch_last_event_timestamp_seconds",
    "When the last watch event of a kind came in, in seconds since 1970.",
    ["kind"],
    registry=REGISTRY,
)
WATCH_LAG: Final = Histogram(
    "alo_watch_lag_seconds",
    "How long news of new operations and of ended Jobs were on their way, by the API server's stamp (whole seconds).",
    ["kind"],
    buckets=_LAG,
    registry=REGISTRY,
)
QUARANTINED: Final = Counter(
    "alo_quarantined_total", "Passes that failed by a defect of the operator; the object is retried.", registry=REGISTRY
)
QUEUE_DEPTH: Final = Gauge("alo_queue_depth", "Operations waiting for a pass.", registry=REGISTRY)
QUEUE_WAIT: Final = Histogram(
    "alo_queue_wait_seconds",
    "Time from what was told of an operation to its pass, by the queue's lane.",
    ["lane"],
    buckets=_QUICK,
    registry=REGISTRY,
)
KNOWN: Final = Gauge("alo_operations_known", "Operations in this replica's memory.", registry=REGISTRY)
OPERATIONS: Final = Gauge(
    "alo_operations",
    "Operations in this replica's memory by phase; all that have ended are Settled.",
    ["phase"],
    registry=REGISTRY,
)
OLDEST: Final = Gauge(
    "alo_oldest_operation_age_seconds",
    "Age of the oldest operation that is Pending (since its creation) or Cancelling (since the request); 0: none is.",
    ["phase"],
    registry=REGISTRY,
)
IN_LINE: Final = Gauge(
    "alo_operations_in_line",
    "Operations that wait for their turn, as their template limits how many run.",
    registry=REGISTRY,
)
LEADER: Final = Gauge("alo_leader", "1 where this replica may write.", registry=REGISTRY)
LEADER_CHANGES: Final = Counter(
    "alo_leader_changes_total", "How often this process began to lead, or ceased to.", ["to"], registry=REGISTRY
)
LEASE_REMAINING: Final = Gauge(
    "alo_lease_remaining_seconds",
    "For how long the Lease is still surely this replica's; 0: it is not.",
    registry=REGISTRY,
)
WRITE_RATE: Final = Gauge(
    "alo_write_rate_limit",
    "Writes per second that this replica allows itself now; 500 unless it was slowed down.",
    registry=REGISTRY,
)
WRITE_WAIT: Final = Histogram(
    "alo_write_wait_seconds",
    "Time that a write waited for its turn under that limit.",
    buckets=_QUICK,
    registry=REGISTRY,
)
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


def _from_zero() -> None:
    """Have series there before anything happens: in one that begins with 1, Prometheus sees no increase."""
    for phase in sorted(ENDED_PHASES):
        START_TO_CLOSE.labels(phase=phase.value)
        SCHEDULE_TO_CLOSE.labels(phase=phase.value)
    for reason in (Reason.SUCCEEDED, Reason.RESULT_LOST):
        SETTLED.labels(phase=Phase.SUCCEEDED.value, reason=reason.value)
    SETTLED.labels(phase=Phase.CANCELLED.value, reason=Reason.CANCELLED.value)
    for reason in (Reason.NON_ZERO_EXIT, Reason.OOM_KILLED, Reason.EVICTED, Reason.JOB_FAILED, Reason.RESULT_LOST):
        SETTLED.labels(phase=Phase.FAILED.value, reason=reason.value)
    SETTLED.labels(phase=Phase.FAILED.value, reason=Reason.OUTCOME_UNKNOWN.value)
    for source in sorted(_SOURCES):
        CANCEL_DELIVERED.labels(source=source)
        CANCEL_SETTLED.labels(source=source)
    for kind in ("AsyncOperation", "Job"):
        RETENTION_DELETIONS.labels(kind=kind)
        WATCH_LAG.labels(kind=kind)
    for lane in ("urgent", "usual", "idle"):
        QUEUE_WAIT.labels(lane=lane)
    for state in ("delivered", "dead_lettered", "dropped"):
        DELIVERIES.labels(state=state)
    for to in ("leader", "standby"):
        LEADER_CHANGES.labels(to=to)


_from_zero()


def known_source(word: str) -> str:
    """Who asked for a cancellation, as a label: what is in status may come from a newer version."""
    return word if word in _SOURCES else OTHER


def delivery_attempted(form: str, outcome: str, status: int | None, seconds: float) -> None:
    """Count one attempt to tell a callback; `outcome` is `Delivered` or a word of the API, `status` that of HTTP."""
    code = f"{status // 100}xx" if status and 100 <= status < 600 else "none"
    DELIVERY_ATTEMPTS.labels(format=form, outcome=outcome, code=code).inc()
    DELIVERY_SECONDS.labels(format=form).observe(seconds)


def render() -> bytes:
    """The current values in Prometheus' text format."""
    return generate_latest(REGISTRY)
