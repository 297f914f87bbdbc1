"""What happens to an operation that has no Job yet."""

import pytest

from alo_operator.api.conditions import ConditionType, Reason
from alo_operator.api.phases import Phase, Promise
from alo_operator.desired.job import build_job
from alo_operator.desired.observed import Notes, Observed, OperationView, Refusal
from alo_operator.desired.plan import plan
from alo_operator.desired.steps import (
    AddFinalizer,
    CreateJob,
    Look,
    Plan,
    PostEvent,
    RemoveFinalizer,
    WriteStatus,
)
from tests.support.builders import CALLBACKS, NOON, at, make_job, make_observed, make_operation
from tests.support.plans import condition, kinds, only, states, written

UNREADABLE = {"timeouts": {"scheduleToStart": "soon"}}  # as a newer CRD might allow it


def test_a_fresh_operation_gets_its_finalizer_before_its_job():
    """Deletion has to wait for us before there is anything to wait for; no status is written yet."""
    observed = make_observed()

    decided = plan(observed, at(0))

    assert decided == Plan((AddFinalizer(), CreateJob(build_job(observed.operation))))


def test_a_start_deadline_wakes_the_operation_that_has_one():
    """Only time can end the wait for a start, so the plan says when."""
    decided = plan(make_observed(make_operation().to_start_within("10m")), at(0))

    assert decided.wake == at(600)


def test_a_job_that_an_earlier_process_may_have_made_is_looked_for_first():
    """A finalizer that this process did not set means that there may be a Job already."""
    assert plan(make_observed(make_operation().with_finalizer()), at(0)) == Plan(look=Look.JOB)


@pytest.mark.parametrize("notes", [Notes(finalizer_added=True), Notes()])
def test_no_second_finalizer_is_set(notes):
    """Once the finalizer is ours, or the API server has said that there is no Job, only the Job is missing."""
    gone = not notes.finalizer_added

    decided = plan(make_observed(make_operation().with_finalizer(), notes=notes, job_gone=gone), at(0))

    assert kinds(decided) == [CreateJob]


def test_an_operation_deleted_before_anything_was_done_needs_nothing():
    """Without our finalizer there is no work of ours, and nobody left to tell."""
    assert plan(make_observed(make_operation().deleting(at(1))), at(1)) == Plan()


def test_a_refusal_by_us_is_written_once():
    """What status says already is not said again."""
    operation = make_operation().spec(**UNREADABLE)
    operation.having(written(plan(make_observed(operation), at(0))))

    assert plan(make_observed(operation), at(60)) == Plan(in_line=False)


def test_a_refused_operation_that_is_corrected_starts():
    """Refusing puts nothing in the way of a later spec that can be run."""
    operation = make_operation().spec(**UNREADABLE)
    operation.having(written(plan(make_observed(operation), at(0)))).spec(timeouts=None).generation(2)

    assert kinds(plan(make_observed(operation), at(60))) == [AddFinalizer, CreateJob]


@pytest.mark.promise("STATUS-7")
def test_a_spec_this_version_cannot_read_is_refused_with_the_place():
    """A field of a wrong type is named, and nothing is run."""
    decided = plan(make_observed(make_operation().spec(**UNREADABLE)), at(0))

    assert kinds(decided) == [WriteStatus]
    accepted = condition(written(decided), ConditionType.ACCEPTED)
    assert (accepted.status, accepted.reason) == ("False", Reason.NOT_SUPPORTED)
    assert "timeouts.scheduleToStart" in accepted.message
    assert written(decided).promise is Promise.PENDING


@pytest.mark.parametrize("before", [{"suspend": True}, {"job": None, "templateRef": {"name": "absent"}}, {}])
def test_whoever_is_to_be_told_has_the_finalizer_from_the_first(before):
    """Work that waits, for whatever reason, can be deleted at any time; its callbacks are told of that."""
    decided = plan(make_observed(make_operation().spec(callbacks=CALLBACKS, **before)), at(0))

    assert decided == Plan((AddFinalizer(),))


def test_a_job_that_can_never_be_made_rejects_the_operation():
    """What build_job refuses is the request's own fault, in build_job's own words."""
    decided = plan(make_observed(make_operation().job_spec(selector={})), at(0))

    assert kinds(decided) == [WriteStatus, PostEvent]
    status = written(decided)
    assert (status.phase, status.promise) == (Phase.FAILED, Promise.REJECTED)
    assert (status.failure.type, status.failure.reason) == ("InvalidRequest", Reason.INVALID_JOB)
    assert "spec.job.spec.selector" in status.failure.message
    assert status.start_time is None
    assert states(status)["Started"] == "False/InvalidJob"
    assert only(decided, PostEvent) == PostEvent(warning=True, reason="InvalidJob", message=status.failure.message)


