"""Whose turn it is among the operations of one template."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alo_operator.api.model import format_time
from alo_operator.controller.turns import Turns
from tests.support.builders import at, make_operation

KEY = ("media", "resize-image")


def asked(uid, created=0, **spec):
    made = make_operation(name=uid, uid=uid).spec(templateRef={"name": KEY[1]}, job=None, **spec)
    made._body["metadata"]["creationTimestamp"] = format_time(at(created))
    return made.view()


@pytest.fixture
def woken():
    return []


@pytest.fixture
def turns(woken):
    made = Turns(lambda uid, _: woken.append(uid))
    made.limit(KEY, 1)
    return made


def come(turns, *uids, **spec):
    """These come into being, one a second."""
    for second, uid in enumerate(uids):
        turns.seen(asked(uid, second, **spec), working=False)


def test_the_oldest_goes_first_whoever_asks_first(turns, woken):
    """Creation decides, then the uid."""
    come(turns, "a", "b", "c")

    assert not turns.take("b")
    assert turns.take("a")
    assert not turns.take("b")
    assert turns.waiting == 2
    turns.left("a")
    assert woken[-1] == "b"
    assert not turns.take("c")
    assert turns.take("b")


def test_a_place_is_held_from_the_promise_to_the_end(turns):
    """Asking again changes nothing, nor does the Job when it shows."""
    come(turns, "a", "b")
    assert turns.take("a")
    assert turns.take("a")
    turns.working("a")
    assert not turns.take("b")


def test_nobody_is_let_in_before_everything_is_listed(turns, woken):
    """Work that is known then counts, promises from before do not."""
    come(turns, "a", "b", "c")
    assert turns.take("a")
    turns.close()
    assert not turns.take("a")
    turns.seen(asked("c", 2), working=True)
    turns.open()
    assert woken == []
    assert not turns.take("a")
    turns.left("c")
    assert woken == ["a"]
    assert turns.take("a")


@pytest.mark.parametrize("spec", [{"suspend": True}, {"cancel": {}}, {"callbacks": [{"name": "a"}]}])
def test_who_does_not_want_to_start_holds_nobody_up(turns, woken, spec):
    """Paused, cancelled, or refused as written."""
    come(turns, "a", "b")
    turns.take("b")
    turns.seen(asked("a", 0, **spec), working=False)

    assert woken == ["b"]
    assert turns.take("b")


def test_who_leaves_the_line_with_a_promise_gives_it_to_the_next(turns, woken):
    """As when it is paused before its Job was made; who has work keeps its place."""
    come(turns, "a", "b")
    turns.take("a")
    turns.leave("a")
    assert turns.take("b")
    turns.working("b")
    turns.leave("b")
    assert not turns.take("a")


def test_a_pass_that_did_not_ask_makes_room(turns, woken):
    """Whatever went wrong with the oldest, it goes wrong for it alone."""
    come(turns, "a", "b")
    turns.passed("a")
    assert woken == ["b"]
    assert turns.take("b")
    turns.passed("b")
    assert not turns.take("a")


def test_a_changed_limit_counts_at_once(turns):
    """More are let in, or nobody is turned away who has work; without a limit all may start."""
    come(turns, "a", "b", "c", "d")
    assert turns.take("a")
    turns.limit(KEY, 2)
    assert turns.take("b")
    turns.limit(KEY, 1)
    assert turns.take("b")
    turns.left("a")
    assert not turns.take("c")
    assert turns.without_work(KEY) == ("b", "c", "d")
    turns.limit(KEY, None)
    assert turns.take("d")


class Line(RuleBasedStateMachine):
    """Any order of events: never more than the limit hold a place, and nobody is forgotten."""

    @initialize(limit=st.integers(1, 3))
    def start(self, limit):
        self.due = set()
        self.turns = Turns(lambda uid, _: self.due.add(uid))
        self.turns.limit(KEY, limit)
        self.limit = limit
        self.alive, self.paused, self.holding, self.jobs, self.count = {}, set(), set(), set(), 0

    @rule()
    def create(self):
        self.count += 1
        uid = f"u{self.count}"
        self.alive[uid] = self.count
        self.turns.seen(asked(uid, self.count), working=False)
        self.due.add(uid)

    @precondition(lambda self: self.due)
    @rule(data=st.data())
    def reconcile(self, data):
        uid = data.draw(st.sampled_from(sorted(self.due)))
        self.due.discard(uid)
        if uid not in self.alive or uid in self.jobs:
            return
        if uid in self.paused:
            self.turns.leave(uid)
            self.holding.discard(uid)
        elif self.turns.take(uid):
            self.holding.add(uid)
        self.turns.passed(uid)

    @precondition(lambda self: self.holding - self.jobs)
    @rule(data=st.data())
    def job_shows(self, data):
        uid = data.draw(st.sampled_from(sorted(self.holding - self.jobs)))
        self.jobs.add(uid)
        self.turns.working(uid)

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def end(self, data):
        uid = data.draw(st.sampled_from(sorted(self.alive)))
        for known in (self.holding, self.jobs, self.paused, self.due):
            known.discard(uid)
        del self.alive[uid]
        self.turns.left(uid)

    @precondition(lambda self: set(self.alive) - self.jobs)
    @rule(data=st.data())
    def pause_or_resume(self, data):
        uid = data.draw(st.sampled_from(sorted(set(self.alive) - self.jobs)))
        self.paused ^= {uid}
        self.turns.seen(asked(uid, self.alive[uid], suspend=uid in self.paused), working=False)
        self.due.add(uid)

    @rule(limit=st.integers(1, 3))
    def change_limit(self, limit):
        self.turns.limit(KEY, limit)
        self.limit = max(limit, len(self.holding))
        self.due |= set(self.turns.without_work(KEY))

    @rule()
    def fail_over(self):
        self.turns.close()
        self.holding &= self.jobs
        self.due = set(self.alive)
        self.turns.open()

    @invariant()
    def never_too_many(self):
        assert len(self.holding) <= self.limit

    def teardown(self):
        # Whoever is woken is looked at, until nobody is: then all places are taken, or nobody wants one.
        while self.due:
            uid = min(self.due)
            self.due.discard(uid)
            if uid in self.alive and uid not in self.jobs:
                if uid in self.paused:
                    self.turns.leave(uid)
                    self.holding.discard(uid)
                elif self.turns.take(uid):
                    self.holding.add(uid)
                self.turns.passed(uid)
        wanting = set(self.alive) - self.paused - self.holding
        self.turns.limit(KEY, len(self.holding) + 1)
        if wanting:
            oldest = min(wanting, key=self.alive.__getitem__)
            assert self.turns.take(oldest), f"{oldest} waits although nobody is before it"


Line.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestLine = Line.TestCase
