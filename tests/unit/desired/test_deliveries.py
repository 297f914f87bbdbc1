"""Whom to tell of the outcome, when, and when to give up."""

from dataclasses import replace

import pytest

from alo_operator.api.names import FINALIZER, REDELIVER_ANNOTATION
from alo_operator.api.status import DeliveryState
from alo_operator.desired.observed import Notes
from alo_operator.desired.plan import plan
from alo_operator.desired.steps import (
    AddFinalizer,
    Plan,
    PostEvent,
    RemoveFinalizer,
    SendCallbacks,
    WriteStatus,
)
from tests.support.builders import at, make_job, make_observed, make_operation
from tests.support.plans import kinds, only, written
from tests.unit.desired.delivering import END, QUICK, answer, callback, decide, entries, settled, states

# -- the end


@pytest.mark.promise("DELIVERY-2")
def test_the_end_is_written_with_everybody_to_be_told_and_before_anybody_is():
    """The write that settles names each callback as Pending; nothing is sent yet, and the finalizer stays."""
    operation = make_operation().running(at(1)).spec(callbacks=[callback("a"), callback("b")])

    decided = plan(make_observed(operation, make_job().failed(at(END)), pods=()), at(END))

    assert kinds(decided) == [WriteStatus, PostEvent]
    assert states(decided) == {"a": "Pending", "b": "Pending"}
    assert {entry.next_attempt_time for entry in entries(decided).values()} == {at(END)}


def test_an_operation_without_callbacks_pays_nothing():
    """One write and the finalizer's removal, as ever."""
    operation = make_operation().running(at(1))

    decided = plan(make_observed(operation, make_job().failed(at(END)), pods=()), at(END))

    assert kinds(decided) == [WriteStatus, PostEvent, RemoveFinalizer]
    assert written(decided).deliveries == ()


def test_whoever_lost_the_finalizer_gets_it_back_with_the_end():
    """Deletion has to wait for those who are to be told."""
    operation = make_operation().running(at(1)).without_finalizer().spec(callbacks=[callback("a")])

    decided = plan(make_observed(operation, make_job().failed(at(END)), pods=()), at(END))

    assert kinds(decided) == [AddFinalizer, WriteStatus, PostEvent]


# -- telling


def test_all_that_are_due_are_handed_over_together():
    """One round for everybody whose time has come; nobody is handed over twice."""
    operation = settled("a", "b", "c", c={"nextAttemptTime": "2026-03-01T13:00:00Z"})

    assert decide(operation) == Plan((SendCallbacks(("a", "b")),), wake=at(3600))
    assert decide(operation, sending=frozenset("ab")) == Plan(wake=at(3600))


@pytest.mark.promise("DELIVERY-1")
def test_answers_are_written_together():
    """What came is counted in one write; whoever took it is told, and the finalizer goes with the last."""
    operation = settled("a", "b")
    came = (answer(operation, "a", status=200), answer(operation, "b", status=204))

    decided = decide(operation, answers=came)

    assert kinds(decided) == [WriteStatus, RemoveFinalizer]
    assert states(decided) == {"a": "Delivered", "b": "Delivered"}
    assert only(decided, WriteStatus).answered == came
    first = entries(decided)["a"]
    assert (first.attempts, first.last_attempt_time, first.last_status) == (1, at(END), 200)
    assert (first.next_attempt_time, first.last_error) == (None, None)


def test_a_slow_receiver_delays_the_record_of_the_others_by_a_second_at_most():
    """Within a second answers are gathered; after it what has come is written, and the slow one later."""
    operation = settled("quick", "slow")
    came = {"answers": (answer(operation, "quick", status=200),), "sending": frozenset({"slow"})}

    assert decide(operation, END + 0.2, **came) == Plan(wake=at(END + 1))
    decided = decide(operation, END + 1, **came)
    assert kinds(decided) == [WriteStatus]
    assert states(decided) == {"quick": "Delivered", "slow": "Pending"}


def test_a_failed_attempt_is_counted_and_comes_again():
    """The next one is due after the schedule's step, give or take a fifth, and says why."""
    operation = settled("a")

    decided = decide(operation, answers=(answer(operation, "a", status=503, error="HTTPError: 503"),))

    assert kinds(decided) == [WriteStatus]
    entry = entries(decided)["a"]
    assert (entry.state, entry.attempts, entry.last_status) == (DeliveryState.PENDING, 1, 503)
    assert entry.last_error == "HTTPError: 503"
    assert at(END + 8) <= entry.next_attempt_time <= at(END + 13)


def test_retry_after_is_waited_for():
    """A receiver may ask for more time than the schedule gives it."""
    operation = settled("a")
    busy = answer(operation, "a", status=429, error="HTTPError: 429", retry_after=3000.0)

    assert entries(decide(operation, answers=(busy,)))["a"].next_attempt_time >= at(END + 3000)


@pytest.mark.parametrize(
    ("before", "final"), [({"attempts": 2}, False), ({}, True)], ids=["the last step", "refused for good"]
)
@pytest.mark.promise("DELIVERY-7", "DELIVERY-8")
def test_a_dead_letter_says_why_and_lets_deletion_go(before, final):
    """When the schedule is over, or the receiver wants no more, the last error stays and an Event tells of it."""
    operation = settled("a", a=before)
    said = answer(operation, "a", status=410, error="Gone: 410", final=final)

    decided = decide(operation, answers=(said,))

    assert kinds(decided) == [PostEvent, WriteStatus, RemoveFinalizer]
    assert states(decided) == {"a": "DeadLettered"}
    assert entries(decided)["a"].last_error == "Gone: 410"
    event = only(decided, PostEvent)
    assert (event.warning, event.reason) == (True, "DeliveryFailed")
    assert "callback a " in event.message
    assert "Gone: 410" in event.message


