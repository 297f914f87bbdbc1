"""The operator's decisions and writes in every order of events, faults and crashes that Hypothesis finds."""

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import Phase as Stage
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from alo_operator.api.phases import Phase
from tests.model.faults import Fault
from tests.model.life import KINDS, Life
from tests.model.reached import Reached
from tests.model.receivers import Temper
from tests.model.reference import Answer, Verb, answer_to

POLICIES = ("Background", "Foreground", "Orphan")
MANNERS = ("dies", "hands over", "ignores")
KIND = ("plain", "plain", "templated", *KINDS)
RETENTIONS = ({"job": "5s"}, {"record": "15s"}, {"job": "1h", "record": "1h"}, None)
TEMPERS = tuple(Temper)
WHICH = range(6)
REPLICAS = (1, 2)
STEPS = 40
WORKERS = (
    *("started", "success", "failure", "stopped", "partial result", "ignored SIGTERM"),
    *("progress", "result handed in", "evicted", "node gone", "lost pod"),
)

TOLD = ("Delivered", "DeadLettered", "gone", "tried in vain", "given up", "told again")
OTHERS = (
    *("crashes", "time jumped", "news lost", "watches cut", "template made", "limit raised", "template deleted"),
    *("Job let go", "record let go", *(f"Job deleted by hand ({policy})" for policy in POLICIES)),
)
MOVES: list[tuple[Callable[..., None], Callable[..., bool], dict[str, Sequence[object]]]] = []


def move(when=lambda _: True, **choices):
    """A move that is open while `when` holds; its arguments are chosen by Hypothesis, or by dice."""

    def note(method):
        MOVES.append((method, when, choices))
        return precondition(when)(rule(**{name: st.sampled_from(among) for name, among in choices.items()})(method))

    return note


def troubled(player):
    """Whether things may go wrong that plain operations need not bear within their budget."""
    return not player.calm


REACHED = Reached()


