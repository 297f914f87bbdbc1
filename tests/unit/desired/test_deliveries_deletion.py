"""What is told when an operation is deleted, and what of it is on record when the object goes."""

import pytest

from alo_operator.desired.steps import (
    DeleteOperation,
    Plan,
    PostEvent,
    RemoveFinalizer,
    SendCallbacks,
    WriteStatus,
)
from tests.support.builders import at
from tests.support.plans import kinds, only
from tests.unit.desired.delivering import END, answer, decide, entries, settled, states


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
