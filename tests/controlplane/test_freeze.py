"""A settled promise never changes, and the API server itself says so: no operator runs."""

import copy
from typing import Any

import pytest

from alo_operator.api.rules import FROZEN_CONDITIONS, FROZEN_FIELDS, FROZEN_MESSAGE
from tests.controlplane.manifests import Object, bare_operation
from tests.support.api import Api, ApiError

INVALID = 422
REFUSAL = "the answer of a settled operation never changes"
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


def settle(api: Api, namespace: str, status: Object) -> Object:
    """A new operation that has been settled with this status."""
    api.create("asyncoperations", bare_operation(), namespace)
    return write(api, namespace, status)


def write(api: Api, namespace: str, status: Any) -> Object:
    """Merge into the status."""
    return api.patch("asyncoperations", "bare", {"status": status}, namespace, subresource="status")


def replace(api: Api, namespace: str, status: Object | None) -> Object:
    """Put a whole status; None leaves it out."""
    stored = api.get("asyncoperations", namespace, "bare")
    assert stored is not None
    changed = {key: value for key, value in stored.items() if key != "status"}
    if status is not None:
        changed["status"] = status
    path = f"/apis/alo-operator.io/v1alpha1/namespaces/{namespace}/asyncoperations/bare/status"
    return api.request("PUT", path, changed)


def force_apply(api: Api, namespace: str, status: Object) -> Object:
    """Apply a status server-side, taking every field over."""
    body = {"apiVersion": "alo-operator.io/v1alpha1", "kind": "AsyncOperation", "status": status}
    return api.patch(
        "asyncoperations",
        "bare",
        body,
        namespace,
        how="apply",
        subresource="status",
        fieldManager="somebody",
        force="true",
    )


def test_every_frozen_field_is_in_the_table() -> None:
    """A field that joins the freeze joins these tests."""
    assert set(OTHER) == set(FROZEN_FIELDS)


@pytest.mark.promise("STATUS-2")
@pytest.mark.parametrize("field", FROZEN_FIELDS)
def test_a_settled_field_cannot_be_changed_by_any_kind_of_write(api: Api, namespace: str, field: str) -> None:
    """Patch, replacement, JSON patch and forced apply get the same refusal, and the answer stays."""
    settled = settle(api, namespace, FULFILLED if field in FULFILLED else REJECTED)
    other = {field: OTHER[field]}
    whole = settled["status"] | other

    writes = (
        lambda: write(api, namespace, other),
        lambda: replace(api, namespace, whole),
        lambda: force_apply(api, namespace, other),
        lambda: api.patch(
            "asyncoperations",
            "bare",
            [{"op": "replace", "path": f"/status/{field}", "value": other[field]}],
            namespace,
            how="json",
            subresource="status",
        ),
    )
    for attempt in writes:
        with pytest.raises(ApiError) as caught:
            attempt()
        assert caught.value.status == INVALID
        assert FROZEN_MESSAGE in str(caught.value)
    assert api.get("asyncoperations", namespace, "bare") == settled


@pytest.mark.promise("STATUS-2")
@pytest.mark.parametrize("field", FROZEN_FIELDS)
def test_a_settled_field_cannot_be_removed(api: Api, namespace: str, field: str) -> None:
    """Neither null in a patch nor a replacement without the field takes it away."""
    settled = settle(api, namespace, FULFILLED if field in FULFILLED else REJECTED)
    rest = {key: value for key, value in settled["status"].items() if key != field}

    with pytest.raises(ApiError, match=REFUSAL):
        write(api, namespace, {field: None})
    with pytest.raises(ApiError, match=REFUSAL):
        replace(api, namespace, rest)
    assert api.get("asyncoperations", namespace, "bare") == settled


@pytest.mark.promise("STATUS-2")
@pytest.mark.parametrize("field", [field for field in FROZEN_FIELDS if field not in REJECTED])
def test_a_field_that_was_absent_at_the_end_cannot_be_added(api: Api, namespace: str, field: str) -> None:
    """A late result, start or attempt does not join an answer that was given without it."""
    settled = settle(api, namespace, REJECTED)

    with pytest.raises(ApiError, match=REFUSAL):
        write(api, namespace, {field: OTHER[field]})
    assert api.get("asyncoperations", namespace, "bare") == settled


@pytest.mark.parametrize("body", [{"status": None}, {"status": {"promise": None, "phase": None}}], ids=["all", "two"])
def test_nulling_the_status_does_not_lift_the_freeze(api: Api, namespace: str, body: Object) -> None:
    """Without this the default would come back, and the promise would be pending again."""
    settled = settle(api, namespace, FULFILLED)

    with pytest.raises(ApiError, match=REFUSAL):
        api.patch("asyncoperations", "bare", body, namespace, subresource="status")
    with pytest.raises(ApiError, match=REFUSAL):
        replace(api, namespace, None)
    with pytest.raises(ApiError, match=REFUSAL):
        replace(api, namespace, {})
    assert api.get("asyncoperations", namespace, "bare") == settled


@pytest.mark.promise("STATUS-2")
def test_the_status_cannot_be_removed_by_a_json_patch(api: Api, namespace: str) -> None:
    """Removing the whole status is refused like any other change."""
    settled = settle(api, namespace, FULFILLED)

    with pytest.raises(ApiError, match=REFUSAL):
        api.patch(
            "asyncoperations",
            "bare",
            [{"op": "remove", "path": "/status"}],
            namespace,
            how="json",
            subresource="status",
        )
    assert api.get("asyncoperations", namespace, "bare") == settled


