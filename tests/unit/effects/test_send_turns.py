"""Telling callbacks: who has to wait, for how long, and what ends it; against real receivers."""

import asyncio
import threading
from datetime import timedelta

import pytest

from alo_operator.delivery.breaker import THRESHOLD
from alo_operator.effects import clock, lines
from tests.support.receivers import answer, hang, receiving, reset
from tests.unit.effects.sending import callback, play


def answer_after(event):
    """Answer 200 once `event` has come."""

    def behave(wire):
        wire.read()
        event.wait(20)
        wire.answer(200)

    return behave


def test_a_destination_that_fails_again_and_again_is_left_alone():
    """After five failures no attempt is made until it may be asked again; what waited is put off at once."""
    with receiving(answer(500)) as receiver:

        async def scene(place):
            for number in range(THRESHOLD):
                await place.told(place.settled(callback("a", receiver.url), number=number), "a")
            uid = place.settled(callback("a", receiver.url), number=99)
            answers = await place.told(uid, "a")
            (held,) = place.notes(uid).held
            before = len(receiver.requests)
            await place.told(uid, "a", last=True)
            assert place.sender.lines_open == 1
            return answers, held, (held[1] - clock.now()).total_seconds(), before, place.notes(uid).answers

        answers, held, seconds, before, last = play(scene)

    assert (answers, held[0]) == ({}, "a")
    assert 5 < seconds < 16
    assert (before, len(receiver.requests)) == (THRESHOLD, THRESHOLD + 1)
    assert [found.status for found in last] == [500], "the last attempt is made all the same"


@pytest.mark.promise("DELIVERY-8")
def test_a_busy_receiver_s_wish_holds_up_its_line():
    """Retry-After is in the answer, and others to the same place wait as well."""
    with receiving(answer(429, Retry_After="600")) as receiver:

        async def scene(place):
            first = await place.told(place.settled(callback("a", receiver.url)), "a")
            uid = place.settled(callback("a", receiver.url), number=2)
            await place.told(uid, "a")
            return first["a"], (dict(place.notes(uid).held)["a"] - clock.now()).total_seconds()

        first, seconds = play(scene)

    assert (first.retry_after, len(receiver.requests)) == (600.0, 1)
    assert 590 < seconds < 610


@pytest.mark.promise("DELIVERY-11")
def test_one_destination_that_hangs_delays_no_other():
    """Its line is full while the next one is empty."""
    with receiving(hang) as dead, receiving() as alive:

        async def scene(place):
            for number in range(100):
                place.offer(place.settled(callback("a", dead.url), number=number), "a")
            uid = place.settled(callback("a", dead.url), callback("b", alive.url), number=200)
            place.offer(uid, "a", "b")
            await place.until(lambda: place.notes(uid).answers)
            return place.notes(uid), place.sender.in_flight

        notes, in_flight = play(scene)

    assert [found.callback for found in notes.answers] == ["b"]
    assert notes.sending == {"a"}
    assert in_flight <= lines.AT_ONCE_LINE
    assert dead.connections <= lines.AT_ONCE_LINE


def test_what_waits_for_a_destination_that_goes_down_is_put_off_at_once():
    """Not one attempt more is made for it than were under way."""
    with receiving(reset) as receiver:

        async def scene(place):
            uids = [place.settled(callback("a", receiver.url), number=number) for number in range(200)]
            for uid in uids:
                place.offer(uid, "a")
            await place.until(lambda: not any(place.notes(uid).sending for uid in uids))
            return [place.notes(uid) for uid in uids]

        notes = play(scene)

    tried = [found for found in notes if found.answers]
    assert THRESHOLD <= len(tried) <= lines.AT_ONCE_LINE + THRESHOLD
    assert all(bool(found.answers) != bool(found.held) for found in notes)
    assert all(bool(found.down) == bool(found.held) for found in notes), "and why"


def test_a_line_has_an_end(monkeypatch):
    """What finds no place in it comes back in a while."""
    monkeypatch.setattr(lines, "WAITING", 3)
    with receiving(hang) as receiver:

        async def scene(place):
            uids = [place.settled(callback("a", receiver.url), number=number) for number in range(24)]
            for uid in uids:
                place.offer(uid, "a")
            held = [dict(place.notes(uid).held) for uid in uids]
            pauses = [(found["a"] - clock.now()).total_seconds() for found in held if found]
            return pauses, [place.notes(uid).down for uid in uids]

        pauses, downs = play(scene)

    assert not any(downs), "that says nothing against the destination"
    assert len(pauses) == 24 - lines.AT_ONCE_LINE - 3
    assert all(4 < pause < 19 for pause in pauses)