def test_a_held_destination_is_waited_for_without_a_word():
    """No attempt was made, so nothing is counted and nothing is written."""
    operation = settled("a")

    assert decide(operation, held=(("a", at(END + 30)),)) == Plan(wake=at(END + 30))


def test_what_is_down_for_longer_than_all_attempts_would_take_is_given_up():
    """A destination that fails for everybody does not keep its messages for ever."""
    operation = settled("a", a={"nextAttemptTime": "2026-03-01T12:01:00Z"})
    late = END + 10 * 3600

    decided = decide(operation, late, held=(("a", at(late + 30)),), down=(("a", at(END)),))

    assert states(decided) == {"a": "DeadLettered"}
    assert decide(operation, late).steps == (SendCallbacks(("a",)),), "what nobody held back gets its attempt"


@pytest.mark.promise("DELIVERY-1", "DELIVERY-7")
@pytest.mark.parametrize("down", [(), (("a", at(END + 10 * 3600 - 5)),)])
def test_what_waited_for_an_operator_is_not_given_up_before_it_was_tried(down):
    """Long due, and held back for a moment only, by the sender or by a destination that has failed just now."""
    operation = settled("a", a={"nextAttemptTime": "2026-03-01T12:01:00Z"})
    late = END + 10 * 3600

    assert decide(operation, late, held=(("a", at(late + 30)),), down=down) == Plan(wake=at(late + 30))


# -- changes after the end


@pytest.mark.promise("DELIVERY-10")
def test_whoever_subscribes_late_is_told_at_once():
    """A callback added after the end is due with the write that takes it in; deletion waits for it from before."""
    operation = make_operation().settled().spec(callbacks=[callback("late")]).generation(2)

    decided = decide(operation, 500)

    assert kinds(decided) == [AddFinalizer, WriteStatus]
    assert states(decided) == {"late": "Pending"}
    assert entries(decided)["late"].next_attempt_time == at(500)
    assert written(decided).observed_generation == 2


@pytest.mark.promise("DELIVERY-10")
def test_whoever_is_taken_out_is_told_no_more():
    """Its entry goes, and with the last one that waited the finalizer."""
    operation = settled("a", "b", a={"state": "Delivered"}).spec(callbacks=[callback("a")]).generation(2)

    decided = decide(operation)

    assert kinds(decided) == [WriteStatus, RemoveFinalizer]
    assert states(decided) == {"a": "Delivered"}


def test_an_answer_for_a_callback_that_was_replaced_counts_for_nothing():
    """Another callback of the same name has a target of its own."""
    operation = settled("a")
    old = answer(operation, "a", status=200)
    operation.spec(callbacks=[callback("a", "other")]).generation(2)

    decided = decide(operation, answers=(old,))

    assert states(decided) == {"a": "Pending"}
    assert entries(decided)["a"].attempts == 0


@pytest.mark.parametrize(
    ("asked", "again"),
    [("dead@1", {"dead"}), ("dead, done", {"dead", "done"}), ("*@x", {"dead", "done", "due"}), ("nobody", set())],
)
@pytest.mark.promise("DELIVERY-9")
def test_redelivery_starts_anew_once_for_each_request(asked, again):
    """Those named are due at once with no attempts counted; the request is remembered and not followed twice."""
    before = {"attempts": 3, "lastError": "HTTPError: 500"}
    waiting = {"attempts": 1, "nextAttemptTime": "2026-03-01T13:00:00Z"}
    operation = settled(
        "dead", "done", "due", dead={"state": "DeadLettered", **before}, done={"state": "Delivered"}, due=waiting
    )
    operation.annotated(**{REDELIVER_ANNOTATION: asked})

    decided = decide(operation)

    anew = {name for name, entry in entries(decided).items() if not entry.attempts and entry.state == "Pending"}
    assert anew == again
    assert written(decided).redelivery == asked
    after = decide(operation.having(written(decided)))
    assert WriteStatus not in kinds(after)


def test_callbacks_that_cannot_be_read_are_left_to_a_newer_version_until_deletion():
    """Nobody knows where to send to; a deletion does not hang on that."""
    operation = settled("a").spec(timeouts={"scheduleToStart": "soon"})

    assert decide(operation) == Plan()
    assert kinds(decide(operation.deleting(at(100)), 101)) == [PostEvent, WriteStatus, RemoveFinalizer]


def test_any_moment_of_any_delivery_has_a_decision():
    """No state leaves a plan that neither acts, nor waits for an answer, nor wakes up."""
    for state in DeliveryState:
        for deleting in (None, 70):
            for notes in (Notes(), Notes(sending=frozenset("a")), Notes(held=(("a", at(500)),))):
                operation = settled("a", a={"state": state.value})
                if deleting:
                    operation.deleting(at(deleting))
                decided = plan(make_observed(operation, notes=replace(notes), job_gone=True), at(80), QUICK)
                assert decided.steps or decided.wake or notes.sending
                assert FINALIZER in operation.body()["metadata"]["finalizers"]
