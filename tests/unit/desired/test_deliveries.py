"""Whom to tell of the outcome, when, and when to give up."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alo_operator.api.names import FINALIZER, REDELIVER_ANNOTATION
from alo_operator.api.status import DeliveryState
from alo_operator.delivery.answer import Answer
from alo_operator.delivery.schedule import Schedule
from alo_operator.desired.observed import Notes
from alo_operator.desired.plan import plan
from alo_operator.desired.settings import Settings
from alo_operator.desired.steps import (
    AddFinalizer,
    DeleteOperation,
    Plan,
    PostEvent,
    RemoveFinalizer,
    SendCallbacks,
    WriteStatus,
)
from alo_operator.desired.subscriptions import target_of
from tests.support.builders import at, make_job, make_observed, make_operation
from tests.support.plans import kinds, only, written

END = 60  # when `settled()` says that it ended
QUICK = Settings(schedule=Schedule((timedelta(seconds=10), timedelta(seconds=100))), retention_job=None)


def callback(name, path=""):
    return {"name": name, "url": f"https://{name}.example/{path}", "format": "CloudEvents"}


def settled(*names, **entries):
    """An operation that has ended, subscribed to by `names`; `entries`: fields of their deliveries in status."""
    operation = make_operation().settled().with_finalizer().spec(callbacks=[callback(name) for name in names])
    found = operation.view().spec.callbacks
    return operation.status(
        deliveries=[
            {"name": one.name, "state": "Pending", "target": target_of(one), **entries.get(one.name, {})}
            for one in found
        ]
    )


def answer(operation, name, began=END, **fields):
    entry = next(entry for entry in operation.view().status.deliveries if entry.name == name)
    return Answer(name, entry.target, at(began), **fields)


def decide(operation, now=END, **notes):
    return plan(make_observed(operation, notes=Notes(**notes), job_gone=True), at(now), QUICK)


def entries(decided):
    return {entry.name: entry for entry in written(decided).deliveries}


def states(decided):
    return {name: entry.state.value for name, entry in entries(decided).items()}


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


def test_what_is_held_for_longer_than_all_attempts_would_take_is_given_up():
    """A destination that fails for everybody does not keep its messages for ever."""
    operation = settled("a", a={"nextAttemptTime": "2026-03-01T12:01:00Z"})
    late = END + 10 * 3600

    decided = decide(operation, late, held=(("a", at(late + 30)),))

    assert states(decided) == {"a": "DeadLettered"}
    assert decide(operation, late).steps == (SendCallbacks(("a",)),), "what nobody held back gets its attempt"


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


# -- deletion


@pytest.mark.promise("DELIVERY-12")
def test_deletion_gives_each_that_waits_one_last_attempt():
    """Whatever its time is and whoever holds it; those already told are left in peace."""
    operation = settled(
        "a", "b", "c", a={"state": "Delivered"}, b={"attempts": 1, "nextAttemptTime": "2026-03-01T13:00:00Z"}
    ).deleting(at(100))

    decided = decide(operation, 101)

    assert decided.steps == (SendCallbacks(("b", "c"), last=True, deadline=at(130)),)


def test_what_the_last_attempt_brings_is_final():
    """Told or dropped: the loss is in an Event, and the finalizer goes."""
    operation = settled("a", "b").deleting(at(100))
    came = (
        answer(operation, "a", 101, status=200),
        answer(operation, "b", 101, error="ConnectionRefused: nobody listens"),
    )

    decided = decide(operation, 102, answers=came)

    assert kinds(decided) == [PostEvent, WriteStatus, RemoveFinalizer]
    assert states(decided) == {"a": "Delivered", "b": "DeadLettered"}
    event = only(decided, PostEvent)
    assert (event.reason, "nobody listens" in event.message) == ("DeliveryDropped", True)
    assert entries(decided)["b"].last_error.startswith("ConnectionRefused: ")


def test_a_clock_behind_the_api_servers_repeats_no_last_attempt():
    """What is answered after the deletion was seen is the last, whenever this machine thinks that it began."""
    operation = settled("a").deleting(at(100))

    decided = decide(operation, 70, answers=(answer(operation, "a", 69, error="Timeout: no answer"),))

    assert kinds(decided) == [PostEvent, WriteStatus, RemoveFinalizer]


def test_deletion_waits_for_thirty_seconds_and_no_longer():
    """A receiver that never answers holds the deletion up to its deadline."""
    operation = settled("a").deleting(at(100))

    assert decide(operation, 129, sending=frozenset("a")) == Plan(wake=at(130))
    decided = decide(operation, 130, sending=frozenset("a"))
    assert kinds(decided) == [PostEvent, WriteStatus, RemoveFinalizer]


def test_work_stopped_by_deletion_tells_of_it_before_the_object_goes():
    """The thirty seconds count from the end, however long the work took to stop."""
    operation = settled("a").deleting(at(1))

    assert decide(operation, END + 1).steps == (SendCallbacks(("a",), last=True, deadline=at(END + 30)),)


def test_a_record_outlives_what_is_still_to_be_told():
    """Retention deletes it once the last delivery is over, and not before."""
    operation = settled("a").spec(retention={"record": "10s"})
    waiting = decide(operation, 1000, sending=frozenset("a"))
    told = operation.status(deliveries=[{**operation.body()["status"]["deliveries"][0], "state": "Delivered"}])

    assert waiting == Plan()
    assert kinds(decide(told.without_finalizer(), 1000)) == [DeleteOperation]


def test_the_event_of_the_end_is_not_posted_again_when_the_finalizer_goes():
    """This process has posted it; another one that takes over posts it under the same name."""
    operation = settled("a", a={"state": "Delivered"})
    when = "2026-03-01T12:01:00Z"
    failed = {"type": "Succeeded", "status": "False", "reason": "NonZeroExit", "lastTransitionTime": when}
    operation.status(phase="Failed", promise="Rejected", conditions=[failed])

    assert kinds(decide(operation)) == [PostEvent, RemoveFinalizer]
    assert kinds(decide(operation, event_posted=True)) == [RemoveFinalizer]


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
