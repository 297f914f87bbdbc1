"""The ladder of a cancellation: requested, delivered, settled, whoever asks."""

import pytest

from alo_operator.api.conditions import ConditionType, Reason
from alo_operator.api.phases import Phase, Promise
from alo_operator.desired.observed import Notes
from alo_operator.desired.plan import plan
from alo_operator.desired.steps import DeleteJob, Look, Plan, PostEvent, RemoveFinalizer, WatchPods, WriteStatus
from tests.support.builders import JOB_UID, at, make_job, make_observed, make_operation, make_pod
from tests.support.plans import condition, kinds, only, states, written


def deleted(**started):
    """An operation whose work runs and that is deleted 20 seconds after its creation."""
    return make_operation().running(at(1)).status(**started).deleting(at(20)).generation(2)


def recorded():
    return make_operation().running(at(1)).cancelling(at(20)).deleting(at(20))


# Work that had started is listened to while it is stopped; what that gives is in test_last_words.py.
DEAF = Notes(listening=True, last_words=())


def test_a_deletion_is_recorded_before_the_work_is_told():
    """A crash between the two writes forgets neither who asked nor that somebody did."""
    job = make_job().ready().version(41)

    decided = plan(make_observed(deleted(), job), at(20.5))

    assert kinds(decided) == [WriteStatus, WatchPods, DeleteJob]
    status = written(decided)
    assert (status.phase, status.promise) == (Phase.CANCELLING, Promise.PENDING)
    cancellation = status.cancellation
    assert (cancellation.request_time, cancellation.source) == (at(20), "Deletion")
    assert (cancellation.deliver_time, cancellation.settle_time) == (None, None)
    assert states(status)["CancelRequested"] == "True/Deletion"


def test_a_pod_that_a_pause_is_stopping_is_listened_to():
    """The Job counts it as terminating only; its partial result is as good as any."""
    job = make_job().suspended(terminating=1)

    assert kinds(plan(make_observed(deleted(), job), at(20))) == [WriteStatus, WatchPods, DeleteJob]


def test_the_job_is_deleted_at_the_version_last_seen():
    """Whoever completes the Job first makes this deletion fail, and then the success counts."""
    decided = plan(make_observed(deleted(), make_job().ready().version(41)), at(20))

    assert only(decided, DeleteJob) == DeleteJob(make_job().view().name, JOB_UID, 41)


def test_a_recorded_cancellation_is_only_delivered():
    """After a crash between the two writes the second one alone is left."""
    assert kinds(plan(make_observed(recorded(), make_job().ready(), notes=DEAF), at(21))) == [DeleteJob]


def test_a_cancellation_waits_for_the_grace_period_and_a_minute():
    """Until the Job is gone nothing is due but to wake when its node may be taken for dead."""
    job = make_job().ready().grace(30).deleting(at(21))

    assert plan(make_observed(recorded(), job, notes=DEAF), at(22)) == Plan(wake=at(21 + 30 + 60))


def test_a_cancellation_is_settled_once_job_and_pods_are_gone():
    """One answer with all three times; the reason names who asked."""
    job = make_job().ready().deleting(at(21))

    looks = plan(make_observed(recorded(), job, job_gone=True), at(25))
    decided = plan(make_observed(recorded(), job, [], job_gone=True), at(25))

    assert looks == Plan(look=Look.PODS)
    assert kinds(decided) == [WriteStatus, PostEvent, RemoveFinalizer]
    status = written(decided)
    assert (status.phase, status.promise) == (Phase.CANCELLED, Promise.REJECTED)
    assert (status.failure.type, status.failure.reason) == ("Cancelled", Reason.CANCELLED)
    assert status.failure.message == "cancelled: the operation was deleted"
    times = status.cancellation
    assert (times.request_time, times.deliver_time, times.settle_time) == (at(20), at(21), at(25))
    assert not only(decided, PostEvent).warning


@pytest.mark.parametrize(("now", "next_look"), [(22, 23), (30, 31), (60, 64), (110, 119)])
def test_a_pod_that_is_still_there_is_waited_for(now, next_look):
    """The Job can go before its pods where somebody deleted it in the background; looks become ever rarer."""
    pods = [make_pod().running().deleting(at(51))]

    assert plan(make_observed(recorded(), None, pods, job_gone=True), at(now)) == Plan(wake=at(next_look))


def test_pods_that_nobody_deletes_are_given_up_too():
    """After --cascade=orphan they run on without an owner; a minute past a grace period they are named and left."""
    operation = make_operation().running(at(1))
    pods = [make_pod("stray").running()]
    notes = Notes(job_gone_seen=at(20))

    waits = plan(make_observed(operation, None, pods, notes=notes, job_gone=True), at(109))
    gives_up = plan(make_observed(operation, None, pods, notes=notes, job_gone=True), at(110))

    assert waits.wake > at(109)
    status = written(gives_up)
    assert status.failure.reason == Reason.OUTCOME_UNKNOWN
    assert [cause.name for cause in status.failure.causes] == ["stray"]


