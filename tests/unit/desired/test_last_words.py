"""What work says while it is being stopped: a partial result only where it ended well, and how it ended in any case."""

import pytest

from alo_operator.api.phases import Phase
from alo_operator.desired.observed import Notes
from alo_operator.desired.outcome import CUT_MARGIN, MESSAGE_BYTES
from alo_operator.desired.plan import plan
from alo_operator.desired.steps import DeleteJob, Look, Plan, WatchPods, WriteStatus
from tests.support.builders import at, make_job, make_observed, make_operation, make_pod
from tests.support.plans import kinds, written

WHOLE = MESSAGE_BYTES - CUT_MARGIN - 1


def cancelling():
    return make_operation().running(at(1)).cancelling(at(20), "Spec", "withdrawn")


def settled(*pods, job=None, operation=None):
    """The status of cancelled work whose pods were heard to end like this."""
    notes = Notes(listening=True, last_words=tuple(pod.view() for pod in pods))
    gone = (job or make_job()).deleting(at(21))
    return written(plan(make_observed(operation or cancelling(), gone, [], job_gone=True, notes=notes), at(25)))


def stopped(code=0, message="", name="resize-x", finished=at(22)):
    """A pod that was being deleted when its worker ended."""
    reason = "Completed" if code == 0 else "Error"
    return (
        make_pod(name).running().status(containerStatuses=[]).exited("main", code, reason, message, finished=finished)
    )


@pytest.mark.promise("CANCEL-4")
def test_a_worker_that_ended_well_leaves_its_result_as_partial():
    """Cancelled all the same: it was told to stop before it was done."""
    status = settled(stopped(0, '{"done": 3}'))

    assert (status.phase, status.result.value, status.result.partial) == (Phase.CANCELLED, {"done": 3}, True)
    last = status.attempts.last
    assert (status.attempts.count, last.pod, last.exit_code) == (1, "resize-x", 0)


@pytest.mark.promise("CANCEL-4")
@pytest.mark.parametrize(
    "pod",
    [
        stopped(143, "progress: 40%"),
        stopped(1, '{"done": 3}'),
        stopped(137),
        stopped(0, ""),
        stopped(0, "x" * (WHOLE + 1)),
    ],
    ids=["log tail", "JSON of a failure", "killed", "nothing said", "perhaps cut"],
)
def test_no_result_is_made_of_other_last_words(pod):
    """A log tail looks like a result, and half a value is none; how it ended is on record."""
    status = settled(pod)

    assert (status.phase, status.result) == (Phase.CANCELLED, None)
    assert status.attempts.last.exit_code == pod.view().worker.end.exit_code


def test_the_longest_whole_result_is_kept():
    """One byte below what may have been cut."""
    assert settled(stopped(0, "x" * WHOLE)).result.bytes == WHOLE


def test_of_several_attempts_the_last_one_counts():
    """The pods of earlier attempts go with the Job too, and are heard again."""
    earlier = make_pod("earlier").failed(3, message="no disk", finished=at(10))

    status = settled(earlier, stopped(0, "1"), job=make_job().status(failed=1))

    assert (status.attempts.count, status.attempts.last.pod, status.result.value) == (2, "resize-x", 1)


def test_of_an_indexed_job_only_index_0_gives_a_value():
    """As it is at a good end."""
    indexed = {"completions": 3, "completionMode": "Indexed"}
    zero, two = stopped(0, '"zero"', "zero").index(0), stopped(0, '"two"', "two", finished=at(23)).index(2)

    assert settled(two, job=make_job().spec(**indexed)).result is None
    assert settled(zero, two, job=make_job().spec(**indexed)).result.value == "zero"


def test_many_completions_give_no_partial_value():
    """There is no one result of theirs."""
    assert settled(stopped(0, "1"), job=make_job().completions(4)).result is None


def test_a_timeout_keeps_the_partial_result_too():
    """The ladder is the same."""
    operation = make_operation().running(at(1)).cancelling(at(20), "Timeout", "StartToCloseTimeout")

    status = settled(stopped(0, "7"), operation=operation)

    assert (status.phase, status.result.value, status.result.partial) == (Phase.TIMED_OUT, 7, True)


def test_work_cancelled_before_it_was_seen_running_has_a_start():
    """The pod knows when it began, though status never said so."""
    operation = make_operation().cancelling(at(20), "Spec", "withdrawn")

    assert settled(stopped(0, "1"), operation=operation).start_time == at(0)


def test_work_that_runs_is_listened_to_before_it_is_told():
    """What is said between the two would be lost the other way round."""
    job = make_job().ready()

    assert kinds(plan(make_observed(cancelling(), job), at(21))) == [WatchPods, DeleteJob]
    assert kinds(plan(make_observed(cancelling(), job, notes=Notes(listening=True)), at(21))) == [DeleteJob]


def test_a_pod_that_may_only_be_starting_is_listened_to():
    """The Job shows it as ready a moment after its worker has begun; a Job without pods has nobody to listen to."""
    assert kinds(plan(make_observed(cancelling(), make_job().status(active=1)), at(21))) == [WatchPods, DeleteJob]
    assert kinds(plan(make_observed(cancelling(), make_job()), at(21))) == [DeleteJob]


def test_a_new_process_listens_to_what_is_still_being_stopped():
    """The old one's ears died with it."""
    assert kinds(plan(make_observed(cancelling(), make_job().ready().deleting(at(21))), at(22))) == [WatchPods]


def test_the_answer_waits_for_the_listener():
    """It hears of the end a moment after the Job is gone."""
    job, listening = make_job().deleting(at(21)), Notes(listening=True)

    looks = plan(make_observed(cancelling(), job, job_gone=True, notes=listening), at(25))
    waits = plan(make_observed(cancelling(), job, [], job_gone=True, notes=listening), at(25))

    assert looks == Plan(look=Look.PODS)
    assert waits == Plan(wake=at(26))


def test_a_listener_that_never_ends_is_not_waited_for():
    """A connection may be dead without anybody having said so: ten seconds after the Job was found gone are enough."""
    job, listening = make_job().deleting(at(21)), Notes(listening=True, job_gone_seen=at(25))

    assert plan(make_observed(cancelling(), job, [], job_gone=True, notes=listening), at(34)).wake == at(35)
    decided = plan(make_observed(cancelling(), job, [], job_gone=True, notes=listening), at(35))

    assert isinstance(decided.steps[0], WriteStatus)
    assert written(decided).phase is Phase.CANCELLED


def test_a_pod_on_a_dead_node_keeps_nobody_listening_for_ever():
    """Where the Job outlives its patience nothing more will be heard of its pods."""
    lost = make_pod("lost").running().deleting(at(51))

    decided = plan(
        make_observed(cancelling(), make_job().deleting(at(21)), [lost], notes=Notes(listening=True)), at(111)
    )

    assert written(decided).failure.causes[0].name == "lost"


def test_a_pod_on_a_dead_node_is_named_beside_what_another_said():
    """Both stand in the one answer."""
    notes = Notes(listening=True, last_words=(stopped(0, "1").view(),))
    job = make_job().completions(2).deleting(at(21))
    lost = make_pod("lost").running().deleting(at(51))

    status = written(plan(make_observed(cancelling(), job, [lost], notes=notes), at(111)))

    assert (status.attempts.last.exit_code, status.failure.causes[0].name) == (0, "lost")
