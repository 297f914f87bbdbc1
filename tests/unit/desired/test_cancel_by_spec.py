"""spec.cancel, asked for in every state of an operation."""

import pytest

from alo_operator.api.conditions import ConditionType, Reason
from alo_operator.api.phases import Phase
from alo_operator.desired.observed import Notes, Refusal
from alo_operator.desired.plan import plan
from alo_operator.desired.steps import DeleteJob, Look, Plan, PostEvent, RemoveFinalizer, WatchPods, WriteStatus
from tests.support.builders import at, make_job, make_observed, make_operation, make_pod
from tests.support.plans import condition, kinds, states, written

WITHDRAWN = {"reason": "withdrawn"}
FULL = Notes(refusal=Refusal(Reason.QUOTA_EXCEEDED, "exceeded quota", retry_at=at(99)), finalizer_added=True)


def asked(operation=None):
    return (operation or make_operation()).spec(cancel=WITHDRAWN).generation(2)


@pytest.mark.promise("CANCEL-2")
@pytest.mark.parametrize(
    ("operation", "known", "steps"),
    [
        (asked(), {}, [WriteStatus, PostEvent]),
        (asked().spec(suspend=True), {}, [WriteStatus, PostEvent]),
        (
            asked(make_operation().with_finalizer()),
            {"notes": FULL, "job_gone": True},
            [WriteStatus, PostEvent, RemoveFinalizer],
        ),
    ],
    ids=["before the Job", "paused before the start", "waiting for quota"],
)
def test_work_that_has_no_job_is_cancelled_at_once_and_gets_none(operation, known, steps):
    """The whole story is in the one write: who asked, why, when."""
    decided = plan(make_observed(operation, **known), at(5))

    assert kinds(decided) == steps
    status = written(decided)
    assert (status.phase, status.failure.message) == (Phase.CANCELLED, "cancelled: withdrawn")
    told = status.cancellation
    assert (told.source, told.reason, told.request_time, told.settle_time) == ("Spec", "withdrawn", at(5), at(5))
    assert told.deliver_time is None
    assert states(status)["CancelRequested"] == "True/Spec"


def test_whether_a_job_was_made_is_asked_first():
    """A finalizer of an earlier process may mean that there is one."""
    assert plan(make_observed(asked(make_operation().with_finalizer())), at(5)) == Plan(look=Look.JOB)


@pytest.mark.parametrize(
    ("operation", "job", "steps"),
    [
        (asked(make_operation().with_finalizer()), make_job(), [WriteStatus, DeleteJob]),
        (asked(make_operation().started(at(1))), make_job().ready(), [WriteStatus, WatchPods, DeleteJob]),
        (
            asked(make_operation().started(at(1)).status(phase="Paused")).spec(suspend=True),
            make_job().suspended(),
            [WriteStatus, DeleteJob],
        ),
    ],
    ids=["starting", "running", "paused"],
)
def test_work_that_has_a_job_is_told_after_the_request_is_recorded(operation, job, steps):
    """Work that has started is listened to; a paused Job has nobody left to say anything."""
    decided = plan(make_observed(operation, job), at(5))

    assert kinds(decided) == steps
    assert (written(decided).phase, written(decided).cancellation.source) == (Phase.CANCELLING, "Spec")
    assert written(decided).observed_generation == 2


@pytest.mark.promise("CANCEL-6")
def test_a_cancellation_outlasts_its_field():
    """Once recorded it stands, when spec.cancel is taken out again and the work is resumed."""
    operation = asked(make_operation().started(at(1)))
    operation.having(written(plan(make_observed(operation, make_job().ready()), at(5))))
    operation.spec(cancel=None, suspend=False).generation(3)

    decided = plan(make_observed(operation, make_job().ready()), at(6))
    settled = written(plan(make_observed(operation, make_job().deleting(at(6)), [], job_gone=True), at(9)))

    assert kinds(decided) == [WatchPods, DeleteJob]
    assert (settled.phase, settled.cancellation.reason) == (Phase.CANCELLED, "withdrawn")


def test_an_empty_request_is_one_too():
    """The field's presence is the request; the reason then names the field."""
    status = written(plan(make_observed(make_operation().spec(cancel={})), at(5)))

    assert (status.phase, status.cancellation.reason) == (Phase.CANCELLED, "spec.cancel")


def test_a_request_that_comes_with_the_end_is_recorded_in_vain():
    """The Job was complete before anybody told it: a success, and the request beside it."""
    operation = asked(make_operation().started(at(1)))

    status = written(plan(make_observed(operation, make_job().completed(at(4)), [make_pod().succeeded("1")]), at(5)))

    assert (status.phase, status.result.value) == (Phase.SUCCEEDED, 1)
    told = status.cancellation
    assert (told.reason, told.deliver_time, told.settle_time) == ("withdrawn", None, at(5))


@pytest.mark.promise("CANCEL-7")
def test_a_request_after_the_end_costs_one_write_and_changes_nothing():
    """It is recorded, the answer stands, and asking twice is like asking once."""
    operation = make_operation().started(at(1))
    operation.having(
        written(plan(make_observed(operation, make_job().completed(at(4)), [make_pod().succeeded()]), at(5)))
    )
    operation._body["metadata"].pop("finalizers", None)
    before = operation.view().status

    decided = plan(make_observed(asked(operation)), at(60))

    assert kinds(decided) == [WriteStatus]
    after = written(decided)
    assert (after.phase, after.completion_time, after.result) == (before.phase, before.completion_time, before.result)
    assert (after.cancellation.request_time, after.cancellation.settle_time) == (at(60), at(60))
    assert "had ended before" in condition(after, ConditionType.CANCEL_REQUESTED).message
    again = operation.having(after).spec(cancel={"reason": "really"}).generation(3)
    assert written(plan(make_observed(again), at(70))).cancellation == after.cancellation
    again.having(written(plan(make_observed(again), at(70))))
    assert plan(make_observed(again, job_gone=True), at(80)) == Plan()


@pytest.mark.promise("CANCEL-6")
def test_a_deletion_after_a_request_keeps_who_asked_first():
    """The record says Spec, though the object is going."""
    operation = asked(make_operation().started(at(1)))
    operation.having(written(plan(make_observed(operation, make_job().ready()), at(5)))).deleting(at(6)).generation(3)

    status = written(plan(make_observed(operation, make_job().deleting(at(6)), [], job_gone=True), at(9)))

    assert status.cancellation.source == "Spec"
