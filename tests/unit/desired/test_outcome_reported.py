"""What a worker has handed in before its end, and what becomes of it."""

import pytest

from alo_operator.api.phases import Phase
from alo_operator.api.status import Reported
from alo_operator.desired.outcome import succeeded
from alo_operator.desired.plan import plan
from alo_operator.desired.steps import PostEvent, RemoveFinalizer, WriteStatus
from tests.support.builders import at, make_job, make_observed, make_operation, make_pod
from tests.support.plans import kinds, written

COMPLETE = make_job().completed(at(5)).view()
REPORTED = Reported(
    attempt="uid-resize-x", value={"width": 800}, bytes=14, sha256="ab", content_type="application/json"
)
ON_RECORD = {"attempt": "uid-resize-x", "value": {"width": 800}, "bytes": 14}


def outcome(pod, *, job=COMPLETE, reported=REPORTED):
    return succeeded(job, (pod.view(),) if pod else (), reported)


@pytest.mark.parametrize("message", ["", '"a message"', "x" * 4096])
def test_a_handed_in_result_wins_over_the_message(message):
    """Even over one that was cut."""
    found = outcome(make_pod().succeeded(message))

    assert (found.phase, found.result.value) == (Phase.SUCCEEDED, {"width": 800})
    assert "14 bytes" in found.message


def test_the_result_of_a_replaced_attempt_counts_for_nothing():
    """Another pod succeeded, and it said something else."""
    found = outcome(make_pod("resize-y").succeeded('"mine"'))

    assert found.result.value == "mine"


def test_a_result_outlives_its_pod():
    """The pod is gone, and there was no other attempt."""
    found = outcome(None)

    assert (found.reason, found.result.value) == ("Succeeded", {"width": 800})


def test_whose_result_it_is_must_be_certain():
    """With several attempts and no pod to ask, nobody knows."""
    several = make_job().completed(at(5)).status(failed=1).view()

    found = outcome(None, job=several)

    assert (found.reason, found.result) == ("ResultLost", None)


def test_of_an_indexed_job_the_pod_of_index_0_counts():
    """It alone may hand in a result."""
    job = make_job().spec(completionMode="Indexed", completions=2).completed(at(5), succeeded=2).view()
    pods = (make_pod("resize-1").index(1).succeeded().view(), make_pod("resize-x").index(0).succeeded().view())

    assert succeeded(job, pods, REPORTED).result.value == {"width": 800}


def test_a_job_with_several_completions_has_no_result():
    """Whatever stands there."""
    job = make_job().completions(3, done=3).completed(at(5), succeeded=3).view()

    assert outcome(make_pod().succeeded(), job=job).result is None


@pytest.mark.promise("STATUS-9")
def test_what_was_handed_in_is_gone_from_a_settled_record():
    """It is the result now; said twice it would only take room."""
    operation = make_operation().running(at(0)).status(reported=ON_RECORD)
    job = make_job(operation).completed(at(5))

    status = written(plan(make_observed(operation, job, [make_pod().succeeded()]), at(6)))

    assert status.reported is None
    assert status.result.value == {"width": 800}


def test_failed_work_gives_no_result():
    """Whatever it has handed in before."""
    operation = make_operation().running(at(0)).status(reported=ON_RECORD)
    job = make_job(operation).failed(at(5))

    status = written(plan(make_observed(operation, job, [make_pod().failed()]), at(6)))

    assert (status.phase, status.result, status.reported) == (Phase.FAILED, None, None)


@pytest.mark.parametrize(
    ("source", "reason", "phase"),
    [
        ("Spec", "not needed", Phase.CANCELLED),
        ("Deletion", "the operation was deleted", Phase.CANCELLED),
        ("Timeout", "StartToCloseTimeout", Phase.TIMED_OUT),
    ],
)
def test_stopped_work_keeps_what_it_handed_in_as_a_partial_result(source, reason, phase):
    """Whether it exited 0 after that or not."""
    operation = make_operation().running(at(0)).cancelling(at(5), source, reason).status(reported=ON_RECORD)

    status = written(plan(make_observed(operation, pods=[], job_gone=True), at(6)))

    assert (status.phase, status.result.value, status.result.partial) == (phase, {"width": 800}, True)


def test_work_stopped_by_its_backstop_keeps_it_too():
    """No operator was there to end it sooner."""
    operation = make_operation().running(at(0)).status(reported=ON_RECORD)
    job = make_job(operation).failed(at(5), reason="DeadlineExceeded")

    status = written(plan(make_observed(operation, job, []), at(6)))

    assert (status.phase, status.result.partial) == (Phase.TIMED_OUT, True)


def test_a_report_costs_the_operator_no_write():
    """A pass over running work of which only progress and a result are new does nothing."""
    progress = {"percent": 40, "summary": "40%", "updateTime": "2026-03-01T12:00:03Z"}
    operation = make_operation().started(at(0)).status(reported=ON_RECORD, progress=progress)
    job = make_job(operation).ready()

    assert plan(make_observed(operation, job), at(4)).steps == ()


def test_progress_of_the_worker_stays_at_the_end():
    """The operator counts completions only where there are several."""
    progress = {"percent": 40, "summary": "40%", "updateTime": "2026-03-01T12:00:03Z"}
    operation = make_operation().started(at(0)).status(progress=progress)
    job = make_job(operation).completed(at(5))

    decided = plan(make_observed(operation, job, [make_pod().succeeded()]), at(6))

    assert written(decided).progress.percent == 40
    assert set(kinds(decided)) <= {WriteStatus, PostEvent, RemoveFinalizer}
