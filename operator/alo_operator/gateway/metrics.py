"""What the gateway tells Prometheus; no label ever carries a name a user chose."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import generate_latest

from alo_operator.effects.measures import ApiMeasures

REGISTRY: Final = CollectorRegistry()
API: Final = ApiMeasures(REGISTRY)

REPORTS: Final = Counter(
    "alo_gateway_reports_total",
    "Reports of workers by kind (progress, result, other) and HTTP status of the answer.",
    ["kind", "code"],
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
