"""Which operation is next."""

import asyncio

import pytest

from alo_operator.controller.workqueue import WorkQueue
from tests.support.clocks import Deadlock


async def take(queue, count):
    """The next keys, each of them done at once."""
    taken = []
    for _ in range(count):
        key = await queue.get()
        queue.done(key)
        taken.append(key)
    return taken


def test_a_key_that_waits_is_not_queued_twice(clock):
    """Ten events are one pass."""

    async def story():
        queue = WorkQueue()
        for _ in range(10):
            queue.add("a")
        assert len(queue) == 1
        assert await take(queue, 1) == ["a"]
        with pytest.raises(Deadlock):
            await queue.get()

    with pytest.raises(Deadlock):
        clock.run(story())


def test_keys_come_in_the_order_they_were_added(clock):
    """First come, first served."""

    async def story():
        queue = WorkQueue()
        for key in "cab":
            queue.add(key)
        return await take(queue, 3)

    assert clock.run(story()) == ["c", "a", "b"]


def test_urgent_keys_go_before_the_rest(clock):
    """Also one that waits already and becomes urgent; it still comes only once."""

    async def story():
        queue = WorkQueue()
        for key in "abc":
            queue.add(key)
        queue.add("d", urgent=True)
        queue.add("b", urgent=True)
        queue.add("b")
        assert len(queue) == 4
        return await take(queue, 4)

    assert clock.run(story()) == ["d", "b", "a", "c"]


def test_idle_keys_come_when_nothing_else_waits(clock):
    """What is urgent or usual overtakes them, and an idle key that is wanted sooner moves up."""

    async def story():
        queue = WorkQueue()
        for key in "abc":
            queue.add(key, idle=True)
        queue.add("d")
        queue.add("e", urgent=True)
        queue.add("c")
        queue.add("d", idle=True)
        assert len(queue) == 5
        return await take(queue, 5)

    assert clock.run(story()) == ["e", "d", "c", "a", "b"]


def test_an_idle_wake_up_waits_behind_the_rest(clock):
    """Thousands may be due at once, and new work goes before all of them."""

    async def story():
        queue = WorkQueue()
        queue.add_after("late", 5, idle=True)
        queue.add_after("usual", 5)
        await clock.reaches(6)
        return await take(queue, 2)

    assert clock.run(story()) == ["usual", "late"]


def test_a_wake_up_may_be_months_away(clock):
    """Longer than any timer of the operating system."""

    async def story():
        queue = WorkQueue()
        queue.add_after("a", 90 * 86_400)
        await take(queue, 1)
        return clock.seconds

    assert clock.run(story()) == pytest.approx(90 * 86_400)


def test_a_key_is_worked_on_by_one_at_a_time(clock):
    """What comes in meanwhile is one more pass afterwards, urgent if any of it was."""

    async def story():
        queue = WorkQueue()
        queue.add("a")
        assert await queue.get() == "a"
        queue.add("a")
        queue.add("a", urgent=True)
        queue.add("b")
        assert len(queue) == 1
        queue.done("a")
        return await take(queue, 2)

    assert clock.run(story()) == ["a", "b"]


def test_a_key_wakes_at_its_time(clock):
    """Not sooner."""

    async def story():
        queue = WorkQueue()
        queue.add_after("late", 60)
        queue.add_after("soon", 5)
        times = []
        for _ in range(2):
            key = await queue.get()
            queue.done(key)
            times.append((key, round(clock.seconds, 3)))
        return times

    assert clock.run(story()) == [("soon", 5), ("late", 60)]


def test_of_two_wake_ups_the_earlier_stands(clock):
    """The later one is not forgotten work: whoever works on the key decides anew."""

    async def story():
        queue = WorkQueue()
        queue.add_after("a", 60)
        queue.add_after("a", 5)
        queue.add_after("a", 30)
        await take(queue, 1)
        assert clock.seconds == pytest.approx(5)
        await queue.get()

    with pytest.raises(Deadlock):
        clock.run(story())


def test_a_pass_takes_the_wake_up_with_it(clock):
    """An event came first, so the time set before means nothing any more."""

    async def story():
        queue = WorkQueue()
        queue.add_after("a", 60)
        queue.add("a")
        await take(queue, 1)
        queue.add_after("a", 100)
        await take(queue, 1)
        return clock.seconds

    assert clock.run(story()) == pytest.approx(100)


def test_failures_are_tried_again_ever_later(clock):
    """From 0.2 seconds, doubling to a minute, a quarter more or less; a success starts anew."""

    async def story():
        queue = WorkQueue()
        delays = []
        for _ in range(12):
            delays.append(queue.retry("a"))
            await take(queue, 1)
        queue.forget_failures("a")
        delays.append(queue.retry("a"))
        return delays

    *delays, afresh = clock.run(story())

    for failures, delay in enumerate(delays):
        middle = min(60.0, 0.2 * 2**failures)
        assert middle * 0.75 <= delay <= middle * 1.25
    assert afresh <= 0.25


def test_clearing_drops_all_that_waits(clock):
    """What is being worked on goes on, and is not queued again by what came in before."""

    async def story():
        queue = WorkQueue()
        queue.add("running")
        await queue.get()
        queue.add("running")
        queue.add("waiting")
        queue.add_after("sleeping", 5)
        queue.clear()
        assert len(queue) == 0
        queue.done("running")
        await asyncio.sleep(0)
        await queue.get()

    with pytest.raises(Deadlock):
        clock.run(story())


def test_after_clearing_keys_can_be_added_again(clock):
    """As when the Lease is won back."""

    async def story():
        queue = WorkQueue()
        queue.add("a")
        queue.add_after("b", 5)
        queue.clear()
        queue.add("a")
        queue.add_after("b", 9)
        taken = await take(queue, 2)
        return taken, clock.seconds

    assert clock.run(story()) == (["a", "b"], pytest.approx(9))


def test_many_sleepers_wake_in_their_order(clock):
    """The heap keeps thousands without a timer for each."""

    async def story():
        queue = WorkQueue()
        for number in range(500):
            queue.add_after(f"{number}", (number * 37) % 500 + 1)
        return await take(queue, 500)

    taken = clock.run(story())

    assert [(int(key) * 37) % 500 for key in taken] == sorted((int(key) * 37) % 500 for key in taken)


def test_the_time_a_key_waited_is_told_with_its_lane(clock):
    """Counted from the first word of it, also where that came during its own pass."""
    told = []

    async def story():
        queue = WorkQueue(lambda lane, waited: told.append((lane, waited)))
        queue.add("a")
        queue.add("b", urgent=True)
        await clock.reaches(2)
        queue.add("a")
        await queue.get()
        await queue.get()
        await clock.reaches(3)
        queue.add("a", idle=True)
        await clock.reaches(7)
        queue.done("a")
        await queue.get()
        queue.clear()
        queue.done("a")
        queue.add("a")
        await queue.get()

    clock.run(story())

    assert told == [("urgent", 2), ("usual", 2), ("idle", 4), ("usual", 0)]
