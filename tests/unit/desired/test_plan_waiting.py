"""What happens while a Job is there and its work has not started."""

from datetime import timedelta

import pytest

from alo_operator.api.conditions import ConditionType, Reason
from alo_operator.api.phases import Phase
from alo_operator.desired.observed import Notes
from alo_operator.desired.plan import plan
from alo_operator.desired.steps import DeleteJob, Look, Plan, WriteStatus
from alo_operator.desired.waiting import next_look, why_waiting
from tests.support.builders import NOON, at, make_job, make_observed, make_operation, make_pod
from tests.support.plans import condition, kinds, states, written

NOT_PULLED = make_pod().waiting("ErrImagePull", "not found")


def waits(pods=None, operation=None, *, last_look=None, **known):
    notes = Notes(last_look=None if last_look is None else at(last_look))
    return make_observed(operation or make_operation().with_finalizer(), make_job(), pods, notes=notes, **known)


def test_the_first_ten_seconds_cost_nothing():
    """Most work starts sooner, so until then nothing is read or written."""
    assert plan(waits(), at(9.9)) == Plan(wake=at(10))


@pytest.mark.parametrize(
    ("last_look", "due"),
    [(None, 10), (10, 30), (30, 60), (60, 120), (61, 120), (119.5, 120), (120, 180), (3600, 3660)],
)
def test_looks_are_due_after_10_30_and_60_seconds_and_every_minute(last_look, due):
    """The schedule counts from the Job's creation, so a restart does not begin it anew."""
    observed = waits(last_look=last_look)

    assert plan(observed, at(due - 1)).wake == at(due)
    assert plan(observed, at(due)) == Plan(look=Look.REASON)


def test_a_late_look_skips_the_looks_that_were_missed():
    """After a pause of the operator one look is enough."""
    assert next_look(NOON, at(45)) == at(60)
    assert next_look(NOON, NOON - timedelta(seconds=5)) == at(10)


def test_the_reason_of_a_look_is_written_with_the_next_look_due():
    """Status names the reason, the Job and the pod's own words."""
    decided = plan(waits([NOT_PULLED], last_look=10), at(10))

    assert kinds(decided) == [WriteStatus]
    assert decided.wake == at(30)
    status = written(decided)
    assert status.phase is Phase.PENDING
    assert status.job.name == make_job().view().name
    assert states(status) == {
        "Accepted": "True/Accepted",
        "Started": "False/ImagePullBackOff",
        "Completed": "False/ImagePullBackOff",
        "Succeeded": "Unknown/ImagePullBackOff",
        "Ready": "Unknown/ImagePullBackOff",
        "Reconciling": "True/ImagePullBackOff",
    }
    message = condition(status, ConditionType.STARTED).message
    assert message == "pod resize-x: container main: ErrImagePull: not found"


@pytest.mark.promise("START-4")
def test_the_same_reason_is_not_written_again():
    """Another message for the same reason is not worth a write."""
    operation = make_operation().with_finalizer()
    operation.having(written(plan(waits([NOT_PULLED], operation), at(10))))
    backed_off = make_pod().waiting("ImagePullBackOff", "Back-off pulling image")

    assert plan(waits([backed_off], operation, last_look=30), at(30)) == Plan(wake=at(60))


def test_a_changed_reason_is_written_once():
    """Each change of the reason is one write, and the transition times of what stays the same stay."""
    operation = make_operation().with_finalizer()
    operation.having(written(plan(waits([NOT_PULLED], operation), at(10))))

    changed = plan(waits([make_pod().waiting("CreateContainerError")], operation, last_look=30), at(30))

    started = condition(written(changed), ConditionType.STARTED)
    assert started.reason == Reason.CREATE_CONTAINER_ERROR
    assert started.last_transition_time == at(10)
    operation.having(written(changed))
    again = plan(waits([make_pod().waiting("CreateContainerError")], operation, last_look=30), at(30))
    assert again.steps == ()