def test_an_input_too_large_rejects_the_operation():
    """The input goes into an annotation and must fit there."""
    status = written(plan(make_observed(make_operation().spec(input={"data": "x" * 65536})), at(0)))

    assert (status.promise, status.failure.reason) == (Promise.REJECTED, Reason.INPUT_TOO_LARGE)


def test_what_the_api_server_refuses_for_good_rejects_in_its_own_words():
    """A refusal that is never tried again settles, and deletion may go on."""
    refusal = Refusal(Reason.INVALID_JOB, 'unknown field "spec.paralelism"')

    decided = plan(make_observed(make_operation().with_finalizer(), notes=Notes(refusal=refusal), job_gone=True), at(1))

    assert kinds(decided) == [WriteStatus, PostEvent, RemoveFinalizer]
    assert written(decided).failure.message == 'unknown field "spec.paralelism"'


def test_what_the_api_server_refuses_for_now_is_said_and_tried_again():
    """A full quota is waited out: the reason is in Started, and the plan wakes for the next try."""
    refusal = Refusal(Reason.QUOTA_EXCEEDED, "exceeded quota: jobs", retry_at=at(4))
    observed = make_observed(make_operation().with_finalizer(), notes=Notes(refusal=refusal), job_gone=True)

    decided = plan(observed, at(2))

    assert kinds(decided) == [WriteStatus]
    assert states(written(decided))["Started"] == "False/QuotaExceeded"
    assert decided.wake == at(4)


def test_a_refusal_for_now_is_written_once_and_then_tried_again():
    """While it waits nothing is written; at the time set the Job is posted anew."""
    refusal = Refusal(Reason.QUOTA_EXCEEDED, "exceeded quota: jobs", retry_at=at(4))
    operation = make_operation().with_finalizer()
    notes = Notes(refusal=refusal)
    operation.having(written(plan(make_observed(operation, notes=notes, job_gone=True), at(2))))

    waits = plan(make_observed(operation, notes=notes, job_gone=True), at(3))
    tries = plan(make_observed(operation, notes=notes, job_gone=True), at(4))

    assert waits == Plan(wake=at(4))
    assert kinds(tries) == [CreateJob]


def test_the_start_deadline_ends_the_wait_for_a_quota():
    """A start deadline before the next try is when to wake, and at that moment the operation times out."""
    refusal = Refusal(Reason.QUOTA_EXCEEDED, "exceeded quota: jobs", retry_at=at(30))
    operation = make_operation().with_finalizer().to_start_within("10s")
    notes = Notes(refusal=refusal)

    before = plan(make_observed(operation, notes=notes, job_gone=True), at(2))
    operation.having(written(before))
    after = plan(make_observed(operation, notes=notes, job_gone=True), at(10))

    assert before.wake == at(10)
    assert written(after).phase is Phase.TIMED_OUT
    assert "exceeded quota: jobs" in written(after).failure.message


@pytest.mark.promise("ID-7")
def test_a_job_of_somebody_else_is_left_alone_and_rejects():
    """Of our name but not ours: no word of its status is believed, and nothing is deleted."""
    job = make_job().of_somebody_else().completed(at(5))

    decided = plan(make_observed(make_operation().with_finalizer(), job), at(6))

    assert kinds(decided) == [WriteStatus, PostEvent, RemoveFinalizer]
    status = written(decided)
    assert status.failure.reason == Reason.JOB_NAME_CONFLICT
    assert status.job is None
    assert status.attempts is None


def test_an_orphaned_job_is_still_ours_by_its_label():
    """After --cascade=orphan only the label names the operation, and the work goes on being followed."""
    job = make_job().orphaned().ready()

    decided = plan(make_observed(make_operation().with_finalizer(), job, notes=Notes(started_seen=NOON)), at(5))

    assert written(decided).phase is Phase.RUNNING


def test_a_doubtful_job_is_asked_after_before_anything_is_decided():
    """A watch's word that a Job is gone is no proof."""
    observed = make_observed(make_operation().running(at(1)), make_job().ready(), job_doubtful=True)

    assert plan(observed, at(5)) == Plan(look=Look.JOB)


def test_an_operation_whose_status_cannot_be_read_is_left_alone():
    """After a rollback a newer version's words stand there; the work may have ended, so nothing is begun or written."""
    body = make_operation().body() | {"status": {"observedGeneration": 1, "promise": "Halfway", "phase": "Pending"}}

    observed = Observed(OperationView.from_body(body))

    assert not observed.operation.readable
    assert plan(observed, at(5)) == Plan()
