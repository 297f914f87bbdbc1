"""Every kind of write that could change a settled answer, by whom it may be tried: the API server refuses all of them.

No operator runs: this is what the schema and the rights do by themselves.
"""

from contextlib import closing

import pytest

from alo_operator.api.rules import FROZEN_CONDITIONS, FROZEN_FIELDS, FROZEN_MESSAGE
from tests.controlplane.settled import (
    FULFILLED,
    LATER,
    OTHER,
    REJECTED,
    changing,
    condition,
    json_patch,
    nulling,
    reconditioning,
    removing,
    settle,
)
from tests.support import namespaces
from tests.support.api import Api, ApiError

INVALID, FORBIDDEN = 422, 403
ACCOUNTS = ("administrator", "operator")


@pytest.fixture(scope="module")
def accounts(api, operator_kubeconfig):
    """Who tries: somebody who may do everything, and the operator's own service account."""
    with closing(Api(operator_kubeconfig)) as operator:
        yield {"administrator": api, "operator": operator}


@pytest.fixture(scope="module")
def place(api, crds, _used_namespaces):
    """A namespace with two settled operations."""
    name = namespaces.make(api)
    _used_namespaces.append(name)
    settle(api, name, FULFILLED, "fulfilled")
    settle(api, name, REJECTED, "rejected")
    yield name
    namespaces.remove(api, name)


def holder(field):
    """The operation that has the field."""
    return "fulfilled" if field in FULFILLED else "rejected"


def stored(api, place, name):
    return api.get("asyncoperations", place, name)


def refusals(accounts, place, name, writes):
    """What became of each write to the status, by account and kind, that did not get the refusal it should have got."""
    wrong = {}
    for who, api in accounts.items():
        for kind, attempt in writes.items():
            try:
                attempt(api, place, name, "status")
            except ApiError as error:
                if not refused_rightly(error, who, kind):
                    wrong[who, kind] = str(error)
            else:
                wrong[who, kind] = "accepted"
    return wrong


def refused_rightly(error, who, kind):
    """The operator has no right to replace anything, so it hears of that first."""
    if may_not(who, kind):
        return error.status == FORBIDDEN
    return error.status == INVALID and FROZEN_MESSAGE in str(error)


def may_not(who, kind):
    return who == "operator" and "replacement" in kind


def test_every_frozen_field_is_in_the_table():
    """A field that joins the freeze joins these tests."""
    assert set(OTHER) == set(FROZEN_FIELDS)


@pytest.mark.promise("STATUS-2")
@pytest.mark.parametrize("deed", [changing, removing], ids=["changed", "removed"])
@pytest.mark.parametrize("field", FROZEN_FIELDS)
def test_no_kind_of_write_changes_a_settled_field(api, accounts, place, field, deed):
    """Merge patch, JSON patch, replacement and forced apply: the same refusal for everybody, and the answer stays."""
    name = holder(field)
    before = stored(api, place, name)

    assert refusals(accounts, place, name, deed(field, before["status"])) == {}
    assert stored(api, place, name) == before


@pytest.mark.promise("STATUS-2")
@pytest.mark.parametrize("remove", [False, True], ids=["flipped", "removed"])
@pytest.mark.parametrize("kind", FROZEN_CONDITIONS)
def test_no_kind_of_write_changes_a_final_condition(api, accounts, place, kind, remove):
    """Completed and Succeeded neither flip nor vanish, whoever asks."""
    before = stored(api, place, "fulfilled")

    assert refusals(accounts, place, "fulfilled", reconditioning(kind, before["status"], remove=remove)) == {}
    assert stored(api, place, "fulfilled") == before


@pytest.mark.promise("STATUS-2")
def test_no_kind_of_write_takes_the_status_away(api, accounts, place):
    """Without this the default would come back, and the promise would be pending again."""
    before = stored(api, place, "fulfilled")

    assert refusals(accounts, place, "fulfilled", nulling()) == {}
    assert stored(api, place, "fulfilled") == before


@pytest.mark.parametrize("who", ACCOUNTS)
def test_writes_to_the_operation_itself_leave_the_answer_alone(api, accounts, place, who):
    """Status belongs to its subresource: one that is sent with the rest is dropped, whatever kind of write it is in."""
    before = stored(api, place, "fulfilled")["status"]
    writes = {
        f"{field}, {kind}": one for field in ("promise", "result") for kind, one in changing(field, before).items()
    }
    writes |= removing("result", before) | nulling()
    for kind, attempt in writes.items():
        if may_not(who, kind):
            with pytest.raises(ApiError) as caught:
                attempt(accounts[who], place, "fulfilled", None)
            assert caught.value.status == FORBIDDEN
        else:
            attempt(accounts[who], place, "fulfilled", None)
        assert stored(api, place, "fulfilled")["status"] == before, kind


@pytest.mark.parametrize("who", ACCOUNTS)
@pytest.mark.parametrize("status", [FULFILLED, REJECTED], ids=["fulfilled", "rejected"])
def test_what_is_no_part_of_the_answer_may_still_be_written(api, accounts, namespace, status, who):
    """Generation, deliveries, other conditions and limits in force go on after the end, for the operator as well."""
    settle(api, namespace, status)
    free = {
        "observedGeneration": 7,
        "deliveries": [{"name": "billing", "state": "Delivered", "attempts": 2}],
        "conditions": [*status["conditions"][:2], condition("Retained", "True", LATER)],
        "effective": {"retention": {"job": "1h"}},
        "cancellation": {"requestTime": LATER, "source": "Spec"},
    }
    patch = [{"op": "add", "path": f"/status/{field}", "value": value} for field, value in free.items()]

    answer = json_patch(accounts[who], namespace, patch)["status"]

    assert {field: answer[field] for field in free} == free
    assert answer["promise"] == status["promise"]
