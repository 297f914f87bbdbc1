"""Who may report what."""

import pytest

from alo_operator.desired.job import job_name_of
from alo_operator.desired.reports import (
    attempt_of,
    holds,
    may_hand_in,
    may_show_progress,
    open_for,
    result_name,
    result_object,
    works_for,
)
from alo_operator.desired.results import read_handed
from alo_operator.errors import ReportRefused
from tests.support.builders import JOB_UID, UID, make_job, make_operation, make_pod


def attempt(pod=None, **job_spec):
    job = make_job().spec(**job_spec).body()
    owner = job["metadata"]["ownerReferences"][0]
    owner["apiVersion"] = "alo-operator.io/v1alpha1"
    return attempt_of((pod or make_pod()).body(), job, JOB_UID)


def refused(check, *given):
    with pytest.raises(ReportRefused) as error:
        check(*given)
    return error.value.reason


@pytest.mark.parametrize(
    ("job_spec", "index", "hands_in", "shows"),
    [
        ({}, None, True, True),
        ({"completions": 3}, None, False, False),
        ({"completions": None}, None, False, True),
        ({"completions": 1, "completionMode": "Indexed"}, 0, True, True),
        ({"completions": 3, "completionMode": "Indexed"}, 0, True, False),
        ({"completions": 3, "completionMode": "Indexed"}, 2, False, False),
    ],
)
def test_one_pod_hands_in_the_one_result(job_spec, index, hands_in, shows):
    """A single completion, or index 0 of an Indexed Job; progress of several completions is the operator's."""
    found = attempt(make_pod() if index is None else make_pod().index(index), **job_spec)

    for check, allowed, reason in (
        (may_hand_in, hands_in, "NoSingleResult"),
        (may_show_progress, shows, "CountedByJob"),
    ):
        if allowed:
            check(found)
        else:
            assert refused(check, found) == reason


@pytest.mark.parametrize("place", [("media", "another"), ("elsewhere", "resize")])
def test_a_pod_reports_for_its_own_operation_only(place):
    """Neither for one beside it nor for one of the same name elsewhere."""
    works_for(attempt(), "media", "resize")

    assert refused(works_for, attempt(), *place) == "NotThisOperation"


def test_an_operation_takes_reports_until_it_has_ended():
    """Another operation of the same name takes none from the one before it."""
    open_for(attempt(), make_operation().view())
    open_for(attempt(), make_operation().cancelling(make_operation().view().created).view())

    assert refused(open_for, attempt(), make_operation().settled().view()) == "Settled"
    assert refused(open_for, attempt(), make_operation(uid="another").view()) == "NotFound"
    unreadable = make_operation().status(phase="Dreaming").view()
    assert refused(open_for, attempt(), unreadable) == "Unavailable"


def test_the_object_of_a_result_is_the_attempts_own():
    """Named after Job and attempt, immutable, and gone with the operation."""
    handed = read_handed(b"x" * 5000, "")

    body = result_object(attempt(), handed)

    assert body["metadata"]["name"] == result_name(attempt())
    assert body["metadata"]["name"].startswith(job_name_of("resize", UID) + "-")
    assert result_name(attempt(make_pod("resize-y"))) != result_name(attempt())
    assert body["immutable"] is True
    assert body["metadata"]["labels"]["alo-operator.io/operation-uid"] == UID
    (owner,) = body["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == (UID, True, True)


def test_only_the_very_same_object_counts_as_made_before():
    """Other bytes, an object that can be changed, and somebody else's do not."""
    handed = read_handed(b"x" * 5000, "")
    body = result_object(attempt(), handed)

    assert holds(body, attempt(), handed)
    assert not holds(body, attempt(), read_handed(b"y" * 5000, ""))
    assert not holds(body | {"immutable": False}, attempt(), handed)
    assert not holds(body | {"metadata": {}}, attempt(), handed)
