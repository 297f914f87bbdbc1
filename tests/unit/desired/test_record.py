"""What is written into status: conditions, the kstatus mirror, and the patch that writes it."""

import copy
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alo_operator.api.conditions import CancelSource, FailureType, Reason
from alo_operator.api.model import to_wire
from alo_operator.api.phases import Phase
from alo_operator.api.status import Condition, OperationStatus, Progress, Result
from alo_operator.desired import record
from alo_operator.desired.outcome import Outcome, rejected
from alo_operator.desired.progress import counted
from alo_operator.desired.status_patch import status_patch
from alo_operator.desired.waiting import Waiting
from tests.support.builders import at, make_job, make_operation
from tests.support.plans import condition, states

FRESH = make_operation().view()
JOB = make_job().ready().view()
DONE = Outcome(Phase.SUCCEEDED, Reason.SUCCEEDED, "done", started=at(1))
BROKEN = rejected(Reason.NON_ZERO_EXIT, "broken", FailureType.WORKER)
MIRROR = ("Ready", "Reconciling", "Stalled")


def turns(operation):
    """Every status an operation can be given, by the name of the turn."""
    waiting = Waiting(Reason.UNSCHEDULABLE, "no node")
    return {
        "refused": record.refused(operation, "not built yet", at(2)),
        "waiting": record.waiting(operation, JOB, waiting, at(2)),
        "running": record.running(operation, JOB, at(1), at(2)),
        "cancelling": record.cancelling(operation, JOB, CancelSource.DELETION, "deleted", at(2)),
        "succeeded": record.settled(operation, JOB, DONE, at(2)),
        "failed": record.settled(operation, JOB, BROKEN, at(2)),
    }


@pytest.mark.promise("READY-1")
@pytest.mark.parametrize(
    ("turn", "mirror"),
    [
        ("refused", {"Ready": "False/NotSupported", "Stalled": "True/NotSupported"}),
        ("waiting", {"Ready": "Unknown/Unschedulable", "Reconciling": "True/Unschedulable"}),
        ("running", {"Ready": "Unknown/Running", "Reconciling": "True/Running"}),
        ("cancelling", {"Ready": "Unknown/Cancelling", "Reconciling": "True/Cancelling"}),
        ("succeeded", {"Ready": "True/Succeeded"}),
        ("failed", {"Ready": "False/NonZeroExit", "Stalled": "True/NonZeroExit"}),
    ],
)
@pytest.mark.parametrize("before", [None, "refused", "waiting", "running", "cancelling"])
def test_gitops_tools_read_each_turn_right_whatever_came_before(turn, mirror, before):
    """kstatus: Reconciling while at work, Stalled when stuck for good, Ready at the good end; never two at once."""
    operation = FRESH if before is None else replace(FRESH, status=turns(FRESH)[before])

    found = states(turns(operation)[turn])

    assert {kind: found[kind] for kind in MIRROR if kind in found} == mirror


@pytest.mark.promise("STATUS-3", "STATUS-4")
@pytest.mark.parametrize("turn", ["waiting", "running", "cancelling"])
def test_until_the_end_completed_is_false_and_succeeded_unknown(turn):
    """So that kubectl wait --for=condition=Completed waits, and nobody takes an open promise for a failure."""
    found = states(turns(FRESH)[turn])

    assert found["Completed"].startswith("False/")
    assert found["Succeeded"].startswith("Unknown/")


def test_a_transition_time_moves_only_with_the_conditions_status():
    """A new reason or message is no transition."""
    first = record.waiting(FRESH, JOB, Waiting(Reason.NO_POD, "no pod"), at(10))
    operation = replace(FRESH, status=first)

    same = record.waiting(operation, JOB, Waiting(Reason.UNSCHEDULABLE, "no node"), at(30))
    started = record.running(operation, JOB, at(40), at(41))

    assert condition(same, "Started").last_transition_time == at(10)
    assert condition(same, "Started").reason == Reason.UNSCHEDULABLE
    assert condition(started, "Started").last_transition_time == at(41)
    assert condition(started, "Accepted").last_transition_time == at(10)


def test_conditions_stand_in_one_order_and_once_each():
    """However a status came about, its conditions read from Accepted to Stalled."""
    operation = FRESH
    for turn in ("failed", "running", "refused", "cancelling"):
        operation = replace(operation, status=turns(operation)[turn])

    found = [entry.type for entry in operation.status.conditions]

    order = ["Accepted", "Started", "CancelRequested", "Completed", "Succeeded", "Ready", "Reconciling", "Stalled"]
    assert found == [kind for kind in order if kind in found]
    assert len(found) == len(set(found))


def test_a_condition_of_somebody_else_stays():
    """Another controller may keep a condition of its own in the list."""
    other = Condition(type="Other", status="True", last_transition_time=at(0), reason="X")
    operation = replace(FRESH, status=FRESH.status.model_copy(update={"conditions": (other,)}))

    assert all(other in status.conditions for status in turns(operation).values())