class AnyLife(RuleBasedStateMachine):
    """Callers, a cluster and one or two operators, in any order."""

    @initialize(replicas=st.sampled_from(REPLICAS), calm=st.booleans(), kind=st.sampled_from(KIND))
    def begin(self, replicas, calm, kind):
        self.life, self.calm = Life(replicas), calm
        self.life.create(kind)

    def name(self, which):
        return self.life.names[which % len(self.life.names)]

    def replica(self, which):
        return self.life.replicas[which % len(self.life.replicas)]

    # -- callers

    @move(when=lambda self: len(self.life.names) < 4, kind=KIND)
    def create(self, kind):
        self.life.create(kind)

    @move(verb=tuple(Verb), which=WHICH, policy=POLICIES, temper=TEMPERS)
    def ask(self, verb, which, policy, temper):
        """What a caller hears is what the reference says."""
        name, world = self.name(which), self.life.world
        record = world.operation(name)
        spec = record["spec"] if record else {}
        again = {
            Verb.APPLY_SAME: world.says_the_same(name),
            Verb.CANCEL: spec.get("cancel") == {"reason": "withdrawn"},
            Verb.PAUSE: spec.get("suspend") is True,
            Verb.RESUME: spec.get("suspend") is False,
            Verb.SUBSCRIBE: world.subscribes(name, temper),
            Verb.UNSUBSCRIBE: not world.subscribes(name, temper),
        }
        do = {
            Verb.CREATE: lambda: world.create(name, KINDS[self.life.kinds[name]]),
            Verb.APPLY_SAME: lambda: world.apply_the_same(name),
            Verb.APPLY_OTHER: lambda: world.apply_other_work(name),
            Verb.CANCEL: lambda: world.cancel(name),
            Verb.PAUSE: lambda: world.pause(name),
            Verb.RESUME: lambda: world.resume(name),
            Verb.SUBSCRIBE: lambda: world.subscribe(name, temper),
            Verb.UNSUBSCRIBE: lambda: world.unsubscribe(name, temper),
            Verb.TELL_AGAIN: lambda: world.tell_again(name, temper if world.subscribes(name, temper) else "*"),
            Verb.DELETE: lambda: world.delete(name, policy),
        }
        heard = do[verb]()
        assert heard is answer_to(verb, recorded=record is not None, there_already=again.get(verb, False))

    @move(which=WHICH, ready_when=["Accepted", "Started", "Succeeded"])
    def edit(self, which, ready_when):
        self.life.world.edit(self.name(which), ready_when)

    @move(which=WHICH, retention=RETENTIONS)
    def keep(self, which, retention):
        self.life.world.keep(self.name(which), retention)

    # -- other people and the cluster

    @move(what=["offer", "offer", "away"])
    def the_template_changes(self, what):
        if what == "offer":
            REACHED.others[self.life.world.offer_template()] += 1
        else:
            REACHED.others["template deleted"] += self.life.world.take_template_away()

    @move(what=["quota", "job", "evict", "dies", "removed", "receivers"], which=WHICH, how=range(3))
    def somebody_interferes(self, what, which, how):
        name, life = self.name(which), self.life
        if what == "quota":
            life.world.quota_full = how == 0
        elif what == "job":
            REACHED.others[f"Job deleted by hand ({POLICIES[how]})"] += life.world.delete_job_by_hand(
                name, POLICIES[how]
            )
        elif what == "receivers":
            life.world.receivers.up = how == 0
        elif what == "evict":
            life.machinery.evict(name)
        elif what == "dies":
            life.machinery.node_dies(name)
        else:
            life.machinery.nodes_are_removed()

    @move(
        what=["look", "start", "end", "stop", "collect", "report", "progress"],
        which=WHICH,
        manners=MANNERS,
        late=(False, True),
    )
    def the_cluster_moves(self, what, which, manners, late):
        machinery = self.life.machinery
        if what == "look":
            machinery.sync_jobs(late=late)
        elif what == "start":
            machinery.start_pods()
        elif what == "end":
            machinery.end_work(self.name(which), 3 if late else 0)
        elif what == "stop":
            machinery.stop_pods(manners=manners, rest_too=not late)
        elif what in ("report", "progress"):
            machinery.report(self.name(which), "handed in" if what == "report" else None)
        else:
            machinery.collect()

    @move(seconds=[1, 2, 5, 12, 31], starts=(False, True), manners=MANNERS)
    def everything_goes_on(self, seconds, starts, manners):
        self.life.start_the_dead()
        self.life.goes_on(seconds, starts=starts, manners=manners)

    @move(manners=MANNERS)
    def everything_goes_on_well(self, manners):
        self.life.start_the_dead()
        self.life.goes_on(3, manners=manners)

    @move(which=WHICH, exit_code=[0, 0, 0, 3])
    def work_is_done(self, which, exit_code):
        self.life.start_the_dead()
        self.life.goes_on(3)
        self.life.machinery.end_work(self.name(which), exit_code)
        self.life.goes_on(2)

    # -- time and news

    @move(seconds=[0.2, 1, 3, 11, 31, 100])
    def time_passes(self, seconds):
        self.life.sim.pass_time(seconds)

    @move(when=troubled, how=["sleep", "clock"], which=WHICH)
    def time_jumps(self, how, which):
        self.life.disturbed = True
        REACHED.others["time jumped"] += 1
        if how == "sleep":
            self.life.sim.leap((20, 100, 5000)[which % 3])
        else:
            self.life.clock_is_set((-1, 1, 24)[which % 3])

    @move(which=WHICH, most=[1, 2, 100], late=["", "", "jobs", "asyncoperations"])
    def news_arrive(self, which, most, late):
        self.replica(which).catch_up(most, late=late)

    @move(when=troubled, how=["lost", "again", "anew"], which=WHICH, event=range(10_001))
    def news_go_wrong(self, how, which, event):
        self.life.disturbed = True
        replica = self.replica(which)
        if how == "lost":
            REACHED.others["news lost"] += replica.miss(1 + event % 3)
        elif how == "again":
            replica.hear_again(event)
        else:
            replica.begin_anew()
            REACHED.others["watches cut"] += 1

    # -- the operators

    @move(when=troubled, fault=tuple(Fault), place=range(4))
    def a_request_meets(self, fault, place):
        self.life.strike(fault, place)
        self.life.hear()

    @move(when=troubled, which=WHICH, how=["hold", "one", "one", "one", "all"], request=range(41))
    def requests_are_held_up(self, which, how, request):
        self.life.disturbed = True
        replica = self.replica(which)
        if not replica.alive:
            return
        if how == "hold":
            replica.line.held = True
        elif how == "one":
            replica.line.let_through(request)
        else:
            replica.line.release()
        self.life.sim.settle()

    @move(when=troubled, which=WHICH, how=["killed", "stopped", "started"])
    def an_operator_is(self, how, which):
        self.life.disturbed = True
        replica = self.replica(which)
        if how == "killed":
            replica.crash()
            self.life.sim.settle()
        elif how == "stopped":
            replica.stop()
        elif not replica.alive:
            replica.start()

    @invariant()
    def the_laws_hold(self):
        if hasattr(self, "life"):
            self.life.hold()

    def teardown(self):
        if not hasattr(self, "life"):
            return
        try:
            self.life.rests()
        finally:
            REACHED.add(self.life)
            self.life.close()


