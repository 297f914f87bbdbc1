"""What every process of ours counts of its requests to the API server; no label ever carries a name a user chose."""

from __future__ import annotations

import functools
import re
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

# A gauge beside each counter and histogram that says when it was made: nearly half of all series, for nobody's use.
disable_created_metrics()  # type: ignore[no-untyped-call]

_RESOURCE: Final = re.compile(r"(?:namespaces/[^/]+/)?([a-z]+)(?:/[^/]+)?(?:/(status))?$")


_Metric = TypeVar("_Metric", Counter, Gauge, Histogram)


@functools.lru_cache(maxsize=1000)
def child(metric: _Metric, *labels: str) -> _Metric:
    """`metric.labels(...)` by position for what is counted at each event or request; those are never removed."""
    return metric.labels(*labels)


class ApiMeasures:
    """Counters of requests in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "alo_api_requests_total",
            "Requests to the API server, watches apart; code 0 where no answer came.",
            ["verb", "resource", "code"],
            registry=registry,
        )
        self.seconds = Histogram(
            "alo_api_request_duration_seconds",
            "Time of one request to the API server.",
            ["verb"],
            buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30),
            registry=registry,
        )

    def observe(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count one request; satisfies `cluster.Observer`."""
        match = _RESOURCE.search(path.split("/v1", 1)[-1])
        resource = "/".join(part for part in match.groups() if part) if match else "other"
        child(self.requests, method, resource, str(status)).inc()
        child(self.seconds, method).observe(seconds)