def test_every_turn_says_which_generation_it_saw_and_of_which_spec():
    """observedGeneration and the digest come with each write, the digest once and for all."""
    operation = replace(FRESH, generation=3)
    digests = {status.spec_digest for status in turns(operation).values()}

    assert {status.observed_generation for status in turns(operation).values()} == {3}
    assert len(digests) == 1
    slim = replace(operation, status=turns(operation)["waiting"]).slim()
    assert record.running(slim, JOB, at(1), at(2)).spec_digest in digests


def test_the_start_that_was_seen_stands():
    """The pod's own time of start comes only with the end, and must not move what status has said."""
    operation = replace(FRESH, status=record.running(FRESH, JOB, at(3), at(4)))

    assert record.settled(operation, JOB, DONE, at(9)).start_time == at(3)


def test_a_worker_s_progress_is_kept_at_the_end():
    """Of a single completion the Job's counters say nothing better."""
    progress = Progress(percent=80, summary="80%")
    operation = replace(FRESH, status=FRESH.status.model_copy(update={"progress": progress}))

    assert record.settled(operation, JOB, DONE, at(9)).progress == progress


def test_more_successes_than_completions_are_a_hundred_percent():
    """What the Job counts is shown as it is, within what the schema allows."""
    job = make_job().completions(2, done=3).view()

    progress = counted(FRESH.status.progress, job, at(1))

    assert (progress.percent, progress.summary) == (100, "3/2")


def test_no_message_outgrows_its_field():
    """Whatever a sentence is made of, the API server takes it."""
    long = "x" * 9000
    statuses = [
        record.refused(FRESH, long, at(2)),
        record.waiting(FRESH, JOB, Waiting(Reason.PENDING, long), at(2)),
        record.cancelling(FRESH, JOB, CancelSource.SPEC, long, at(2)),
        record.settled(FRESH, JOB, rejected(Reason.INVALID_JOB, long, FailureType.REQUEST), at(2)),
    ]

    for status in statuses:
        assert OperationStatus.model_validate(to_wire(status)) == status


@pytest.mark.parametrize("before", ["fresh", "waiting", "running", "cancelling"])
@pytest.mark.parametrize("after", ["refused", "waiting", "running", "cancelling", "succeeded", "failed"])
def test_the_patch_turns_the_one_status_into_the_other(before, after):
    """Applied by the book, it leaves exactly what was decided."""
    operation = FRESH if before == "fresh" else replace(FRESH, status=turns(FRESH)[before])
    wanted = turns(operation)[after]

    assert applied(operation.status, status_patch(operation.status, wanted)) == to_wire(wanted)


def test_the_patch_touches_only_what_differs():
    """What another writer keeps in status is not written back."""
    new = FRESH.status.model_copy(update={"observed_generation": 1})

    assert status_patch(FRESH.status, new) == [{"op": "add", "path": "/status/observedGeneration", "value": 1}]
    assert status_patch(new, new) == []


def test_a_field_that_goes_is_removed():
    """Not set to null, which the schema would refuse."""
    old = FRESH.status.model_copy(update={"progress": Progress(percent=1)})

    assert status_patch(old, FRESH.status) == [{"op": "remove", "path": "/status/progress"}]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_the_patch_keeps_every_null_of_a_result(value):
    """A merge patch would take nulls out of the worker's value; this one hands it over whole."""
    new = FRESH.status.model_copy(update={"result": Result(value=value, bytes=1)})

    (change,) = status_patch(FRESH.status, new)

    assert change["path"] == "/status/result"
    assert change["value"].get("value") == value


def applied(status, patch):
    """The status after the JSON Patch operations."""
    found = copy.deepcopy(to_wire(status))
    for operation in patch:
        _, root, key = operation["path"].split("/")
        assert root == "status"
        if operation["op"] == "remove":
            del found[key]
        else:
            assert operation["op"] == "add"
            found[key] = operation["value"]
    return found


@pytest.mark.promise("STATUS-9")
@pytest.mark.parametrize("outcome", [DONE, BROKEN])
def test_a_finished_record_is_compact(outcome):
    """Whatever it went through: no condition and no report is left that was of use only on the way."""
    operation = make_operation().having(record.paused(FRESH, JOB, at(1)))
    operation.having(record.resumed(operation.view(), JOB, at(2)))
    operation.having(record.running(operation.view(), JOB, at(3), at(4)))
    operation.status(reported={"attempt": "a", "value": "x" * 4000, "bytes": 4000})

    status = record.settled(operation.view(), JOB, outcome, at(5))

    assert {"Suspended", "Reconciling", "Retained"}.isdisjoint(states(status))
    assert status.reported is None
    assert len(json.dumps(to_wire(status))) < 2048
