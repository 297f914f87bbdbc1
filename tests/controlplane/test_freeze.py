"""A settled promise never changes, and the API server itself says so: no operator runs."""

import copy
from typing import Any

import pytest

from alo_operator.api.rules import FROZEN_FIELDS
from tests.controlplane.manifests import bare_operation
from tests.controlplane.settled import FULFILLED, OTHER, REJECTED, condition, replace, settle, write
from tests.support.api import Api, ApiError

REFUSAL = "the answer of a settled operation never changes"


@pytest.mark.promise("STATUS-2")
@pytest.mark.parametrize("field", [field for field in FROZEN_FIELDS if field not in REJECTED])
def test_a_field_that_was_absent_at_the_end_cannot_be_added(api: Api, namespace: str, field: str) -> None:
    """A late result, start or attempt does not join an answer that was given without it."""
    settled = settle(api, namespace, REJECTED)

    with pytest.raises(ApiError, match=REFUSAL):
        write(api, namespace, {field: OTHER[field]})
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


def test_a_final_condition_cannot_be_added_later(api: Api, namespace: str) -> None:
    """An end recorded without Succeeded stays so."""
    settle(api, namespace, REJECTED | {"conditions": [condition("Completed", "True")]})

    with pytest.raises(ApiError, match=REFUSAL):
        write(api, namespace, {"conditions": [condition("Completed", "True"), condition("Succeeded", "True")]})


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


def test_a_pending_status_may_change_in_every_field(api: Api, namespace: str) -> None:
    """Nothing is frozen before the promise is settled."""
    working = FULFILLED | {"promise": "Pending", "phase": "Running"}
    settle(api, namespace, working)
    fields = {field: value for field, value in OTHER.items() if field not in ("promise", "phase")}

    assert write(api, namespace, fields)["status"]["specDigest"] == OTHER["specDigest"]
    assert write(api, namespace, dict.fromkeys(fields))["status"]["phase"] == "Running"
    assert write(api, namespace, FULFILLED)["status"]["promise"] == "Fulfilled"
