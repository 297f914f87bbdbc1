"""Operations that have an answer, and each kind of write that could change it."""

import copy
from collections.abc import Callable
from typing import Any

from tests.controlplane.manifests import Object, bare_operation
from tests.support.api import Api, path_of

NAME = "bare"
OWNER = "somebody"  # the manager that has applied the whole status
THEN, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def condition(kind: str, status: str, moment: str = THEN, reason: str = "Reason") -> Object:
    """A condition with a sentence of no interest."""
    return {"type": kind, "status": status, "reason": reason, "message": "x", "lastTransitionTime": moment}


FULFILLED: Object = {
    "observedGeneration": 1,
    "promise": "Fulfilled",
    "phase": "Succeeded",
    "specDigest": "v1:sha256:ab",
    "startTime": THEN,
    "completionTime": THEN,
    "conditions": [condition("Completed", "True"), condition("Succeeded", "True"), condition("Ready", "True")],
    "job": {"name": "j", "uid": "u"},
    "progress": {"done": 10, "total": 10, "summary": "10/10"},
    "attempts": {"count": 1, "last": {"pod": "p", "exitCode": 0}},
    "result": {"value": {"url": "s3://out", "sizes": [1, 2]}, "contentType": "application/json", "bytes": 30},
    "deliveries": [{"name": "billing", "state": "Pending", "attempts": 1}],
}
REJECTED: Object = {
    "observedGeneration": 1,
    "promise": "Rejected",
    "phase": "Failed",
    "completionTime": THEN,
    "conditions": [condition("Completed", "True"), condition("Succeeded", "False")],
    "failure": {"type": "WorkerFailed", "reason": "NonZeroExit", "causes": [{"kind": "Pod", "exitCode": 1}]},
}

OTHER: dict[str, Any] = {
    "promise": "Rejected",
    "phase": "Failed",
    "result": {"value": {"url": "s3://evil", "sizes": [1, 2]}, "contentType": "application/json", "bytes": 30},
    "failure": {"type": "WorkerFailed", "reason": "OOMKilled"},
    "startTime": LATER,
    "completionTime": LATER,
    "specDigest": "v1:sha256:cd",
    "progress": {"done": 9, "total": 10, "summary": "9/10"},
    "attempts": {"count": 2, "last": {"pod": "p", "exitCode": 0}},
}


def settle(api: Api, namespace: str, status: Object, name: str = NAME) -> Object:
    """A new operation that has been settled with this status, which one manager has applied and owns."""
    api.create("asyncoperations", bare_operation(name), namespace)
    return force_apply(api, namespace, status, name=name)


def write(api: Api, namespace: str, status: Any, name: str = NAME, subresource: str | None = "status") -> Object:
    """Merge into the status."""
    return api.patch("asyncoperations", name, {"status": status}, namespace, subresource=subresource)


def replace(
    api: Api, namespace: str, status: Object | None, name: str = NAME, subresource: str | None = "status"
) -> Object:
    """Put a whole status; None leaves it out."""
    stored = api.get("asyncoperations", namespace, name)
    assert stored is not None
    changed = {key: value for key, value in stored.items() if key != "status"}
    if status is not None:
        changed["status"] = status
    return api.request("PUT", path_of("asyncoperations", namespace, name, subresource), changed)


def json_patch(
    api: Api, namespace: str, patch: list[Object], name: str = NAME, subresource: str | None = "status"
) -> Object:
    return api.patch("asyncoperations", name, patch, namespace, how="json", subresource=subresource)


def force_apply(
    api: Api, namespace: str, status: Object | None, name: str = NAME, subresource: str | None = "status"
) -> Object:
    """Apply a status server-side, taking every field over; what the owner leaves out is removed."""
    body: Object = {"apiVersion": "alo-operator.io/v1alpha1", "kind": "AsyncOperation"}
    if subresource is None:
        body["spec"] = bare_operation(name)["spec"]
    if status is not None:
        body["status"] = status
    wanted = {"fieldManager": OWNER, "force": "true"}
    return api.patch("asyncoperations", name, body, namespace, how="apply", subresource=subresource, **wanted)


Attempt = Callable[[Api, str, str, str | None], Object]
"""A write, given the API, namespace, name and subresource."""


def changing(field: str, old: Object) -> dict[str, Attempt]:
    """Each kind of write that gives a field another value; `old` is the status as it stands."""
    other = OTHER[field]
    whole = old | {field: other}
    operation = {"op": "replace", "path": f"/status/{field}", "value": other}
    return {
        "merge patch": lambda api, space, name, sub: write(api, space, {field: other}, name, sub),
        "JSON patch": lambda api, space, name, sub: json_patch(api, space, [operation], name, sub),
        "replacement": lambda api, space, name, sub: replace(api, space, whole, name, sub),
        "forced apply": lambda api, space, name, sub: force_apply(api, space, whole, name, sub),
    }


def removing(field: str, old: Object) -> dict[str, Attempt]:
    """Each kind of write that takes a field away."""
    rest = {key: value for key, value in old.items() if key != field}
    operation = {"op": "remove", "path": f"/status/{field}"}
    return {
        "merge patch": lambda api, space, name, sub: write(api, space, {field: None}, name, sub),
        "JSON patch": lambda api, space, name, sub: json_patch(api, space, [operation], name, sub),
        "replacement": lambda api, space, name, sub: replace(api, space, rest, name, sub),
        "forced apply": lambda api, space, name, sub: force_apply(api, space, rest, name, sub),
    }


def nulling() -> dict[str, Attempt]:
    """Each kind of write that takes the whole status away."""
    operation = {"op": "remove", "path": "/status"}
    two = {"promise": None, "phase": None}
    return {
        "merge patch": lambda api, space, name, sub: write(api, space, None, name, sub),
        "merge patch of two": lambda api, space, name, sub: write(api, space, two, name, sub),
        "JSON patch": lambda api, space, name, sub: json_patch(api, space, [operation], name, sub),
        "replacement": lambda api, space, name, sub: replace(api, space, None, name, sub),
        "empty replacement": lambda api, space, name, sub: replace(api, space, {}, name, sub),
        "forced apply": lambda api, space, name, sub: force_apply(api, space, None, name, sub),
        "empty forced apply": lambda api, space, name, sub: force_apply(api, space, {}, name, sub),
    }


def reconditioning(kind: str, old: Object, *, remove: bool) -> dict[str, Attempt]:
    """Each kind of write that flips one of the final conditions, or takes it away."""
    conditions = copy.deepcopy(old["conditions"])
    index = next(number for number, one in enumerate(conditions) if one["type"] == kind)
    if remove:
        del conditions[index]
    else:
        conditions[index]["status"] = "Unknown"
    path = f"/status/conditions/{index}"
    operation = (
        {"op": "remove", "path": path} if remove else {"op": "replace", "path": f"{path}/status", "value": "Unknown"}
    )
    whole = old | {"conditions": conditions}
    return {
        "merge patch": lambda api, space, name, sub: write(api, space, {"conditions": conditions}, name, sub),
        "JSON patch": lambda api, space, name, sub: json_patch(api, space, [operation], name, sub),
        "replacement": lambda api, space, name, sub: replace(api, space, whole, name, sub),
        "forced apply": lambda api, space, name, sub: force_apply(api, space, whole, name, sub),
    }