def try_sequences(examples):
    """Sequences that Hypothesis finds, and makes small where they break a law."""
    # Explaining a failure would trace every line, which takes five times as long.
    phases = (Stage.explicit, Stage.generate, Stage.shrink)
    run_state_machine_as_test(AnyLife, settings=settings(max_examples=examples, stateful_step_count=40, phases=phases))


def throw_dice(seeds):
    """Lives of all kinds, as evenly spread as dice fall. Raises AssertionError with the seed and all its moves."""
    for seed in seeds:
        dice, player, moves = random.Random(seed), AnyLife(), []
        random.seed(seed)  # the operator's own jitter
        try:
            AnyLife.begin(player, dice.choice(REPLICAS), dice.choice((False, True)), dice.choice(KIND))
            for _ in range(STEPS):
                method, _, choices = dice.choice([each for each in MOVES if each[1](player)])
                chosen = {name: dice.choice(among) for name, among in choices.items()}
                moves.append(f"{method.__name__}({chosen})")
                method(player, **chosen)
                player.the_laws_hold()
            player.teardown()
        except BaseException as error:
            raise AssertionError("\n".join([f"{error}", f"dice {seed}:", *moves])) from error


@pytest.mark.promise("OPER-1", "ID-6", "STATUS-2", "STATUS-5", "CANCEL-6", "DELIVERY-1", "DELIVERY-2", "DELIVERY-3")
@pytest.mark.timeout(900)  # a failure is made small before it is shown
def test_the_laws_hold_in_every_order_of_things():
    """Random sequences break no law, and all end as the reference promise says."""
    try_sequences(30)

    assert REACHED.phases[Phase.SUCCEEDED]


@pytest.mark.promise("OPER-1", "OPER-2", "OPER-3", "RETAIN-4", "DELIVERY-1", "DELIVERY-10", "DELIVERY-12")
def test_every_phase_verb_and_fault_is_met():
    """Lives by dice break no law either; together they reach each phase, do each verb, and suffer each fault."""
    throw_dice(range(150))

    print(f"\n{REACHED.table()}")
    assert set(REACHED.phases) == set(Phase)
    assert {verb for verb, answer in REACHED.verbs if answer is Answer.TAKEN} == set(Verb)
    assert REACHED.verbs[Verb.APPLY_OTHER, Answer.REFUSED]
    assert REACHED.verbs[Verb.APPLY_SAME, Answer.UNCHANGED]
    assert set(REACHED.faults) == {fault.name.lower() for fault in Fault}
    assert all(REACHED.workers[what] for what in WORKERS)
    assert set(REACHED.receivers) == set(Temper)
    assert all(REACHED.told[what] for what in TOLD)
    assert all(REACHED.others[what] for what in OTHERS)


@pytest.mark.full
@pytest.mark.promise("OPER-1", "ID-6", "STATUS-2")
@pytest.mark.timeout(3600)
def test_many_more_lives_keep_the_laws():
    """The same with many more sequences, other ones in each run."""
    first = random.SystemRandom().randrange(10**9)
    throw_dice(range(first, first + 1500))
    try_sequences(500)

    assert set(REACHED.phases) == set(Phase)