@pytest.mark.parametrize(
    "value",
    [
        {"url": "s3://out", "sizes": [1, 3]},
        {"url": "s3://out", "dimensions": [1, 2]},
        {"url": "s3://out", "sizes": [1, 2], "more": None},
        "text",
        None,
        [],
    ],
    ids=["element", "renamed-key", "more", "other-type", "null", "list"],
)
def test_a_result_is_compared_to_its_last_detail(api: Api, namespace: str, value: Any) -> None:
    """Raw JSON in a result is frozen at every depth, renamed keys and other types included."""
    settled = settle(api, namespace, FULFILLED)
    changed = copy.deepcopy(settled["status"])
    changed["result"]["value"] = value

    with pytest.raises(ApiError, match=REFUSAL):
        replace(api, namespace, changed)


@pytest.mark.parametrize("value", ["text", "", 0, 1.5, False, [], [1, None], {}, {"a": {"b": None}}])
def test_any_json_can_be_a_result_and_is_kept(api: Api, namespace: str, value: Any) -> None:
    """Results of every type are stored as they are, and later free writes pass.

    Written by replacement: a merge patch would drop the nulls inside.
    """
    api.create("asyncoperations", bare_operation(), namespace)
    stored = replace(api, namespace, FULFILLED | {"result": {"value": value}})
    assert stored["status"]["result"] == {"value": value}

    assert write(api, namespace, {"observedGeneration": 2})["status"]["result"] == {"value": value}


@pytest.mark.promise("STATUS-2")
@pytest.mark.parametrize("kind", FROZEN_CONDITIONS)
@pytest.mark.parametrize("change", ["flipped", "removed"])
def test_the_final_conditions_keep_their_status(api: Api, namespace: str, kind: str, change: str) -> None:
    """Completed and Succeeded neither flip nor vanish."""
    settled = settle(api, namespace, FULFILLED)
    others = [entry for entry in settled["status"]["conditions"] if entry["type"] != kind]
    flipped = [condition(kind, "Unknown", LATER)] if change == "flipped" else []

    with pytest.raises(ApiError) as caught:
        write(api, namespace, {"conditions": others + flipped})
    assert FROZEN_MESSAGE in str(caught.value)
    with pytest.raises(ApiError, match=REFUSAL):
        write(api, namespace, {"conditions": None})


def test_a_final_condition_cannot_be_added_later(api: Api, namespace: str) -> None:
    """An end recorded without Succeeded stays so."""
    settle(api, namespace, REJECTED | {"conditions": [condition("Completed", "True")]})

    with pytest.raises(ApiError, match=REFUSAL):
        write(api, namespace, {"conditions": [condition("Completed", "True"), condition("Succeeded", "True")]})


@pytest.mark.promise("STATUS-2")
@pytest.mark.parametrize("status", [FULFILLED, REJECTED], ids=["fulfilled", "rejected"])
def test_what_is_no_part_of_the_answer_stays_free(api: Api, namespace: str, status: Object) -> None:
    """Deliveries, other conditions, the wording of the final ones and observedGeneration go on after the end."""
    settled = settle(api, namespace, status)
    final = [entry | {"message": "y"} for entry in settled["status"]["conditions"] if entry["type"] != "Ready"]
    free = {
        "observedGeneration": 7,
        "deliveries": [{"name": "billing", "state": "Delivered", "attempts": 2}],
        "conditions": [*final, condition("Ready", "False", LATER), condition("Stalled", "True", LATER)],
        "cancellation": {"requestTime": LATER, "source": "Spec"},
    }
    answer = write(api, namespace, free)["status"]

    assert {field: answer[field] for field in free} == free
    assert write(api, namespace, {"deliveries": None})["status"]["promise"] == status["promise"]


@pytest.mark.promise("ID-4")
def test_requests_to_a_settled_operation_are_still_accepted(api: Api, namespace: str) -> None:
    """Cancelling, retention and callbacks may be written after the end, and metadata as ever."""
    settle(api, namespace, FULFILLED)
    callback = {"name": "late", "url": "https://late.example", "format": "CloudEvents"}
    patch = {
        "metadata": {"labels": {"a": "b"}, "finalizers": ["alo-operator.io/cancel-work"]},
        "spec": {"cancel": {}, "retention": {"job": "0"}, "callbacks": [callback]},
    }

    answer = api.patch("asyncoperations", "bare", patch, namespace)
    assert answer["spec"]["callbacks"] == [callback]
    assert answer["status"]["promise"] == "Fulfilled"
    assert api.patch("asyncoperations", "bare", {"metadata": {"finalizers": None}}, namespace)["metadata"]["labels"]


def test_a_write_to_the_operation_itself_leaves_the_status_alone(api: Api, namespace: str) -> None:
    """Status belongs to its subresource: one sent with the spec is dropped, not refused."""
    settled = settle(api, namespace, FULFILLED)
    answer = api.patch("asyncoperations", "bare", {"status": {"promise": "Pending"}}, namespace)

    assert answer["status"] == settled["status"]


def test_a_pending_status_may_change_in_every_field(api: Api, namespace: str) -> None:
    """Nothing is frozen before the promise is settled."""
    working = FULFILLED | {"promise": "Pending", "phase": "Running"}
    settle(api, namespace, working)
    fields = {field: value for field, value in OTHER.items() if field not in ("promise", "phase")}

    assert write(api, namespace, fields)["status"]["specDigest"] == OTHER["specDigest"]
    assert write(api, namespace, dict.fromkeys(fields))["status"]["phase"] == "Running"
    assert write(api, namespace, FULFILLED)["status"]["promise"] == "Fulfilled"
