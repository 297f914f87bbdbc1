"""What labels our metrics have, and every value that each of them may take."""

import re
from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from alo_operator import errors
from alo_operator.api.conditions import CancelSource, Reason
from alo_operator.api.deliveries import DeliveryError
from alo_operator.api.phases import SETTLED, Phase
from alo_operator.controller import metrics as operator_metrics
from alo_operator.gateway import metrics as gateway_metrics

ERRORS: Final = {name for name, found in vars(errors).items() if isinstance(found, type)}
ENDED: Final = {phase.value for phase in SETTLED}
RESOURCES: Final = {
    "asyncoperations",
    "asyncoperations/status",
    "operationtemplates",
    "jobs",
    "pods",
    "events",
    "leases",
    "configmaps",
    "secrets",
    "tokenreviews",
    "selfsubjectaccessreviews",
    "version",
    "other",
}
KINDS: Final = {"AsyncOperation", "OperationTemplate", "Job"}
HTTP: Final = re.compile(r"0|[1-5][0-9][0-9]")
OUTCOMES: Final = {"Delivered"} | {error.value for error in DeliveryError}
Allowed = set[str] | re.Pattern[str]

LABELS: Final[dict[str, dict[str, Allowed]]] = {
    "alo_operations_settled": {"phase": ENDED, "reason": {reason.value for reason in Reason}},
    "alo_operations": {"phase": {phase.value for phase in Phase} - ENDED | {operator_metrics.ENDED}},
    "alo_oldest_operation_age_seconds": {"phase": {"Pending", "Cancelling"}},
    "alo_operation_start_to_close_seconds": {"phase": ENDED},
    "alo_operation_schedule_to_close_seconds": {"phase": ENDED},
    "alo_cancellation_deliver_seconds": {"source": {source.value for source in CancelSource} | {"other"}},
    "alo_cancellation_settle_seconds": {"source": {source.value for source in CancelSource} | {"other"}},
    "alo_retention_deletions": {"kind": {"AsyncOperation", "Job"}},
    "alo_queue_wait_seconds": {"lane": {"urgent", "usual", "idle"}},
    "alo_reconcile_retries": {"error": ERRORS},
    "alo_api_requests": {"verb": {"GET", "POST", "PUT", "PATCH", "DELETE"}, "resource": RESOURCES, "code": HTTP},
    "alo_api_request_duration_seconds": {"verb": {"GET", "POST", "PUT", "PATCH", "DELETE"}},
    "alo_watch_events": {"kind": KINDS, "relevant": {"true", "false"}},
    "alo_watch_last_event_timestamp_seconds": {"kind": KINDS},
    "alo_watch_lag_seconds": {"kind": KINDS},
    "alo_leader_changes": {"to": {"leader", "standby"}},
    "alo_delivery_attempts": {
        "format": {"StandardWebhooks", "CloudEvents"},
        "outcome": OUTCOMES,
        "code": {"1xx", "2xx", "3xx", "4xx", "5xx", "none"},
    },
    "alo_delivery_duration_seconds": {"format": {"StandardWebhooks", "CloudEvents"}},
    "alo_deliveries": {"state": {"delivered", "dead_lettered", "dropped"}},
    "alo_build_info": {"version": re.compile(r"[0-9][0-9a-z.+]*")},
    "alo_gateway_reports": {"kind": {"progress", "result", "other"}, "code": HTTP},
    "alo_gateway_report_duration_seconds": {"kind": {"progress", "result", "other"}},
    "alo_gateway_token_reviews": {"verdict": {"known", "refused"}},
}


def declared() -> dict[str, tuple[str, ...]]:
    """Return family -> names of its labels, of the metrics of both programs as the code declares them."""
    found: dict[str, tuple[str, ...]] = {}
    for registry in (operator_metrics.REGISTRY, gateway_metrics.REGISTRY):
        for metric in ours(registry):
            # prometheus_client has no public way to ask a metric that has no samples yet.
            found[metric._name] = metric._labelnames
    return found


def ours(registry: CollectorRegistry) -> Iterable[MetricWrapperBase]:
    """Return the metrics of a registry, without those about the process."""
    return (one for one in registry._collector_to_names if isinstance(one, MetricWrapperBase))


def strangers(text: str) -> list[str]:
    """Return the samples of a scrape with a label that `LABELS` does not name, or a value that it does not allow."""
    found = []
    for family in text_string_to_metric_families(text):
        if not family.name.startswith("alo_"):
            continue
        allowed = LABELS.get(family.name, {})
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "le"}
            if set(labels) != set(allowed) or not all(fits(value, allowed[name]) for name, value in labels.items()):
                found.append(f"{sample.name}{labels}")
    return found


def fits(value: str, allowed: Allowed) -> bool:
    return value in allowed if isinstance(allowed, set) else allowed.fullmatch(value) is not None
