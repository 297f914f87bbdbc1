"""Whose an object is."""

import pytest

from alo_operator.desired.ownership import controller, may_be_of, owner_reference


def reference(kind="Job", name="resize-1", *, controlling=True):
    return {"kind": kind, "name": name, "uid": "u", "controller": controlling}


def owned(*owners):
    return {"metadata": {"ownerReferences": list(owners)}}


@pytest.mark.parametrize(
    ("pod", "ours"),
    [
        pytest.param(owned(reference()), True, id="of the Job"),
        pytest.param(owned(reference(controlling=False), reference()), True, id="with another owner beside it"),
        pytest.param(owned(), True, id="orphaned"),
        pytest.param({"metadata": {}}, True, id="without owners"),
        pytest.param(owned(reference(controlling=False, name="other")), True, id="owned but not controlled"),
        pytest.param(owned(reference(name="other")), False, id="of another Job"),
        pytest.param(owned(reference(kind="ReplicaSet")), False, id="of something else of that name"),
        pytest.param(owned({"controller": True}), False, id="of nobody knows whom"),
        pytest.param({"metadata": {"ownerReferences": ["rubbish"]}}, True, id="rubbish"),
    ],
)
def test_labels_alone_do_not_make_a_pod_the_jobs(pod, ours):
    """What somebody else controls is somebody else's, whatever labels it has."""
    assert may_be_of(pod, "resize-1") is ours


def test_the_reference_of_an_operation_is_that_of_a_controller():
    """What is written is what is looked for."""
    made = owner_reference("resize", "u-1")

    assert controller({"metadata": {"ownerReferences": [reference(controlling=False), made]}}) == made
    assert controller({}) == {}
