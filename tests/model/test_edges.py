"""Single moments in the model's world at which little decides: the Lease, a clock, somebody else's finalizer."""

import pytest

from alo_operator.api.phases import Phase
from tests.model.life import Life


@pytest.mark.promise("OPER-2")
def test_a_replica_that_lost_its_lease_writes_nothing_more():
    """A pass that was held up in a read finds that another replica has taken over, and leaves the rest to it."""
    life = Life(replicas=2)
    life.sim.pass_time(1)
    name = life.create()
    life.begins(name)
    first = life.leader
    life.machinery.end_work(name, 0)
    first.line.held = True
    life.sim.pass_time(8)
    life.machinery.sync_jobs()
    first.catch_up()  # and asks for the pods
    life.sim.pass_time(27)
    second = life.leader
    before = len(life.world.api.events)
    first.line.release()
    life.sim.settle()

    assert second not in (None, first)
    assert not [plural for _, plural, _ in life.world.api.events[before:] if plural == "asyncoperations"]
    life.disturbed = True
    life.rests()
    assert life.phase(name) is Phase.SUCCEEDED
    life.close()


@pytest.mark.promise("TIME-2")
def test_a_pause_gives_the_work_all_its_time_anew():
    """startToClose of 20 seconds: fifteen before a pause and fifteen after it are not too long."""
    life = Life()
    life.sim.pass_time(1)
    name = life.create("hurried")
    life.begins(name)
    life.goes_on(13)
    life.world.pause(name)
    life.goes_on_until(lambda: life.phase(name) is Phase.PAUSED)
    life.world.resume(name)
    life.begins(name)
    life.goes_on(12)

    assert life.phase(name) is Phase.RUNNING
    life.rests()
    life.close()


def test_a_record_that_somebody_else_holds_costs_nothing():
    """Deleted before it was seen and kept by another finalizer, its timeouts long past: nothing is tried for ever."""
    life = Life()
    life.sim.pass_time(1)
    name = life.create("bounded")
    life.world.hold(name)
    life.world.delete(name)
    life.sim.pass_time(300)
    before = len(life.world.api.requests)
    life.goes_on(10)

    asked = [path for _, path, _ in life.world.api.requests[before:] if path.endswith(name)]
    life.close()
    assert not asked


@pytest.mark.promise("STATUS-5")
def test_a_change_is_taken_in_while_deleted_work_is_being_stopped():
    """Cancelled, on a node that is dead, then edited and deleted: its status keeps up until the work is given up."""
    life = Life()
    life.sim.pass_time(1)
    name = life.create()
    life.begins(name)
    life.machinery.node_dies(name)
    life.world.cancel(name)
    life.goes_on(5)
    life.world.keep(name, {"job": "1h"})
    life.world.delete(name)
    life.goes_on(5)

    assert life.phase(name) is Phase.CANCELLING
    assert life.follows(name)
    life.disturbed = True
    life.rests()
    life.close()


def test_a_success_within_a_second_costs_four_writes():
    """Finalizer, Job, settled status, finalizer again: nothing else, and no read but the pods'."""
    life = Life()
    life.sim.pass_time(1)
    life.hear()
    name = life.create()
    before = len(life.world.api.requests)
    life.hear()
    life.machinery.goes_on()
    life.machinery.end_work(name, 0)
    life.machinery.goes_on()
    life.hear()

    requests = [
        (method, path.rsplit("media/", 1)[-1].split("/")[0]) for method, path, _ in life.world.api.requests[before:]
    ]
    life.close()
    assert requests == [
        ("PATCH", "asyncoperations"),
        ("POST", "jobs"),
        ("GET", "pods"),
        ("PATCH", "asyncoperations"),
        ("PATCH", "asyncoperations"),
    ]
