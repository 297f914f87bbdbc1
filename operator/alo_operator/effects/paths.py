"""Where things are on the API server."""

from __future__ import annotations

from typing import Final

from alo_operator.api.names import GROUP, OPERATION_PLURAL, TEMPLATE_PLURAL, VERSION

OPERATIONS: Final = f"apis/{GROUP}/{VERSION}/{OPERATION_PLURAL}"
TOKEN_REVIEWS: Final = "apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105 - a path


def operations(namespace: str | None) -> str:
    """The list of operations, of one namespace or (None) of all."""
    return f"apis/{GROUP}/{VERSION}/namespaces/{namespace}/{OPERATION_PLURAL}" if namespace else OPERATIONS


def operation(namespace: str, name: str) -> str:
    """One operation."""
    return f"{operations(namespace)}/{name}"


def templates(namespace: str | None) -> str:
    """The list of templates, of one namespace or (None) of all."""
    where = f"namespaces/{namespace}/" if namespace else ""
    return f"apis/{GROUP}/{VERSION}/{where}{TEMPLATE_PLURAL}"


def template(namespace: str, name: str) -> str:
    """One template."""
    return f"{templates(namespace)}/{name}"


def jobs(namespace: str | None) -> str:
    """The list of Jobs, of one namespace or (None) of all."""
    return f"apis/batch/v1/namespaces/{namespace}/jobs" if namespace else "apis/batch/v1/jobs"


def job(namespace: str, name: str) -> str:
    """One Job."""
    return f"{jobs(namespace)}/{name}"


def pods(namespace: str) -> str:
    """The pods of a namespace."""
    return f"api/v1/namespaces/{namespace}/pods"


def pod(namespace: str, name: str) -> str:
    """One pod."""
    return f"{pods(namespace)}/{name}"


def config_maps(namespace: str) -> str:
    """The ConfigMaps of a namespace."""
    return f"api/v1/namespaces/{namespace}/configmaps"


def config_map(namespace: str, name: str) -> str:
    """One ConfigMap."""
    return f"{config_maps(namespace)}/{name}"


def events(namespace: str) -> str:
    """The Events of a namespace."""
    return f"api/v1/namespaces/{namespace}/events"


def lease(namespace: str, name: str = "") -> str:
    """One Lease, or the list of them."""
    return f"apis/coordination.k8s.io/v1/namespaces/{namespace}/leases" + (f"/{name}" if name else "")


def secret(namespace: str, name: str) -> str:
    """One Secret; the list of them is nobody's business."""
    return f"api/v1/namespaces/{namespace}/secrets/{name}"
