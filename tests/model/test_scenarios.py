"""Lives of single operations against the same model: each phase that is built is reached, and each fault survived."""

from collections import Counter

import pytest

from alo_operator.api.phases import Phase
from tests.model.faults import Fault, Strike
from tests.model.laws import Laws
from tests.model.replica import Replica
from tests.model.rest import come_to_rest
from tests.model.world import World
from tests.support.clocks import FakeClock

NOT_BUILT = {Phase.PAUSED}


class Life:
    """One operation and everything around it; `works` is the operator catching up and acting."""

    def __init__(self, monkeypatch, **spec):
        self.time = FakeClock().install(monkeypatch)
        self.world = World()
        self.laws = Laws(self.world)
        self.replica = Replica(self.world, self.time)
        self.world.api.before = self.world.refuse_jobs
        self.name = self.world.create(**spec)

    def suffers(self, fault, place):
        """`fault` at the operator's request number `place`, counted over the whole life."""
        Strike(self.world, fault, place, lambda: self.world.label(self.name)).__enter__()

    def works(self, after=0.0):
        self.time.advance(after)
        for _ in range(2):  # a pass that failed is repeated
            self.replica.catch_up()
            self.replica.reconcile_all()
        self.laws.hold()

    def starts(self):
        self.works()
        self.world.make_pods()
        self.world.start_pods()
        self.works()
        self.works(after=2)

    def ends(self, exit_code=0):
        self.world.end_work(self.name, exit_code)
        self.world.count_ends()
        self.works()

    def is_deleted(self):
        self.world.delete(self.name)
        self.works()
        self.world.collect()
        self.world.stop_pods()
        self.works()

    def rests(self):
        come_to_rest(self.world, self.replica, self.time)
        self.laws.hold_at_rest()
        return self.laws.phases


def succeeds(life):
    life.starts()
    life.ends()


def fails(life):
    life.starts()
    life.ends(3)


def is_withdrawn(life):
    life.starts()
    life.is_deleted()


def is_withdrawn_before_its_start(life):
    life.is_deleted()


def is_too_late(life):
    life.works()
    life.works(after=31)
    life.world.collect()
    life.works()


def loses_its_job(life):
    life.starts()
    life.world.delete_job_by_hand(life.name)
    life.world.collect()
    life.world.stop_pods()
    life.works()


def is_withdrawn_and_loses_its_job(life):
    life.starts()
    life.world.delete_job_by_hand(life.name)
    life.is_deleted()


def waits_for_a_quota(life):
    life.world.quota_full = True
    life.works()
    life.works(after=1)
    life.world.quota_full = False
    life.works(after=3)
    succeeds(life)


STORIES = {
    succeeds: (Phase.SUCCEEDED, {}),
    fails: (Phase.FAILED, {}),
    is_withdrawn: (Phase.CANCELLED, {}),
    is_withdrawn_before_its_start: (None, {}),
    is_too_late: (Phase.TIMED_OUT, {"timeouts": {"scheduleToStart": "30s"}}),
    loses_its_job: (Phase.FAILED, {}),
    is_withdrawn_and_loses_its_job: (Phase.CANCELLED, {}),
    waits_for_a_quota: (Phase.SUCCEEDED, {}),
}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_life_ends_as_it_should(story, monkeypatch):
    """Without any trouble each story has its one end."""
    end, spec = STORIES[story]
    life = Life(monkeypatch, **spec)
    story(life)

    reached = life.rests()

    assert {phase for phase in reached if phase in {"Succeeded", "Failed", "Cancelled", "TimedOut"}} == {end} - {None}


def test_every_built_phase_is_reached(monkeypatch):
    """The stories together pass through all phases but those not built yet."""
    reached = Counter()
    for story, (_, spec) in STORIES.items():
        life = Life(monkeypatch, **spec)
        story(life)
        reached.update(life.rests())

    assert set(reached) == set(Phase) - NOT_BUILT


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE], ids=lambda fault: fault.name)
def test_no_fault_at_any_request_changes_the_end(story, fault, monkeypatch):
    """Tried at each request of the operator in turn: crash, lost answer, outage or a foreign write just before it."""
    end, spec = STORIES[story]
    for place in range(12):
        life = Life(monkeypatch, **spec)
        life.suffers(fault, place)
        story(life)

        reached = life.rests()

        assert end is None or reached[end], f"{fault.name} at request {place}: {dict(reached)}"


def test_a_success_within_a_second_costs_four_writes(monkeypatch):
    """Finalizer, Job, settled status, finalizer again: nothing else, and no read but the pods'."""
    life = Life(monkeypatch)
    life.works()
    life.world.make_pods()
    life.world.start_pods()
    life.works()
    life.ends()

    requests = [(method, path.rsplit("media/", 1)[-1].split("/")[0]) for method, path, _ in life.world.api.requests]
    assert requests == [
        ("PATCH", "asyncoperations"),
        ("POST", "jobs"),
        ("GET", "pods"),
        ("PATCH", "asyncoperations"),
        ("PATCH", "asyncoperations"),
    ]