@pytest.mark.promise("CANCEL-8")
def test_a_pod_on_a_dead_node_is_given_up_and_named():
    """A minute past its grace period the promise is settled, saying that the work may still run."""
    job = make_job().ready().grace(30).deleting(at(21))
    pods = [make_pod("lost").running().deleting(at(51))]

    looks = plan(make_observed(recorded(), job, notes=DEAF), at(111))
    decided = plan(make_observed(recorded(), job, pods, notes=DEAF), at(111))

    assert looks == Plan(look=Look.PODS)
    status = written(decided)
    assert status.phase is Phase.CANCELLED
    (cause,) = status.failure.causes
    assert (cause.kind, cause.name, cause.reason) == ("Pod", "lost", Reason.POD_ABANDONED)
    assert "may be gone" in condition(status, ConditionType.SUCCEEDED).message


def test_a_pod_that_ignores_its_end_is_waited_for_until_then():
    """Past the Job's own patience a pod with a later deadline of its own still has its minute."""
    job = make_job().ready().deleting(at(21))
    pods = [make_pod().running().deleting(at(90))]

    decided = plan(make_observed(recorded(), job, pods, notes=DEAF), at(112))

    assert decided.steps == ()
    assert at(112) < decided.wake <= at(150)


def test_finished_pods_do_not_hold_a_cancellation_up():
    """A pod that has ended and is not being deleted holds nothing that runs."""
    job = make_job().ready().deleting(at(21))

    decided = plan(make_observed(recorded(), job, [make_pod().failed(143)], job_gone=True), at(25))

    assert written(decided).phase is Phase.CANCELLED


@pytest.mark.promise("CANCEL-5")
def test_a_job_that_completed_before_it_was_told_counts_as_completed():
    """The cancellation was asked for and came too late; it stays on record beside the success."""
    job = make_job().completed(at(20))

    status = written(plan(make_observed(recorded(), job, [make_pod().succeeded("1")]), at(21)))

    assert (status.phase, status.result.value) == (Phase.SUCCEEDED, 1)
    assert status.cancellation.settle_time == at(21)
    assert status.cancellation.deliver_time is None


def test_a_job_that_failed_before_it_was_told_counts_as_failed():
    """The real reason is worth more than 'cancelled'."""
    job = make_job().failed(at(20))

    assert written(plan(make_observed(recorded(), job, [make_pod().failed(2)]), at(21))).phase is Phase.FAILED


@pytest.mark.promise("CANCEL-5")
@pytest.mark.parametrize("job", [make_job().completed(at(22)), make_job().failed(at(22))], ids=["Complete", "Failed"])
def test_an_end_after_the_delivery_is_still_a_cancellation(job):
    """An exit 0 after SIGTERM is not the answer that was asked for."""
    job.deleting(at(21))

    decided = plan(make_observed(recorded(), job, [], job_gone=True), at(25))

    assert written(decided).phase is Phase.CANCELLED


def test_an_end_before_the_deletion_counts_while_the_job_is_being_deleted():
    """A Complete Job that somebody deletes has completed."""
    job = make_job().completed(at(20)).deleting(at(21))

    assert written(plan(make_observed(recorded(), job, [make_pod().succeeded("1")]), at(22))).phase is Phase.SUCCEEDED


def test_a_deletion_before_any_job_settles_at_once_and_makes_none():
    """Whoever set the finalizer knows that there is no Job, so there is nothing to wait for."""
    operation = make_operation().with_finalizer().deleting(at(3))

    decided = plan(make_observed(operation, notes=Notes(finalizer_added=True), job_gone=True), at(3))

    assert kinds(decided) == [WriteStatus, PostEvent, RemoveFinalizer]
    assert written(decided).phase is Phase.CANCELLED
    assert states(written(decided))["Started"] == "False/Cancelled"


def test_a_deletion_met_by_a_new_process_asks_after_job_and_pods():
    """The Job an earlier process made may be gone by hand while its pods still run; only then it is settled."""
    operation = make_operation().with_finalizer().deleting(at(3))
    stray = [make_pod().running().deleting(at(33))]

    assert plan(make_observed(operation), at(4)) == Plan(look=Look.JOB)
    assert plan(make_observed(operation, job_gone=True), at(4)) == Plan(look=Look.PODS)
    waits = plan(make_observed(operation, None, stray, job_gone=True), at(4))
    assert kinds(waits) == [WriteStatus]
    assert written(waits).phase is Phase.CANCELLING
    assert written(plan(make_observed(operation, None, [], job_gone=True), at(4))).phase is Phase.CANCELLED


def test_a_job_found_by_a_new_process_is_cancelled():
    """A deletion while no operator ran is carried out by the next one."""
    operation = make_operation().with_finalizer().deleting(at(3))

    assert kinds(plan(make_observed(operation, make_job().ready()), at(30))) == [WriteStatus, WatchPods, DeleteJob]


