"""The operator's decisions and writes under every order of events, faults and crashes that Hypothesis finds."""

import contextlib
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.model.faults import Fault, Strike
from tests.model.laws import Laws
from tests.model.replica import Replica
from tests.model.rest import come_to_rest
from tests.model.world import World
from tests.support.builders import CALLBACKS
from tests.support.clocks import FakeClock

REACHED: Counter[str] = Counter()
SPECS = {
    "plain": {},
    "impatient": {"timeouts": {"scheduleToStart": "30s"}},
    "invalid": {"job_spec": {"selector": {}}},
    "not built yet": {"callbacks": CALLBACKS},
}


class Life(RuleBasedStateMachine):
    """Callers, a cluster and one operator, in any order."""

    names = Bundle("names")

    def __init__(self):
        super().__init__()
        self.patched = pytest.MonkeyPatch()
        self.time = FakeClock().install(self.patched)
        self.world = World()
        self.world.api.before = self.world.refuse_jobs
        self.laws = Laws(self.world)
        self.replica = Replica(self.world, self.time)

    # -- callers

    @initialize(target=names, kind=st.sampled_from(["plain", "impatient"]), known=st.booleans())
    def begin(self, kind, known):
        name = self.world.create(**SPECS[kind])
        self.replica.catch_up()
        if known:
            self.replica.reconcile_all()
        return name

    @rule(target=names, kind=st.sampled_from(["plain", "plain", "plain", *SPECS]))
    def create(self, kind):
        return self.world.create(**SPECS[kind])

    @rule(name=names)
    def delete(self, name):
        self.world.delete(name)

    @rule(name=names)
    def edit(self, name):
        self.world.edit(name)

    @rule(name=names)
    def delete_the_job_by_hand(self, name):
        self.world.delete_job_by_hand(name)

    # -- the cluster

    @rule()
    def work_starts(self):
        self.world.make_pods()
        self.world.start_pods()

    @rule(name=names, exit_code=st.sampled_from([0, 0, 3]), counted=st.booleans())
    def work_ends(self, name, exit_code, counted):
        self.world.end_work(name, exit_code)
        if counted:
            self.world.count_ends()

    @rule(stopped=st.booleans())
    def the_cluster_cleans_up(self, stopped):
        self.world.count_ends()
        self.world.collect()
        if stopped:
            self.world.stop_pods()

    @rule(full=st.booleans())
    def the_quota_changes(self, full):
        self.world.quota_full = full

    # -- time and news

    @rule(seconds=st.sampled_from([0.5, 2, 11, 31, 100]))
    def time_passes(self, seconds):
        self.time.advance(seconds)

    @rule(hours=st.sampled_from([-1, 1]))
    def the_clock_is_set(self, hours):
        self.time.set_wall_clock(timedelta(hours=hours))

    @rule()
    def news_arrive(self):
        self.replica.catch_up()

    @rule(count=st.integers(1, 3))
    def news_are_lost(self, count):
        self.replica.position = min(self.replica.position + count, len(self.world.api.events))

    @rule(data=st.data())
    def old_news_arrive_again(self, data):
        events = self.world.api.events
        if events:
            self.replica.told(*events[data.draw(st.integers(0, len(events) - 1))])

    # -- the operator

    @rule(fault=st.sampled_from([Fault.NONE, Fault.NONE, *Fault]), place=st.integers(0, 4), name=names)
    def the_operator_works(self, fault, place, name):
        with Strike(self.world, fault, place, lambda: self.world.label(name)):
            operation = self.world.operation(name)
            if operation is not None:
                self.replica.reconcile(operation["metadata"]["uid"])

    @rule(
        fault=st.sampled_from([Fault.NONE, Fault.NONE, Fault.NONE, *Fault]),
        place=st.integers(0, 6),
        name=names,
        later=st.sampled_from([0, 2, 11, 31]),
    )
    def the_operator_works_on_all(self, fault, place, name, later):
        self.replica.catch_up()
        self.time.advance(later)
        with Strike(self.world, fault, place, lambda: self.world.label(name)):
            self.replica.reconcile_all()

    @rule()
    def the_operator_restarts(self):
        self.replica.start()

    @invariant()
    def the_laws_hold(self):
        self.laws.hold()

    def teardown(self):
        try:
            come_to_rest(self.world, self.replica, self.time)
            self.laws.hold_at_rest()
        finally:
            REACHED.update(self.laws.phases)
            REACHED["crashes"] += self.replica.crashes
            self.patched.undo()
            with contextlib.suppress(AttributeError):
                super().teardown()


@pytest.mark.promise("OPER-1", "ID-6", "STATUS-2")
def test_the_laws_hold_in_every_order_of_things():
    """Random sequences of callers, cluster, faults and crashes break no law, and all come to rest."""
    run_state_machine_as_test(Life, settings=settings(max_examples=200, stateful_step_count=40))

    print("\nphases reached: " + ", ".join(f"{phase} {count}" for phase, count in sorted(REACHED.items())))
    assert REACHED["Succeeded"]
