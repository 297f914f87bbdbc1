"""What happens while the work runs, and when the spec is edited meanwhile."""

import pytest

from alo_operator.api.conditions import ConditionType, Reason
from alo_operator.api.phases import Phase
from alo_operator.desired.job import job_name
from alo_operator.desired.observed import Notes
from alo_operator.desired.plan import plan
from alo_operator.desired.steps import Look, Plan, WriteStatus
from tests.support.builders import JOB_UID, at, make_job, make_observed, make_operation, make_pod
from tests.support.plans import condition, kinds, states, written

UNREADABLE = [{"name": "billing"}]  # a callback without a URL, as a newer CRD might allow it


def starts(operation=None, job=None, seen=1):
    notes = Notes(started_seen=None if seen is None else at(seen))
    return make_observed(operation or make_operation().with_finalizer(), job or make_job().ready(), notes=notes)


def test_work_that_has_just_started_costs_no_write():
    """Within its first second it may end, and then Running was never worth saying."""
    assert plan(starts(), at(1.5)) == Plan(wake=at(2))


def test_work_that_goes_on_is_reported_once():
    """After a second Running is written, with the Job, the time of the start and what was asked for."""
    observed = starts(make_operation().with_finalizer().to_start_within("1h"))

    decided = plan(observed, at(2.25))

    assert kinds(decided) == [WriteStatus]
    status = written(decided)
    assert (status.phase, status.start_time, status.observed_generation) == (Phase.RUNNING, at(1), 1)
    assert (status.job.name, status.job.uid) == (job_name(observed.operation), JOB_UID)
    assert status.effective.timeouts.schedule_to_start == "1h"
    assert status.spec_digest.startswith("v1:sha256:")
    assert states(status)["Started"] == "True/Started"
    after = make_operation().having(status).with_finalizer()
    assert plan(starts(after), at(3)) == Plan()


@pytest.mark.promise("START-1")
@pytest.mark.parametrize(
    "job",
    [make_job().ready(), make_job().status(succeeded=1), make_job().status(failed=1)],
    ids=["a pod is ready", "a pod has succeeded", "a pod has failed"],
)
def test_started_is_what_the_job_counts(job):
    """A ready pod, or one that has finished, is a start."""
    assert written(plan(starts(job=job), at(5))).phase is Phase.RUNNING


def test_an_active_pod_alone_is_not_a_start():
    """A pod that is being scheduled or pulls its image has not started."""
    assert plan(starts(job=make_job().status(active=1), seen=None), at(5)) == Plan(wake=at(10))


def test_after_a_restart_the_start_counts_from_the_first_sight():
    """Without a memory of the start nothing is reported early."""
    assert plan(starts(seen=None), at(100)) == Plan(wake=at(101))


def test_running_work_whose_pod_is_replaced_stays_running():
    """Between two attempts no pod is ready; the phase does not go back."""
    operation = make_operation().running(at(1))

    assert plan(make_observed(operation, make_job().status(active=1)), at(60)) == Plan()


def test_several_completions_are_counted():
    """Progress comes from the Job's counters."""
    progress = written(plan(starts(job=make_job().completions(4, done=1)), at(2))).progress

    assert (progress.done, progress.total, progress.percent) == (1, 4, 25)
    assert (progress.summary, progress.unit, progress.update_time) == ("1/4", "completions", at(2))


@pytest.mark.promise("REPORT-7")
def test_progress_is_written_at_most_every_five_seconds():
    """What changes faster waits, and the plan wakes for it."""
    operation = make_operation().with_finalizer()
    operation.having(written(plan(starts(operation, make_job().completions(4)), at(2))))
    two = make_job().completions(4, done=2)

    assert plan(starts(operation, two), at(3)) == Plan(wake=at(7))
    assert written(plan(starts(operation, two), at(7))).progress.summary == "2/4"


def test_progress_that_has_not_moved_is_not_written():
    """No counter changed, no write."""
    operation = make_operation().with_finalizer()
    operation.having(written(plan(starts(operation, make_job().completions(4, done=1)), at(2))))

    assert plan(starts(operation, make_job().completions(4, done=1)), at(60)) == Plan()


def test_a_single_completion_leaves_the_workers_progress_alone():
    """The counters of such a Job say nothing that the phase does not say."""
    operation = make_operation().running(at(1)).status(progress={"percent": 40, "summary": "40%"})

    assert plan(make_observed(operation, make_job().ready()), at(60)) == Plan()


def test_a_late_edit_that_changes_nothing_is_followed():
    """observedGeneration follows with one write, and the operation goes on as before."""
    operation = make_operation().running(at(1)).generation(2)

    decided = plan(make_observed(operation, make_job().ready()), at(60))

    assert kinds(decided) == [WriteStatus]
    status = written(decided)
    assert (status.observed_generation, status.phase) == (2, Phase.RUNNING)
    assert condition(status, ConditionType.ACCEPTED).observed_generation == 2


def test_a_late_edit_that_cannot_be_read_is_refused_while_the_work_goes_on():
    """Running work is not stopped by an edit that cannot be followed; Accepted says so, once."""
    operation = make_operation().running(at(1)).spec(callbacks=UNREADABLE).generation(2)

    decided = plan(make_observed(operation, make_job().ready()), at(60))

    status = written(decided)
    assert status.phase is Phase.RUNNING
    assert states(status)["Accepted"] == f"False/{Reason.NOT_SUPPORTED}"
    assert "callbacks" in condition(status, ConditionType.ACCEPTED).message
    after = make_operation().having(status).with_finalizer().spec(callbacks=UNREADABLE).generation(2)
    assert plan(make_observed(after, make_job().ready()), at(61)) == Plan()


def test_an_edit_while_waiting_is_followed_at_once():
    """An operation that status speaks of already does not wait for the next look to say what it has taken in."""
    operation = make_operation().with_finalizer()
    pods = [make_pod().waiting("ErrImagePull")]
    operation.having(written(plan(make_observed(operation, make_job(), pods), at(10)))).generation(2)

    decided = plan(make_observed(operation, make_job(), notes=Notes(last_look=at(10))), at(12))

    assert written(decided).observed_generation == 2
    assert decided.wake == at(30)


def test_a_job_that_somebody_else_deletes_is_waited_for():
    """Its end or its being gone wakes the operation, or that it is held for ever by a pod on a dead node."""
    operation = make_operation().running(at(1))

    assert plan(make_observed(operation, make_job().ready().deleting(at(9))), at(10)) == Plan(wake=at(99))
    assert plan(make_observed(operation, make_job().ready().deleting(at(9))), at(99)) == Plan(look=Look.PODS)