def test_a_job_deleted_by_somebody_else_during_a_deletion_is_not_deleted_again():
    """Only the record is missing."""
    decided = plan(make_observed(deleted(), make_job().ready().deleting(at(19))), at(21))

    assert kinds(decided) == [WriteStatus, WatchPods]
    assert written(decided).cancellation.source == "Deletion"


def test_work_that_did_not_start_in_time_is_cancelled():
    """The deadline counts from the operation's creation; the Job is deleted, and the phase says so."""
    operation = make_operation().with_finalizer().to_start_within("30s")

    decided = plan(make_observed(operation, make_job(), []), at(30))

    assert kinds(decided) == [WriteStatus, DeleteJob]
    assert written(decided).cancellation.source == "Timeout"


def test_a_timeout_before_the_first_look_looks_why_the_work_does_not_start():
    """A limit shorter than ten seconds leaves the caller with a cause, too, also after a restart."""
    operation = make_operation().with_finalizer().to_start_within("5s")
    stuck = [make_pod().condition("PodScheduled", "False", "Unschedulable", "no node fits")]
    assert plan(make_observed(operation, make_job()), at(5)) == Plan(look=Look.PODS)

    told = written(plan(make_observed(operation, make_job(), stuck), at(5)))
    operation.having(told)
    status = written(plan(make_observed(operation, make_job().deleting(at(5)), [], job_gone=True), at(6)))

    assert states(told)["Started"] == "False/Unschedulable"
    assert "it was waiting: Unschedulable: pod resize-x: no node fits" in status.failure.message
    (cause,) = status.failure.causes
    assert (cause.kind, cause.name, cause.reason) == ("Condition", "Started", "Unschedulable")
    assert cause.message == "pod resize-x: no node fits"


def test_work_that_did_not_start_in_time_ends_as_timed_out():
    """The sentence names the limit and what it was waiting for, also after a restart."""
    operation = make_operation().with_finalizer().to_start_within("30s")
    stuck = [make_pod().waiting("ErrImagePull", "no such image")]
    operation.having(written(plan(make_observed(operation, make_job(), stuck), at(10))))
    operation.having(written(plan(make_observed(operation, make_job()), at(30))))

    status = written(plan(make_observed(operation, make_job().deleting(at(30)), [], job_gone=True), at(31)))

    assert (status.phase, status.promise) == (Phase.TIMED_OUT, Promise.REJECTED)
    assert (status.failure.type, status.failure.retryable) == ("TimedOut", True)
    assert "within 30s (timeouts.scheduleToStart)" in status.failure.message
    assert "ImagePullBackOff" in status.failure.message
    assert "no such image" in status.failure.message


def test_an_operation_that_may_take_no_time_times_out_before_any_job():
    """0 is no time at all; no Job is made."""
    decided = plan(make_observed(make_operation().to_start_within("0")), at(0))

    assert kinds(decided) == [WriteStatus, PostEvent]
    assert written(decided).phase is Phase.TIMED_OUT


@pytest.mark.parametrize(
    ("operation", "job"),
    [
        (make_operation().running(at(1)).to_start_within("30s"), make_job().status(active=1)),
        (make_operation().with_finalizer().to_start_within("30s"), make_job().ready()),
    ],
    ids=["by status", "by the Job"],
)
def test_work_that_has_started_has_met_the_start_deadline(operation, job):
    """Also while no pod is ready just then, and before status says so."""
    decided = plan(make_observed(operation, job, notes=Notes(started_seen=at(29))), at(99))

    assert DeleteJob not in kinds(decided)
    assert all(step.status.phase is Phase.RUNNING for step in decided.steps)


def test_whoever_asked_first_stays_on_record():
    """A deletion after a timeout does not change the answer to Cancelled."""
    operation = make_operation().with_finalizer().to_start_within("30s")
    operation.having(written(plan(make_observed(operation, make_job(), []), at(30)))).deleting(at(31)).generation(2)

    status = written(plan(make_observed(operation, make_job().deleting(at(30)), [], job_gone=True), at(40)))

    assert (status.phase, status.cancellation.source) == (Phase.TIMED_OUT, "Timeout")
    assert status.cancellation.request_time == at(30)


def test_a_request_by_the_spec_gives_the_callers_reason():
    """Once recorded it stands, whatever the spec says by then."""
    operation = make_operation().running(at(1)).cancelling(at(9), "Spec", "withdrawn")

    status = written(plan(make_observed(operation, make_job().deleting(at(9)), [], job_gone=True), at(12)))

    assert status.failure.message == "cancelled: withdrawn"
    assert states(status)["CancelRequested"] == "True/Spec"


def test_a_cancellation_recorded_by_an_unknown_source_can_still_be_carried_out():
    """A newer operator may know more sources; after a rollback its operations still settle."""
    operation = make_operation().running(at(1)).cancelling(at(9), "NewKind", "because")

    status = written(plan(make_observed(operation, make_job().deleting(at(9)), [], job_gone=True), at(12)))

    assert status.phase is Phase.CANCELLED
