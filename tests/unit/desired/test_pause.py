"""Pause and resume, row by row."""

import pytest

from alo_operator.api.phases import Phase
from alo_operator.desired.observed import Notes
from alo_operator.desired.plan import plan
from alo_operator.desired.steps import AddFinalizer, CreateJob, Look, PatchJob, Plan, WriteStatus
from tests.support.builders import JOB_UID, NOON, at, make_job, make_observed, make_operation
from tests.support.plans import condition, kinds, only, states, written

LIMITS = {"scheduleToStart": "10m", "startToClose": "1h"}
BACKSTOP = 600 + 3600 + 60


def paused_before_start():
    operation = make_operation().spec(suspend=True)
    return operation.having(written(plan(make_observed(operation), at(1))))


def pausing(**spec):
    """Running work whose pause is on record while its Job is not told yet."""
    operation = make_operation().spec(**spec).started(at(1)).spec(suspend=True).generation(2)
    return operation.having(written(plan(make_observed(operation, make_job().ready()), at(10))))


def paused(**spec):
    operation = pausing(**spec)
    return operation.having(written(plan(make_observed(operation, make_job().suspended()), at(20))))


def resumed(**spec):
    operation = paused(**spec).spec(suspend=False).generation(3)
    return operation.having(written(plan(make_observed(operation, make_job().suspended()), at(90))))


@pytest.mark.promise("PAUSE-2")
def test_an_operation_paused_before_its_start_gets_neither_finalizer_nor_job():
    """It says Paused with one write, and then nothing is due."""
    decided = plan(make_observed(make_operation().spec(suspend=True)), at(1))

    assert kinds(decided) == [WriteStatus]
    status = written(decided)
    assert (status.phase, status.start_time) == (Phase.PAUSED, None)
    found = states(status)
    assert (found["Suspended"], found["Started"]) == ("True/Paused", "False/Paused")
    assert (found["Completed"], found["Ready"]) == ("False/Paused", "Unknown/Paused")
    assert plan(make_observed(paused_before_start()), at(2)) == Plan(in_line=False)


def test_an_operation_resumed_before_its_start_starts():
    """The resume is recorded, then the work begins as it would have."""
    operation = paused_before_start().spec(suspend=False).generation(2)

    decided = plan(make_observed(operation), at(60))

    assert kinds(decided) == [WriteStatus]
    assert (written(decided).phase, states(written(decided))["Suspended"]) == (Phase.PENDING, "False/Resumed")
    operation.having(written(decided))
    assert kinds(plan(make_observed(operation), at(60))) == [AddFinalizer, CreateJob]


def test_an_operation_suspended_between_finalizer_and_job_is_paused_too():
    """Whether a Job was made is asked first; where none was, none is made."""
    operation = make_operation().with_finalizer().spec(suspend=True).generation(2)

    assert plan(make_observed(operation), at(3)) == Plan(look=Look.JOB)
    assert written(plan(make_observed(operation, job_gone=True), at(3))).phase is Phase.PAUSED


def test_a_pause_is_recorded_before_the_job_is_suspended():
    """At the version last seen, and with the backstop off: it would fire at the resume."""
    operation = make_operation().started(at(1)).spec(suspend=True).generation(2)

    decided = plan(make_observed(operation, make_job().ready().version(41)), at(10))

    assert kinds(decided) == [WriteStatus, PatchJob]
    status = written(decided)
    assert (status.phase, status.observed_generation) == (Phase.RUNNING, 2)
    assert states(status)["Suspended"] == "True/Pausing"
    patch = only(decided, PatchJob)
    assert (patch.uid, patch.resource_version) == (JOB_UID, 41)
    assert patch.spec == {"suspend": True, "activeDeadlineSeconds": None}


def test_work_paused_in_its_first_second_keeps_its_start():
    """It is not on record as running yet, and its suspended Job tells nothing of a start any more."""
    operation = make_operation().with_finalizer().spec(suspend=True).generation(2)

    status = written(plan(make_observed(operation, make_job().ready()), at(10)))

    assert (status.phase, status.start_time) == (Phase.PENDING, at(10))


@pytest.mark.promise("PAUSE-4")
def test_after_a_crash_between_record_and_job_only_the_job_is_left():
    """The record is not written twice."""
    assert kinds(plan(make_observed(pausing(), make_job().ready()), at(11))) == [PatchJob]


@pytest.mark.promise("PAUSE-1")
@pytest.mark.parametrize(
    "job",
    [
        make_job().ready().suspended(at_rest=False),
        make_job().ready().suspended(at_rest=False, active=1),
        make_job().suspended(active=1),
        make_job().suspended(terminating=1),
    ],
    ids=["no controller has seen it", "pods counted before", "an active pod", "a pod in its grace period"],
)
def test_paused_is_said_only_when_the_pods_are_gone(job):
    """A suspension that the Job controller has not acted on yet says nothing about pods."""
    assert plan(make_observed(pausing(), job), at(11)) == Plan()