@pytest.mark.promise("START-4")
@pytest.mark.parametrize(
    ("pods", "reason"),
    [([], "NoPod"), ([make_pod()], "Pending"), ([make_pod().waiting("ContainerCreating")], "ContainerCreating")],
)
def test_a_mere_queue_is_not_worth_a_word_at_first(pods, reason):
    """A busy cluster is made no busier by operations that tell of it."""
    assert plan(waits(pods, last_look=240), at(240)) == Plan(wake=at(300))
    assert states(written(plan(waits(pods, last_look=300), at(300))))["Started"] == f"False/{reason}"


def test_an_image_name_that_can_never_work_is_cancelled_at_once():
    """InvalidImageName cannot heal, so the Job is deleted without waiting for any deadline."""
    observed = waits([make_pod().waiting("InvalidImageName", "invalid reference format")])

    decided = plan(observed, at(10))

    assert kinds(decided) == [WriteStatus, DeleteJob]
    assert written(decided).phase is Phase.CANCELLING
    assert written(decided).cancellation.source == "Failure"


def test_an_image_name_that_can_never_work_ends_as_the_requests_fault():
    """Once the pods are gone the operation has failed for that reason, even after a restart in between."""
    observed = waits([make_pod().waiting("InvalidImageName", "invalid reference format")])
    operation = make_operation().with_finalizer().having(written(plan(observed, at(10))))

    settled = written(plan(make_observed(operation, make_job().deleting(at(10)), [], job_gone=True), at(15)))

    assert settled.phase is Phase.FAILED
    assert (settled.failure.type, settled.failure.reason) == ("InvalidRequest", Reason.INVALID_IMAGE_NAME)
    assert "invalid reference format" in settled.failure.message


def test_a_start_deadline_is_when_to_wake_where_it_is_the_sooner():
    """Before the first look, and between looks."""
    operation = make_operation().with_finalizer().to_start_within("5s")

    assert plan(waits(operation=operation), at(1)).wake == at(5)


@pytest.mark.parametrize(
    ("pod", "reason", "words"),
    [
        (make_pod().waiting("ErrImageNeverPull"), Reason.IMAGE_PULL_BACK_OFF, "ErrImageNeverPull"),
        (make_pod().waiting("CreateContainerConfigError", "secret"), Reason.CREATE_CONTAINER_ERROR, "secret"),
        (make_pod().waiting("CrashLoopBackOff"), Reason.CRASH_LOOP_BACK_OFF, "CrashLoopBackOff"),
        (make_pod().waiting("SomethingNew"), Reason.PENDING, "SomethingNew"),
        (make_pod(), Reason.PENDING, "being started"),
        (
            make_pod().condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available"),
            Reason.UNSCHEDULABLE,
            "0/3 nodes are available",
        ),
        (
            make_pod().running().condition("ContainersReady", "False", "ContainersNotReady", "containers not ready"),
            Reason.NOT_READY,
            "containers not ready",
        ),
    ],
)
def test_a_pods_trouble_has_one_word(pod, reason, words):
    """The kubelet's many words come down to ours, and its sentence is kept."""
    found = why_waiting((pod.view(),), None)

    assert found.reason is reason
    assert words in found.message


def test_the_newest_pod_with_a_reason_speaks():
    """An older pod's trouble may be over."""
    old = make_pod("old").created(at(0)).waiting("ErrImagePull")
    new = make_pod("new").created(at(9)).waiting("CreateContainerError")

    assert why_waiting((old.view(), new.view()), None).reason is Reason.CREATE_CONTAINER_ERROR


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ('pods "x" is forbidden: exceeded quota: few', Reason.QUOTA_EXCEEDED),
        ("violates PodSecurity", Reason.FAILED_CREATE),
        (None, Reason.NO_POD),
    ],
)
def test_without_a_pod_the_jobs_events_speak(event, reason):
    """The Job controller tells only in Events why it could not create a pod."""
    assert why_waiting((), event).reason is reason


def test_an_endless_sentence_is_clipped():
    """A message from a registry or a webhook has no bound of its own."""
    assert len(why_waiting((make_pod().waiting("ErrImagePull", "x" * 9000).view(),), None).message) == 1024
