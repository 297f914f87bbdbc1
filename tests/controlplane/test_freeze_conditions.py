"""The final conditions are part of a settled answer, wherever they stand in the list: no operator runs."""

from typing import Any

import pytest

from tests.controlplane.settled import FULFILLED, LATER, condition, replace, settle, write
from tests.support.api import Api, ApiError

REFUSAL = "the answer of a settled operation never changes"
COMPLETED, SUCCEEDED, READY = FULFILLED["conditions"]


@pytest.mark.promise("STATUS-2")
@pytest.mark.parametrize(
    "conditions",
    [
        None,
        [],
        [READY],
        [SUCCEEDED, READY],
        [COMPLETED, READY],
        [COMPLETED, condition("Succeeded", "False"), READY],
        [condition("Completed", "False"), SUCCEEDED, READY],
        [condition("Completed", "Unknown"), condition("Succeeded", "Unknown")],
    ],
    ids=["none", "empty", "others", "no-completed", "no-succeeded", "failed", "running", "unknown"],
)
@pytest.mark.parametrize("whole", [False, True], ids=["merged", "replaced"])
def test_the_final_conditions_stay(api: Api, namespace: str, conditions: list[Any] | None, whole: bool) -> None:
    """Taking the list away, one entry out of it or an entry's state is refused, and the field is named."""
    settled = settle(api, namespace, FULFILLED)
    given = {"conditions": conditions}
    rest = {key: value for key, value in FULFILLED.items() if key not in given}

    with pytest.raises(ApiError, match=rf"\bstatus: Forbidden: {REFUSAL}"):
        (replace if whole else write)(api, namespace, rest | given if whole else given)
    assert api.get("asyncoperations", namespace, "bare") == settled


def test_an_answer_without_conditions_gets_no_final_one(api: Api, namespace: str) -> None:
    """Where somebody settled an operation without any condition, the final ones stay away and others may come."""
    settle(api, namespace, {key: value for key, value in FULFILLED.items() if key != "conditions"})

    for kind in ("Completed", "Succeeded"):
        with pytest.raises(ApiError, match=REFUSAL):
            write(api, namespace, {"conditions": [READY, condition(kind, "True")]})
    assert write(api, namespace, {"conditions": [READY]})["status"]["conditions"] == [READY]


def test_order_reason_and_message_of_the_final_conditions_are_free(api: Api, namespace: str) -> None:
    """What is frozen of a condition is its state; where it stands and how it is put are not part of the answer."""
    settle(api, namespace, FULFILLED)
    turned = [condition("Retained", "True"), SUCCEEDED, condition("Completed", "True", LATER, "Other")]

    assert write(api, namespace, {"conditions": turned})["status"]["conditions"] == turned
