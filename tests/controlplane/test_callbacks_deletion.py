"""Deleting and cancelling operations that somebody is still to be told of."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from tests.cluster.providers import Capability
from tests.support.callbacks import Looking, callback, problems, secret, telling, verified
from tests.support.operations import operation, simulated_job
from tests.support.receivers import Receiver, answer, hang, receiving
from tests.support.waiting import wait_for

pytestmark = pytest.mark.needs(Capability.SIMULATED_NODES)

LAST_ROUND = 30  # seconds that the deletion of an operation may wait for its callbacks
SLOW_MACHINE = 15
LATER = answer(503, Retry_After="600")


@pytest.fixture(scope="module")
def stage(new_stage, cluster, tmp_path_factory):
    with telling(new_stage, cluster, tmp_path_factory.mktemp("gateway")) as made:
        yield made


@pytest.fixture
def receive():
    """Makes receivers."""
    with ExitStack() as open_ones:
        yield lambda *behaviours: open_ones.enter_context(receiving(*behaviours))


def delete(stage, name):
    stage.api.delete("asyncoperations", name, stage.namespace)


def dropped(stage):
    (operator,) = stage.operators.started
    return operator.metrics().get('alo_deliveries_total{state="dropped"}', 0)


@dataclass
class LastRound:
    """What was deleted at one moment: the seconds each took to go, and how often receivers were asked before."""

    receivers: dict[str, Receiver]
    asked: dict[str, int]
    dropped: float
    took: dict[str, float] = field(default_factory=dict)


@pytest.fixture(scope="module")
def last_round(stage, new_stage, cluster, tmp_path_factory):
    """An operation that has ended, one that runs, and a whole namespace, deleted side by side, with dead receivers."""
    with ExitStack() as open_ones:
        going = open_ones.enter_context(telling(new_stage, cluster, tmp_path_factory.mktemp("going")))
        behaviours = {"dead": hang, "dead-too": hang, "dead-as-well": hang, "down": LATER, "back": LATER}
        made = {name: open_ones.enter_context(receiving(behave)) for name, behave in behaviours.items()}
        stage.ask("ended", *(callback(name, made[name].url) for name in ("dead", "down", "back")))
        stage.ask("runs-on", callback("dead", made["dead-too"].url), seconds=600)
        going.api.create("secrets", secret("goes-too", going.key), going.namespace)
        going.ask("ended", callback("hook", made["dead-as-well"].url))
        going.ask("runs", callback("hook", made["dead-as-well"].url, secret="goes-too"), seconds=600)
        for name in ("down", "back"):
            stage.tried("ended", name)
        stage.has_condition("runs-on", "Started", "True", "Started")
        going.has_condition("runs", "Started", "True", "Started")
        for name in ("dead", "dead-as-well"):
            wait_for(lambda name=name: made[name].requests, 60, f"{name} is asked")
        found = LastRound(made, {name: len(one.requests) for name, one in made.items()}, dropped(stage))
        made["back"].always = answer(200)

        began = time.monotonic()
        for name in ("ended", "runs-on"):
            delete(stage, name)
        going.api.delete("namespaces", going.namespace)

        def left():
            there = {name for name in ("ended", "runs-on") if not stage.gone(name)}
            there |= {"namespace"} if going.api.list("asyncoperations", going.namespace) else set()
            for name in {"ended", "runs-on", "namespace"} - there - found.took.keys():
                found.took[name] = time.monotonic() - began
            return there

        wait_for(lambda: not left(), 120, lambda: f"all are gone: {left()}")
        print(f"gone after their deletion, in seconds: {found.took}")
        wait_for(lambda: going.api.get("namespaces", name=going.namespace) is None, 60, "the namespace is gone")
        yield found


@pytest.mark.promise("DELIVERY-12")
def test_a_dead_receiver_does_not_hold_the_deletion(stage, last_round):
    """One last attempt for each message that is due, and the operation is gone; who was not told is named."""
    assert last_round.took["ended"] < LAST_ROUND + SLOW_MACHINE
    for name in ("down", "back"):
        assert len(last_round.receivers[name].requests) == last_round.asked[name] + 1
    wait_for(lambda: len(stage.events_of("ended")) >= 2, describe="the Events are there")
    assert stage.events_of("ended") == [("Warning", "DeliveryDropped")] * 2
    events = stage.api.list("events", stage.namespace, fieldSelector="involvedObject.name=ended")
    assert {event["message"].split()[1] for event in events} == {"dead", "down"}
    assert dropped(stage) == last_round.dropped + 3


@pytest.mark.promise("DELIVERY-12")
def test_deleted_work_waits_for_no_dead_receiver_either(stage, last_round):
    """The last round counts from the end of the work, and is as short."""
    assert last_round.took["runs-on"] < LAST_ROUND + SLOW_MACHINE
    (asked,) = last_round.receivers["dead-too"].of("runs-on")
    assert verified(asked, stage.key)["type"] == "operation.cancelled"
    wait_for(lambda: ("Warning", "DeliveryDropped") in stage.events_of("runs-on"), describe="its Event is there")


@pytest.mark.promise("DELIVERY-12")
def test_a_namespace_goes_with_its_callbacks(last_round):
    """A terminating namespace hangs on no receiver that is dead, nor on a Secret that went first."""
    assert last_round.took["namespace"] < LAST_ROUND + 2 * SLOW_MACHINE
    assert last_round.receivers["dead-as-well"].requests


@pytest.mark.promise("DELIVERY-12")
def test_nobody_waits_where_nothing_is_due(stage, receive):
    """Told, or given up: the deletion is instant, and nobody is told again."""
    receiver, gone = receive(), receive(answer(410))
    stage.ask("told", callback("hook", receiver.url), callback("gone", gone.url))
    stage.delivery("told", "Delivered")
    stage.delivery("told", "DeadLettered", "gone")
    stage.released("told")

    delete(stage, "told")

    assert stage.gone("told")
    assert [len(one.of("told")) for one in (receiver, gone)] == [1, 1]


@pytest.mark.promise("DELIVERY-2", "DELIVERY-12")
def test_deleted_work_is_told_of_before_it_goes(stage, cluster):
    """Running work, work that waits and work that is paused: `operation.cancelled` arrives, on record, object there."""
    looking = Looking(cluster.kubeconfig, stage.namespace)
    with receiving(looking) as receiver:
        hook = callback("hook", receiver.url)
        stage.ask("runs", hook, seconds=600)
        stage.ask("paused", hook, suspend=True)
        stage.ask("waits", hook, job=simulated_job(never_start=True))
        stage.create(operation("lacks-template", template="nobody-made-it", callbacks=[hook]))
        names = ("runs", "paused", "waits", "lacks-template")
        stage.has_condition("runs", "Started", "True", "Started")
        stage.has_condition("paused", "Suspended", "True", "Paused")
        stage.job("waits")
        stage.has_condition("lacks-template", "Accepted", "False", "TemplateNotFound")

        for name in names:
            delete(stage, name)
        for name in names:
            stage.await_gone(name)

        for name in names:
            (told,) = receiver.of(name)
            seen = looking.seen[name]
            assert problems(told, seen, stage.key) == [], name
            assert verified(told, stage.key)["type"] == "operation.cancelled"
            assert seen["metadata"]["deletionTimestamp"]
            assert seen["status"]["cancellation"]["source"] == "Deletion"


def test_a_cancellation_is_told_like_any_outcome(stage, receive):
    """Before the start, without a Job, and while it runs; the record stays, and so does what the caller said."""
    receiver = receive()
    stage.ask("never-ran", callback("hook", receiver.url), suspend=True)
    stage.ask("ran", callback("hook", receiver.url), seconds=600)
    stage.has_condition("never-ran", "Suspended", "True", "Paused")
    stage.has_condition("ran", "Started", "True", "Started")

    for name in ("never-ran", "ran"):
        stage.edit(name, cancel={"reason": "withdrawn"})
    for name in ("never-ran", "ran"):
        stage.delivery(name, "Delivered")
        stage.released(name)
        (told,) = receiver.of(name)
        assert problems(told, stage.operation(name), stage.key) == []
        assert verified(told, stage.key)["data"]["cancellation"]["reason"] == "withdrawn"
    assert stage.jobs("never-ran") == []
