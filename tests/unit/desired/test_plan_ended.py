"""What happens once the Job has ended, or is gone."""

import pytest

from alo_operator.api.conditions import Reason
from alo_operator.api.phases import Phase, Promise
from alo_operator.desired.observed import Notes
from alo_operator.desired.plan import plan
from alo_operator.desired.steps import AddFinalizer, CreateJob, Look, Plan, PostEvent, RemoveFinalizer, WriteStatus
from tests.support.builders import at, make_job, make_observed, make_operation, make_pod
from tests.support.plans import kinds, only, states, written

PENDING = make_operation().with_finalizer()
LOOKED_FOR = "the Job was deleted by somebody else"


def test_a_complete_jobs_pods_are_read_before_it_settles():
    """The value is in the pod, so the pod is read first."""
    assert plan(make_observed(PENDING, make_job().completed(at(5))), at(5)) == Plan(look=Look.PODS)


def test_a_complete_job_with_its_value_fulfils():
    """The one answer, with times and attempts; then deletion may go on; a success has no Event."""
    pod = make_pod().succeeded('{"width": 800}', started=at(2))

    decided = plan(make_observed(PENDING, make_job().completed(at(5)), [pod]), at(5.5))

    assert kinds(decided) == [WriteStatus, RemoveFinalizer]
    status = written(decided)
    assert (status.phase, status.promise) == (Phase.SUCCEEDED, Promise.FULFILLED)
    assert status.result.value == {"width": 800}
    assert (status.start_time, status.completion_time) == (at(2), at(5))
    assert (status.attempts.count, status.attempts.last.pod, status.attempts.last.exit_code) == (1, "resize-x", 0)
    assert status.failure is None
    assert states(status) == {
        "Accepted": "True/Accepted",
        "Started": "True/Started",
        "Completed": "True/Succeeded",
        "Succeeded": "True/Succeeded",
        "Ready": "True/Succeeded",
    }


@pytest.mark.parametrize("message", ["", None])
def test_work_that_says_nothing_fulfils_without_a_value(message):
    """Any image works unchanged: exit 0 is enough."""
    pod = make_pod().succeeded(message or "")

    status = written(plan(make_observed(PENDING, make_job().completed(at(5)), [pod]), at(5)))

    assert (status.promise, status.result) == (Promise.FULFILLED, None)
    assert states(status)["Succeeded"] == "True/Succeeded"


@pytest.mark.promise("RESULT-4")
def test_a_complete_job_whose_pod_is_lost_fulfils_and_says_so():
    """The work is done and is not run again; the reason tells that a result may be lost."""
    status = written(plan(make_observed(PENDING, make_job().completed(at(5)), []), at(5)))

    assert (status.promise, status.result) == (Promise.FULFILLED, None)
    assert states(status)["Succeeded"] == f"True/{Reason.RESULT_LOST}"


def test_a_pod_not_yet_seen_to_finish_is_looked_at_again():
    """The Job may be Complete in one store's view before the pod is; a second later it is read again."""
    observed = make_observed(PENDING, make_job().completed(at(5)), [make_pod().running()])

    assert plan(observed, at(5)) == Plan(wake=at(6))


def test_a_pod_that_is_never_seen_to_finish_is_given_up():
    """After half a minute the value is taken for lost, rather than waiting for ever."""
    observed = make_observed(PENDING, make_job().completed(at(5)), [make_pod().running()])

    assert states(written(plan(observed, at(35))))["Succeeded"] == f"True/{Reason.RESULT_LOST}"


def test_an_indexed_job_gives_the_value_of_index_0():
    """The pod that finished first is not asked."""
    job = make_job().completions(2, done=2).spec(completionMode="Indexed").completed(at(5), succeeded=2)
    pods = [make_pod("b").index(1).succeeded('"one"'), make_pod("a").index(0).succeeded('"zero"')]

    status = written(plan(make_observed(PENDING, job, pods), at(5)))

    assert status.result.value == "zero"
    assert status.progress.summary == "2/2"


def test_several_completions_fulfil_with_counters_and_no_value():
    """There is no one result, so no pod is read."""
    job = make_job().completions(3).completed(at(5), succeeded=3)

    status = written(plan(make_observed(PENDING, job), at(5)))

    assert (status.result, status.progress.done, status.attempts.count) == (None, 3, 3)


def test_a_failed_jobs_pods_are_read_before_it_settles():
    """The reason is in the pods."""
    assert plan(make_observed(PENDING, make_job().failed(at(5))), at(5)) == Plan(look=Look.PODS)