def test_paused_is_said_once_the_pods_are_gone():
    """One write; the first start stays on record, and nothing more is due."""
    decided = plan(make_observed(pausing(), make_job().suspended()), at(20))

    assert kinds(decided) == [WriteStatus]
    status = written(decided)
    assert (status.phase, status.start_time) == (Phase.PAUSED, at(1))
    assert states(status)["Started"] == "False/Paused"
    assert plan(make_observed(paused(), make_job().suspended()), at(21)) == Plan()


def test_a_paused_job_that_somebody_resumes_is_suspended_again():
    """The operation's own spec decides."""
    assert kinds(plan(make_observed(paused(), make_job().ready()), at(30))) == [PatchJob]


def test_an_edit_of_paused_work_is_followed_with_one_write():
    """observedGeneration keeps up while nothing runs."""
    operation = paused().spec(readyWhen="Started").generation(3)

    decided = plan(make_observed(operation, make_job().suspended()), at(30))

    assert kinds(decided) == [WriteStatus]
    assert (written(decided).observed_generation, written(decided).phase) == (3, Phase.PAUSED)
    assert states(written(decided))["Ready"] == "True/Started"


def test_a_resume_wakes_the_job_before_it_is_recorded():
    """The other way round a crash in between would leave the Job suspended for ever."""
    decided = plan(make_observed(paused().spec(suspend=False).generation(3), make_job().suspended()), at(90))

    assert kinds(decided) == [PatchJob, WriteStatus]
    assert only(decided, PatchJob).spec == {"suspend": False}
    status = written(decided)
    assert (status.phase, status.start_time) == (Phase.PENDING, at(1))
    found = states(status)
    assert (found["Suspended"], found["Started"]) == ("False/Resumed", "False/Resumed")


@pytest.mark.promise("PAUSE-4")
def test_after_a_crash_between_job_and_record_only_the_record_is_left():
    """A resumed Job under a recorded pause is what the crash leaves."""
    operation = paused().spec(suspend=False).generation(3)

    assert kinds(plan(make_observed(operation, make_job()), at(91))) == [WriteStatus]


def test_a_pause_taken_back_before_the_job_was_told_goes_on():
    """Nothing was stopped; the record follows."""
    operation = pausing().spec(suspend=False).generation(3)

    assert kinds(plan(make_observed(operation, make_job().ready()), at(11))) == [WriteStatus]


def test_resumed_work_runs_again_and_keeps_its_first_start():
    """Started has a new time, startTime the old one."""
    running = make_observed(resumed(), make_job().ready(), notes=Notes(started_seen=at(100)))

    status = written(plan(running, at(102)))

    assert (status.phase, status.start_time) == (Phase.RUNNING, at(1))
    assert condition(status, "Started").last_transition_time == at(102)


def test_a_job_suspended_by_somebody_else_is_left_alone():
    """A queueing system may hold it; no pause of ours is on record."""
    decided = plan(make_observed(make_operation().with_finalizer(), make_job().suspended()), at(5))

    assert decided == Plan(wake=at(10))


def test_the_backstop_is_put_back_when_the_job_controller_has_resumed_the_job():
    """Before that, startTime is the one of before the pause, and a deadline counted from there may have passed."""
    operation = resumed(timeouts=LIMITS)
    held = make_job().suspended().spec(suspend=False).status(startTime="2026-03-01T12:00:00Z")
    awake = make_job().status(active=1, startTime="2026-03-01T12:01:30Z")

    before = plan(make_observed(operation, held), at(91))
    after = plan(make_observed(operation, awake), at(92))

    assert PatchJob not in kinds(before)
    assert only(after, PatchJob).spec == {"activeDeadlineSeconds": BACKSTOP}
    again = plan(make_observed(operation, awake.spec(activeDeadlineSeconds=BACKSTOP)), at(93))
    assert PatchJob not in kinds(again)


def test_without_both_limits_there_is_no_backstop_to_put_back():
    """The Job's clock counts from its own start and cannot stand for one of them alone."""
    operation = resumed(timeouts={"startToClose": "1h"})

    decided = plan(make_observed(operation, make_job().status(startTime="2026-03-01T12:01:30Z")), at(92))

    assert PatchJob not in kinds(decided)


def test_work_that_ends_before_it_is_suspended_has_ended():
    """A Complete Job is settled, whatever the spec says; the pause is off the record."""
    job = make_job().completions(2, done=2).completed(at(10), succeeded=2)

    status = written(plan(make_observed(pausing(), job), at(11)))

    assert status.phase is Phase.SUCCEEDED
    assert "Suspended" not in states(status)
    assert status.start_time >= NOON


def test_a_paused_job_deleted_by_somebody_else_is_settled():
    """A pause keeps nothing alive that is gone."""
    status = written(plan(make_observed(paused(), make_job().suspended(), [], job_gone=True), at(30)))

    assert status.failure.reason == "OutcomeUnknown"
