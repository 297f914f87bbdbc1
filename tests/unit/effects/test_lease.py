"""Who may write: taking, keeping, releasing and losing the one Lease."""

import asyncio
from datetime import timedelta

import pytest

from alo_operator.effects.lease import Elector, LeaseSettings
from alo_operator.errors import ApiUnreachable
from tests.support.memory_api import MemoryApi


class Replica:
    """One process that takes part in the election."""

    def __init__(self, api, identity):
        self.changes = []
        settings = LeaseSettings("media", "alo-operator", identity, duration=15.0, renew=5.0, retry=1.0)
        self.elector = Elector(api, settings, self.changes.append)

    async def turn(self):
        """One look or renewal, as `run` does it."""
        task = asyncio.create_task(self.elector.run())
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    @property
    def leads(self):
        return self.elector.leading


@pytest.fixture
def api(clock):
    return MemoryApi()


@pytest.fixture
def turns(clock):
    return lambda *replicas: [clock.run(replica.turn()) for replica in replicas]


def holder(api):
    return api.find("leases", "alo-operator")["spec"]["holderIdentity"]


def test_the_first_takes_the_lease_and_the_second_stands_by(api, turns):
    """There is no Lease at first; whoever makes it leads."""
    a, b = Replica(api, "a"), Replica(api, "b")
    turns(a, b)

    assert (a.leads, b.leads) == (True, False)
    assert (a.changes, b.changes) == ([True], [])
    assert holder(api) == "a"


def test_the_lease_is_trusted_for_two_thirds_of_its_time(api, clock, turns):
    """The rest is the margin for clocks and slow requests."""
    a = Replica(api, "a")
    turns(a)

    assert a.elector.remaining() == pytest.approx(10.0)
    clock.advance(9.9)
    assert a.leads
    clock.advance(0.2)
    assert not a.leads


def test_a_renewal_starts_the_time_anew_and_is_no_change(api, clock, turns):
    """Leadership is told when it is won, not with each renewal."""
    a = Replica(api, "a")
    turns(a)
    clock.advance(5)
    turns(a)

    assert a.elector.remaining() == pytest.approx(10.0)
    assert a.changes == [True]
    assert api.find("leases", "alo-operator")["spec"]["leaseTransitions"] == 0


def test_a_released_lease_is_taken_at_the_next_look(api, turns, clock):
    """No waiting for it to run out."""
    a, b = Replica(api, "a"), Replica(api, "b")
    turns(a, b)
    clock.run(a.elector.release())
    turns(b)

    assert (a.leads, b.leads) == (False, True)
    assert a.changes == [True, False]
    assert holder(api) == "b"
    assert api.find("leases", "alo-operator")["spec"]["leaseTransitions"] == 1


def test_a_crashed_holders_lease_is_taken_once_its_time_is_over(api, clock, turns):
    """Counted on the standby's own clock from when it first saw the renewal."""
    a, b = Replica(api, "a"), Replica(api, "b")
    turns(a, b)
    clock.advance(15)
    turns(b)
    assert not b.leads

    clock.advance(0.1)
    turns(b)
    assert b.leads
    assert not a.leads


def test_clocks_need_not_agree(api, clock, turns):
    """What the Lease says about the time of day is never compared with ours."""
    a, b = Replica(api, "a"), Replica(api, "b")
    turns(a)
    clock.set_wall_clock(timedelta(days=-400))
    turns(b)
    clock.set_wall_clock(timedelta(days=800))
    turns(b)

    assert (a.leads, b.leads) == (True, False)


def test_a_holder_that_keeps_renewing_is_never_overtaken(api, clock, turns):
    """Each renewal starts the standby's count anew."""
    a, b = Replica(api, "a"), Replica(api, "b")
    for _ in range(20):
        turns(a, b)
        clock.advance(5)

    assert b.changes == []


def test_a_frozen_holder_finds_itself_without_the_lease(api, clock, turns):
    """It stops trusting the Lease by its own clock before anybody could take it, and sees the new holder on waking."""
    a, b = Replica(api, "a"), Replica(api, "b")
    turns(a, b)
    clock.advance(15.1)
    turns(b)
    assert (a.leads, b.leads) == (False, True)

    turns(a)

    assert a.changes == [True, False]
    assert holder(api) == "b"


def test_a_restarted_process_takes_its_own_lease_back_at_once(api, turns):
    """The identity is the same and the process is not: nobody else can be meant."""
    turns(Replica(api, "a"))
    again = Replica(api, "a")
    turns(again)

    assert again.leads
    assert api.find("leases", "alo-operator")["spec"]["leaseTransitions"] == 0


def test_two_processes_under_one_identity_do_not_take_turns_for_ever(api, clock, turns):
    """The newer takes it as after a restart; the older, which has held it before, then waits for it to run out."""
    old, new = Replica(api, "a"), Replica(api, "a")
    turns(old, new, old, new, old)

    assert (old.leads, new.leads) == (False, True)
    assert old.changes == [True, False]


def test_a_holder_that_cannot_renew_stops_in_time(api, clock, turns):
    """Without an answer the old deadline stands; when it has passed, leadership is given up."""
    a = Replica(api, "a")
    turns(a)

    def unreachable(*_):
        raise ApiUnreachable("no answer")

    api.before = unreachable
    clock.advance(9)
    turns(a)
    assert a.leads
    clock.advance(2)
    turns(a)
    assert not a.leads
    assert a.changes == [True, False]


def test_a_lease_that_somebody_deleted_is_made_anew(api, turns):
    """A kubectl delete of the Lease costs one more write."""
    a = Replica(api, "a")
    turns(a)
    api.remove("leases", "alo-operator")
    turns(a)

    assert a.leads
    assert holder(api) == "a"


def test_a_release_that_cannot_be_written_still_ends_leadership(api, clock, turns):
    """Only the comfort of a quick takeover is lost."""
    a = Replica(api, "a")
    turns(a)

    def unreachable(*_):
        raise ApiUnreachable("no answer")

    api.before = unreachable
    clock.run(a.elector.release())

    assert not a.leads


def test_times_are_written_as_kubernetes_demands_them(api, turns):
    """A MicroTime has exactly six digits, also on a full second."""
    turns(Replica(api, "a"))

    spec = api.find("leases", "alo-operator")["spec"]
    assert spec["renewTime"] == "2026-03-01T12:00:00.000001Z"
    assert spec["leaseDurationSeconds"] == 15