def test_a_failed_job_rejects_with_a_warning_event():
    """One write, the finalizer, one Event."""
    pod = make_pod().failed(3, message="no such picture\n")

    decided = plan(make_observed(PENDING, make_job().failed(at(5)), [pod]), at(5))

    assert kinds(decided) == [WriteStatus, PostEvent, RemoveFinalizer]
    status = written(decided)
    assert (status.phase, status.promise, status.result) == (Phase.FAILED, Promise.REJECTED, None)
    assert status.failure.message == "container main exited with code 3: no such picture"
    assert states(status)["Stalled"] == "True/NonZeroExit"
    assert only(decided, PostEvent).warning


def test_an_end_counts_though_deletion_is_asked_for():
    """Complete before any cancellation was delivered is a success, and only then is the operation let go."""
    operation = make_operation().with_finalizer().deleting(at(4))

    status = written(plan(make_observed(operation, make_job().completed(at(5)), [make_pod().succeeded("1")]), at(5)))

    assert (status.phase, status.result.value) == (Phase.SUCCEEDED, 1)


def test_a_job_that_never_was_known_is_made():
    """No Job on the server, none in status, none in memory: the start was interrupted before the Job."""
    assert kinds(plan(make_observed(make_operation(), job_gone=True), at(1))) == [AddFinalizer, CreateJob]


@pytest.mark.promise("JOB-5")
@pytest.mark.parametrize("job", [None, make_job().ready()], ids=["known from status", "known from memory"])
def test_a_job_that_was_there_and_is_gone_is_first_asked_after_and_never_made_again(job):
    """A second run could do the work twice, so the end is unknown and the operation says so."""
    operation = make_operation().running(at(1)) if job is None else PENDING
    gone = bool(job)
    first = plan(make_observed(operation, job, job_gone=gone), at(9))
    assert first == Plan(look=Look.PODS if gone else Look.JOB)

    decided = plan(make_observed(operation, job, [], job_gone=True), at(9))

    status = written(decided)
    assert (status.phase, status.failure.type) == (Phase.FAILED, "InfrastructureFailed")
    assert status.failure.reason == Reason.OUTCOME_UNKNOWN
    assert LOOKED_FOR in status.failure.message
    assert kinds(decided) == [WriteStatus, PostEvent, RemoveFinalizer]


def test_a_deleted_jobs_pods_are_waited_for():
    """Work that may still run is not said to have ended."""
    observed = make_observed(
        make_operation().running(at(1)), None, [make_pod().running().deleting(at(39))], job_gone=True
    )

    assert plan(observed, at(9)) == Plan(wake=at(10))


def test_a_deleted_jobs_last_words_count():
    """A Job that was seen Complete and is gone by now has completed."""
    observed = make_observed(PENDING, make_job().completed(at(5)), [make_pod().succeeded("1")], job_gone=True)

    assert written(plan(observed, at(9))).phase is Phase.SUCCEEDED


@pytest.mark.parametrize("with_finalizer", [True, False])
def test_a_settled_operation_is_only_let_go(with_finalizer):
    """Whatever its Job looks like, the finalizer goes and nothing else happens."""
    operation = make_operation().settled()
    if with_finalizer:
        operation.with_finalizer()

    for job in (None, make_job().ready(), make_job().failed(at(70)), make_job().of_somebody_else()):
        decided = plan(make_observed(operation, job, notes=Notes(started_seen=at(0))), at(99))
        assert decided.steps == ((RemoveFinalizer(),) if with_finalizer else ())


def test_an_event_that_an_interrupted_plan_did_not_post_is_posted():
    """While the finalizer is there the plan that settled was not finished; the Event's name keeps it from doubling."""
    first = plan(make_observed(PENDING, make_job().failed(at(5)), [make_pod().failed(3)]), at(5))
    operation = make_operation().having(written(first)).with_finalizer()

    decided = plan(make_observed(operation), at(6))

    assert kinds(decided) == [PostEvent, RemoveFinalizer]
    assert only(decided, PostEvent) == only(first, PostEvent)


@pytest.mark.promise("STATUS-5")
def test_a_settled_operation_follows_a_later_spec_and_changes_nothing_else():
    """The generation is free after the end; the answer is not."""
    operation = make_operation().settled().generation(2)

    decided = plan(make_observed(operation), at(99))

    before, after = operation.view().status, written(decided)
    assert after.observed_generation == 2
    free = {"observed_generation": 1, "conditions": before.conditions, "effective": before.effective}
    assert after.model_copy(update=free) == before


def test_a_settled_operation_being_deleted_costs_no_status_write():
    """Deleting raises the generation too, and nobody will read what is written now."""
    operation = make_operation().settled().with_finalizer().generation(2).deleting(at(90))

    assert plan(make_observed(operation), at(99)) == Plan((RemoveFinalizer(),))
