"""Ready, Reconciling and Stalled for each readyWhen, in each phase."""

import pytest

from alo_operator.api.conditions import CancelSource, FailureType, Reason
from alo_operator.api.phases import Phase
from alo_operator.desired import record
from alo_operator.desired.observed import Notes, Refusal
from alo_operator.desired.outcome import Outcome, rejected
from alo_operator.desired.plan import plan
from alo_operator.desired.steps import Plan, WriteStatus
from alo_operator.desired.waiting import Waiting
from tests.support.builders import at, make_job, make_observed, make_operation
from tests.support.plans import kinds, states, written

JOB = make_job().ready().view()
WORKING, OPEN, GREEN, RED = (
    ("Unknown", "True", None),
    ("True", None, None),
    ("True", None, None),
    ("False", None, "True"),
)
BROKEN = rejected(Reason.NON_ZERO_EXIT, "broken", FailureType.WORKER)


def turn(name, operation):
    """The status after a turn of an operation's life."""
    view = operation.view()
    return {
        "waiting": lambda: record.waiting(view, JOB, Waiting(Reason.NO_POD, "no pod"), at(2)),
        "running": lambda: record.running(view, JOB, at(1), at(2)),
        "pausing": lambda: record.pausing(view, JOB, at(3)),
        "paused": lambda: record.paused(view, JOB, at(3)),
        "resumed": lambda: record.resumed(view, JOB, at(4)),
        "cancelling": lambda: record.cancelling(view, JOB, CancelSource.SPEC, "no", at(3)),
        "succeeded": lambda: record.settled(view, JOB, Outcome(Phase.SUCCEEDED, Reason.SUCCEEDED, "done"), at(5)),
        "failed": lambda: record.settled(view, JOB, BROKEN, at(5)),
    }[name]()


def mirror(status):
    found = {kind: state.partition("/")[0] for kind, state in states(status).items()}
    return found.get("Ready"), found.get("Reconciling"), found.get("Stalled")


@pytest.mark.promise("READY-2")
@pytest.mark.parametrize(
    ("turns", "accepted", "started", "succeeded"),
    [
        (["waiting"], OPEN, WORKING, WORKING),
        (["paused"], OPEN, WORKING, WORKING),
        (["running"], OPEN, OPEN, WORKING),
        (["running", "pausing"], OPEN, OPEN, WORKING),
        (["running", "pausing", "paused"], OPEN, OPEN, WORKING),
        (["running", "pausing", "paused", "resumed"], OPEN, OPEN, WORKING),
        (["waiting", "cancelling"], OPEN, WORKING, WORKING),
        (["running", "cancelling"], OPEN, OPEN, WORKING),
        (["running", "succeeded"], GREEN, GREEN, GREEN),
        (["running", "failed"], OPEN, OPEN, RED),
        (["waiting", "failed"], OPEN, RED, RED),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_ready_is_true_from_the_gate_on_and_never_goes_back(turns, accepted, started, succeeded):
    """A pipeline that moved on does not turn red days later; one whose gate was never met does."""
    wanted = {"Accepted": accepted, "Started": started, "Succeeded": succeeded}
    for gate, expected in wanted.items():
        operation = make_operation().spec(readyWhen=gate)
        for name in turns:
            operation.having(turn(name, operation))
        ready, reconciling, stalled = mirror(operation.view().status)
        assert (ready, stalled) == (expected[0], expected[2]), gate
        assert reconciling == ("True" if expected is WORKING else None), gate


def test_a_gate_at_the_acceptance_opens_once_the_job_exists():
    """One write more than the plain way, and no second one."""
    operation = make_operation().spec(readyWhen="Accepted").with_finalizer()

    decided = plan(make_observed(operation, make_job()), at(1))

    assert kinds(decided) == [WriteStatus]
    assert states(written(decided))["Ready"] == "True/Accepted"
    operation.having(written(decided))
    assert plan(make_observed(operation, make_job()), at(2)) == Plan(wake=at(10))


def test_a_gate_at_the_start_opens_with_the_write_that_says_running():
    """It costs nothing of its own."""
    operation = make_operation().spec(readyWhen="Started").with_finalizer()

    decided = plan(make_observed(operation, make_job().ready(), notes=Notes(started_seen=at(1))), at(2))

    assert kinds(decided) == [WriteStatus]
    assert states(written(decided))["Ready"] == "True/Started"


@pytest.mark.parametrize(
    ("gate", "expected"),
    [("Accepted", ("True", None, None)), ("Started", ("True", None, None)), ("Succeeded", ("False", None, "True"))],
)
def test_a_gate_changed_after_the_end_counts_at_once(gate, expected):
    """readyWhen may change at any time; the answer does not."""
    operation = make_operation()
    for name in ("running", "failed"):
        operation.having(turn(name, operation))
    operation.spec(readyWhen=gate).generation(2)

    status = written(plan(make_observed(operation), at(60)))

    assert mirror(status) == expected
    assert (status.phase, states(status)["Succeeded"]) == (Phase.FAILED, "False/NonZeroExit")


def test_what_is_refused_opens_no_gate():
    """An operation that is not accepted is not Accepted."""
    operation = make_operation().spec(readyWhen="Accepted", timeouts={"scheduleToStart": "soon"})

    assert mirror(written(plan(make_observed(operation), at(1)))) == ("False", None, "True")


@pytest.mark.promise("READY-2")
def test_a_request_at_fault_was_never_accepted():
    """A manifest that cannot become a Job turns every gate red, also the one that waits for no more than acceptance."""
    for gate in ("Accepted", "Started", "Succeeded"):
        operation = make_operation().spec(readyWhen=gate)
        refusal = Refusal(Reason.INVALID_JOB, 'unknown field "spec.paralelism"')

        status = written(plan(make_observed(operation, notes=Notes(refusal=refusal)), at(1)))

        assert states(status)["Accepted"] == "False/InvalidJob"
        assert mirror(status) == ("False", None, "True"), gate
        operation.having(status).spec(readyWhen="Accepted").generation(2)
        assert mirror(written(plan(make_observed(operation), at(60)))) == ("False", None, "True"), gate


def test_a_gate_that_was_open_stays_open():
    """It was accepted and waited, and the API server refuses it only now: whoever moved on is not called back."""
    operation = make_operation().spec(readyWhen="Accepted")
    operation.having(record.waiting(operation.view(), None, Waiting(Reason.FORBIDDEN, "no rights"), at(0.5)))
    refusal = Refusal(Reason.INVALID_JOB, 'unknown field "spec.paralelism"')

    status = written(plan(make_observed(operation, notes=Notes(refusal=refusal)), at(1)))

    assert mirror(status) == ("True", None, None)
    assert status.phase is Phase.FAILED
