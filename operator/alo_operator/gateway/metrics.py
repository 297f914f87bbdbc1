"""What the gateway tells Prometheus; no label ever carries a name a user chose."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest

from alo_operator.effects.measures import ApiMeasures

REGISTRY: Final = CollectorRegistry()
API: Final = ApiMeasures(REGISTRY)
PROCESS: Final = ProcessCollector(registry=REGISTRY)  # process_resident_memory_bytes and its like

REPORTS: Final = Counter(
    "alo_gateway_reports_total",
    "Reports of workers by kind (progress, result, other) and HTTP status of the answer.",
    ["kind", "code"],
    registry=REGISTRY,
)
REPORT_SECONDS: Final = Histogram(
    "alo_gateway_report_duration_seconds",
    "Time from a report's head to its answer.",
    ["kind"],
    buckets=(0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60),
    registry=REGISTRY,
)
REVIEWS: Final = Counter(
    "alo_gateway_token_reviews_total", "Tokens that the API server was asked about.", ["verdict"], registry=REGISTRY
)
WAITING: Final = Gauge(
    "alo_gateway_progress_waiting", "Operations whose latest progress is not written yet.", registry=REGISTRY
)
BUILD: Final = Gauge("alo_build_info", "Always 1; the version is in the label.", ["version"], registry=REGISTRY)


def render() -> bytes:
    """The current values in Prometheus' text format."""
    return generate_latest(REGISTRY)
