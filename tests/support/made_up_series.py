"""Series as a scrape would have them, made up for one alert each: two hours, a sample a minute."""

from collections.abc import Callable

from tests.support.promql import Series

HOURS = 2
END = HOURS * 3600.0
TARGET = {"job": "alo-operator", "namespace": "alo-system", "pod": "alo-operator-0"}


def made(name: str, value: Callable[[float], float], **labels: str) -> Series:
    """A series of the usual target whose value at each moment `value` tells."""
    times = [60.0 * minute for minute in range(HOURS * 60 + 1)]
    return Series({"__name__": name, **TARGET, **labels}, tuple((when, value(when)) for when in times))


def flat(name: str, value: float, **labels: str) -> Series:
    return made(name, lambda _: value, **labels)


def rising(name: str, per_second: float, **labels: str) -> Series:
    return made(name, lambda when: when * per_second, **labels)


def stepped(name: str, **labels: str) -> Series:
    """A counter that has been 0 and becomes 1 five minutes before the end."""
    return made(name, lambda when: float(when >= END - 300), **labels)


def slow(name: str, **labels: str) -> list[Series]:
    """A histogram all of whose observations lie between 5 and 15."""
    counts = {"1": 0.0, "5": 0.0, "15": 1.0, "+Inf": 1.0}
    return [rising(f"{name}_bucket", count, le=bound, **labels) for bound, count in counts.items()]


FIRING: dict[str, list[Series]] = {
    "AloOperatorAbsent": [flat("alo_build_info", 1, version="1")],
    "AloNoLeader": [flat("alo_leader", 0), flat("alo_leader", 0, pod="alo-operator-1")],
    "AloSeveralLeaders": [flat("alo_leader", 1), flat("alo_leader", 1, pod="alo-operator-1")],
    "AloLeaderChangesOften": [rising("alo_leader_changes_total", 1 / 300, to="leader")],
    "AloQuarantined": [stepped("alo_quarantined_total")],
    "AloQueueSlow": slow("alo_queue_wait_seconds", lane="usual"),
    "AloSettlesSlowly": slow("alo_settle_delay_seconds"),
    "AloWritesSlowedDown": [flat("alo_write_rate_limit", 20)],
    "AloApiErrors": [
        rising("alo_api_requests_total", 1, verb="GET", resource="jobs", code="200"),
        rising("alo_api_requests_total", 0.2, verb="GET", resource="jobs", code="503"),
    ],
    "AloRightsMissing": [rising("alo_api_requests_total", 0.01, verb="GET", resource="pods", code="403")],
    "AloWatchesMissNews": [rising("alo_resync_differences_total", 0.01)],
    "AloEventLoopSlow": [made("alo_loop_lag_seconds", lambda when: 3.0 if when == END - 120 else 0.0)],
    "AloCancellationStuck": [flat("alo_oldest_operation_age_seconds", 4000, phase="Cancelling")],
    "AloOutcomesLost": [stepped("alo_operations_settled_total", phase="Failed", reason="OutcomeUnknown")],
    "AloDeliveriesDeadLettered": [stepped("alo_deliveries_total", state="dead_lettered")],
    "AloDeliveriesDropped": [stepped("alo_deliveries_total", state="dropped")],
    "AloReceiverDown": [flat("alo_delivery_lines_open", 1)],
    "AloReportsFail": [
        rising("alo_gateway_reports_total", 1, kind="result", code="200"),
        rising("alo_gateway_reports_total", 0.2, kind="result", code="503"),
    ],
}
HEALTHY: list[Series] = [
    flat("alo_leader", 1),
    flat("alo_leader", 0, pod="alo-operator-1"),
    flat("alo_quarantined_total", 0),
    flat("alo_write_rate_limit", 500),
    flat("alo_loop_lag_seconds", 0.01),
    flat("alo_oldest_operation_age_seconds", 0, phase="Cancelling"),
    flat("alo_delivery_lines_open", 0),
    *(flat("alo_deliveries_total", 0, state=state) for state in ("delivered", "dead_lettered", "dropped")),
    rising("alo_api_requests_total", 10, verb="GET", resource="jobs", code="200"),
    rising("alo_api_requests_total", 0.2, verb="POST", resource="jobs", code="403"),
]