def test_a_last_attempt_is_over_by_its_deadline():
    """And one that comes after it is not made."""
    with receiving(hang) as receiver:

        async def scene(place):
            uid = place.settled(callback("a", receiver.url))
            later = clock.now() + timedelta(seconds=1)
            answers = await place.told(uid, "a", last=True, deadline=later)
            other = place.settled(callback("a", receiver.url), number=2)
            none = await place.told(other, "a", last=True, deadline=clock.now())
            return answers["a"], none, place.notes(other), place.woken

        found, none, notes, woken = play(scene, timeout=30.0)

    assert found.error.startswith("Timeout: ")
    assert (none, receiver.connections) == ({}, 1)
    assert notes.held
    assert {urgent for _, urgent in woken} == {True}


def test_nothing_is_sent_without_the_lease():
    """It is put off for a moment, as another replica will send it."""
    with receiving() as receiver:

        async def scene(place):
            place.lease = 0.0
            uid = place.settled(callback("a", receiver.url))
            answers = await place.told(uid, "a")
            return answers, place.notes(uid)

        answers, notes = play(scene)

        assert (answers, receiver.connections) == ({}, 0)
        assert notes.held


def test_losing_the_lease_drops_what_waits():
    """And nobody is woken for it; what is under way goes on."""
    go = threading.Event()

    with receiving(answer_after(go)) as receiver:

        async def scene(place):
            uids = [place.settled(callback("a", receiver.url), number=number) for number in range(40)]
            for uid in uids:
                place.offer(uid, "a")
            place.sender.clear()
            under_way = [uid for uid in uids if place.notes(uid).sending]
            go.set()
            await place.until(lambda: not any(place.notes(uid).sending for uid in uids))
            return under_way, place.woken

        under_way, woken = play(scene)

    assert len(under_way) == lines.AT_ONCE_LINE
    assert sorted(woken) == sorted((uid, False) for uid in under_way)
    assert len(receiver.requests) == lines.AT_ONCE_LINE


@pytest.mark.promise("DELIVERY-10")
def test_what_is_gone_or_unsubscribed_while_it_waits_is_not_sent():
    """Of an operation that is no more nothing is noted either; the others are there for the next plan to see."""
    go = threading.Event()

    with receiving(answer_after(go)) as receiver:

        async def scene(place):
            uids = [place.settled(callback("a", receiver.url), number=number) for number in range(30)]
            for uid in uids:
                place.offer(uid, "a")
            gone, left, kept = uids[16:20], uids[20:24], [*uids[:16], *uids[24:]]
            for uid in gone:
                place.cache.operation_gone(uid)
            for number in range(20, 24):
                place.settled(number=number, version=2000 + number)
            go.set()
            await place.until(lambda: not any(place.notes(uid).sending for uid in [*left, *kept]))
            await place.until(lambda: not place.sender.in_flight)
            assert not place.sender._hands
            return [place.notes(uid) for uid in left], gone, kept, place.woken

        left, gone, kept, woken = play(scene)

    assert {received.id.partition("_")[0] for received in receiver.requests} == set(kept)
    assert all(notes.held and not notes.answers for notes in left)
    assert not {uid for uid, _ in woken} & set(gone)


def test_what_is_in_hand_already_is_not_sent_twice():
    """As after a look that came in between."""
    with receiving() as receiver:

        async def scene(place):
            uid = place.settled(callback("a", receiver.url))
            place.offer(uid, "a")
            place.offer(uid, "a", "no such callback")
            await place.until(lambda: not place.notes(uid).sending)
            return place.notes(uid)

        assert len(play(scene).answers) == 1
        assert len(receiver.requests) == 1


def test_stopping_waits_for_what_is_under_way():
    """For as long as it is told to, and sends nothing more."""
    stopping = threading.Event()

    with receiving(answer_after(stopping)) as slow, receiving(hang) as dead:

        async def scene(place):
            uid = place.settled(callback("a", slow.url))
            place.offer(uid, "a")
            asyncio.get_running_loop().call_later(0.1, stopping.set)
            await place.sender.stop(30.0)
            place.offer(late := place.settled(callback("a", slow.url), number=2), "a")
            assert not place.sender.in_flight
            assert place.notes(late).sending, "what comes after the end is left to the next process"
            return place.notes(uid)

        async def impatient(place):
            uid = place.settled(callback("a", dead.url))
            place.offer(uid, "a")
            await place.sender.stop()
            return place.notes(uid)

        assert [found.status for found in play(scene).answers] == [200]
        assert play(impatient).answers == ()
