"""Lives of single operations in the same world: each has its one end, and no fault at any request changes it."""

from collections import Counter
from collections.abc import Callable

import pytest

from alo_operator.api.phases import Phase
from tests.model.faults import Fault
from tests.model.life import KINDS, Life
from tests.model.receivers import Temper
from tests.model.reference import ENDS

MOST_REQUESTS = 20  # that the operator makes in any story


STORIES: dict[str, tuple[Callable[[Life, str], None], str, Phase | None]] = {}


def told(end, kind="plain"):
    """What happens to an operation of a kind is a story, and `end` the phase it comes to (None: the record is gone)."""

    def tell_it(story):
        STORIES[story.__name__] = (story, kind, end)
        return story

    return tell_it


def ends(life, name, exit_code=0):
    """Until the worker has run to its end, and status says so."""
    life.goes_on_until(lambda: life.pods(name, "Running"))
    life.machinery.end_work(name, exit_code)
    life.goes_on_until(lambda: life.phase(name) in {*ENDS, None})


def ended(life, name, *, starts=True):
    life.goes_on_until(lambda: life.phase(name) in {*ENDS, None}, starts=starts)


def hears(life, name, times=1):
    """Until all who subscribe have taken the outcome, `times` times at least, and status says so."""

    def heard():
        record = life.world.operation(name)
        told = [entry["state"] == "Delivered" for entry in record["status"].get("deliveries", ())]
        return told and all(told) and min(life.world.receivers.taken.values()) >= times

    life.goes_on_until(heard)


@told(Phase.SUCCEEDED)
def succeeds(life, name):
    ends(life, name)


@told(Phase.FAILED)
def fails(life, name):
    ends(life, name, 3)


@told(Phase.SUCCEEDED, kind="retrying")
def succeeds_at_the_second_try(life, name):
    life.begins(name)
    life.machinery.end_work(name, 3)
    ends(life, name)


@told(Phase.CANCELLED)
def is_cancelled(life, name):
    life.begins(name)
    life.world.cancel(name)
    life.goes_on(manners="hands over")
    ended(life, name)


@told(Phase.CANCELLED)
def is_cancelled_before_its_start(life, name):
    life.world.quota_full = True
    life.goes_on()
    life.world.cancel(name)
    ended(life, name)


@told(None)
def is_withdrawn(life, name):
    life.begins(name)
    life.world.delete(name)
    ended(life, name)


@told(None)
def is_withdrawn_before_its_start(life, name):
    life.hear()
    life.world.delete(name)
    ended(life, name)


@told(Phase.SUCCEEDED)
def is_cancelled_too_late(life, name):
    life.begins(name)
    life.machinery.end_work(name, 0)
    life.machinery.sync_jobs()
    life.world.cancel(name)
    ended(life, name)


@told(Phase.SUCCEEDED)
def is_paused_and_resumed(life, name):
    life.begins(name)
    life.world.pause(name)
    life.goes_on_until(lambda: life.phase(name) is Phase.PAUSED)
    life.world.resume(name)
    life.begins(name)
    ends(life, name)


@told(Phase.CANCELLED)
def is_paused_and_cancelled(life, name):
    life.begins(name)
    life.world.pause(name)
    life.goes_on_until(lambda: life.phase(name) is Phase.PAUSED)
    life.world.cancel(name)
    ended(life, name)


@told(Phase.SUCCEEDED, kind="paused")
def is_paused_from_the_beginning(life, name):
    life.goes_on_until(lambda: life.phase(name) is Phase.PAUSED)
    life.world.resume(name)
    ends(life, name)


@told(Phase.TIMED_OUT, kind="impatient")
def starts_too_late(life, name):
    life.goes_on(31, starts=False)
    ended(life, name, starts=False)


@told(Phase.TIMED_OUT, kind="hurried")
def takes_too_long(life, name):
    life.begins(name)
    ended(life, name)


@told(Phase.FAILED)
def loses_its_job(life, name):
    life.begins(name)
    life.world.delete_job_by_hand(name, "Foreground")
    ended(life, name)


@told(Phase.SUCCEEDED)
def loses_its_node(life, name):
    life.begins(name)
    life.machinery.node_dies(name)
    life.goes_on(10)
    life.machinery.nodes_are_removed()
    ends(life, name)


@told(Phase.CANCELLED)
def is_cancelled_on_a_dead_node(life, name):
    life.begins(name)
    life.machinery.node_dies(name)
    life.world.cancel(name)
    ended(life, name)


@told(Phase.FAILED)
def loses_node_and_job(life, name):
    life.begins(name)
    life.machinery.node_dies(name)
    life.world.delete_job_by_hand(name, "Foreground")
    ended(life, name)


@told(Phase.CANCELLED)
def is_changed_while_it_is_being_paused(life, name):
    life.begins(name)
    life.machinery.node_dies(name)
    life.world.pause(name)
    life.goes_on(5)
    life.world.keep(name, {"job": "1h"})
    life.goes_on_until(lambda: life.follows(name))
    life.world.cancel(name)
    ended(life, name)


@told(Phase.SUCCEEDED)
def waits_for_a_quota(life, name):
    life.world.quota_full = True
    life.goes_on()
    life.world.quota_full = False
    ends(life, name)


@told(Phase.SUCCEEDED)
def hands_in_its_result(life, name):
    life.begins(name)
    life.machinery.report(name, "handed in")
    ends(life, name)


@told(None, kind="kept shortly")
def is_kept_shortly(life, name):
    ends(life, name)
    life.goes_on_until(lambda: life.phase(name) is None)


@told(Phase.SUCCEEDED, kind="told twice")
def is_told(life, name):
    ends(life, name)
    hears(life, name)


@told(Phase.SUCCEEDED, kind="told by and by")
def is_told_by_and_by(life, name):
    ends(life, name)
    hears(life, name)


@told(Phase.SUCCEEDED)
def is_told_late_and_again(life, name):
    ends(life, name)
    life.world.subscribe(name, Temper.TAKES)
    hears(life, name)
    life.world.tell_again(name)
    hears(life, name, times=2)


@told(Phase.FAILED, kind="told in vain")
def is_told_in_vain_until_somebody_unsubscribes(life, name):
    ends(life, name, 3)
    life.goes_on_until(lambda: life.world.receivers.seen[Temper.DEAD])
    life.world.unsubscribe(name, Temper.DEAD)


@told(None, kind="told")
def is_withdrawn_and_told(life, name):
    life.begins(name)
    life.world.delete(name)
    ended(life, name)
    life.goes_on_until(lambda: life.phase(name) is None)


@told(None, kind="told nothing")
def is_withdrawn_and_told_nothing(life, name):
    ends(life, name)
    life.world.delete(name)
    life.goes_on_until(lambda: life.phase(name) is None)


@told(None, kind="told and let go")
def is_told_and_let_go(life, name):
    life.world.receivers.up = False
    ends(life, name)
    life.goes_on(20)
    life.world.receivers.up = True
    life.goes_on_until(lambda: life.phase(name) is None)


def tell(story, *, fault=None, place=0):
    """One life; its laws, the phases that it passed through, and whether the fault met a request."""
    tale, kind, _ = STORIES[story]
    life = Life()
    try:
        life.sim.pass_time(1)
        if fault:
            life.strike(fault, place)
        name = life.create(kind)
        tale(life, name)
        life.rests(thoroughly=fault is None)
        return life.phase(name), Counter(life.laws.phases), life.struck()
    finally:
        life.close()


@pytest.mark.parametrize("story", STORIES)
def test_a_life_ends_as_it_should(story):
    """Without any trouble each story has its one end."""
    end, reached, _ = tell(story)

    assert end is STORIES[story][2]
    assert sum(reached[phase] for phase in ENDS) == 1, dict(reached)


@pytest.mark.promise("OPER-1", "ID-6", "PAUSE-4", "DELIVERY-1")
@pytest.mark.parametrize("story", STORIES)
def test_a_fault_at_any_request_changes_no_end(story):
    """Tried at each request of the operator in turn: it dies, the answer is lost, or somebody writes just before."""
    faults = {Fault.CRASH_AFTER, Fault.LOST_ANSWER, Fault.TOUCHED}

    assert withstood(story, faults) == faults


@pytest.mark.full
@pytest.mark.promise("OPER-1", "ID-6", "PAUSE-4", "OPER-4")
@pytest.mark.parametrize("story", STORIES)
def test_no_kind_of_fault_at_any_request_changes_an_end(story):
    """The same with every kind of trouble that a request can meet."""
    assert withstood(story, Fault) == set(Fault)


def withstood(story, faults):
    """The kinds of faults that met some request, each of which left the end as it was. Raises AssertionError else."""
    tried = set()
    for fault in faults:
        for place in range(MOST_REQUESTS):
            end, reached, struck = tell(story, fault=fault, place=place)
            if not struck:
                break
            tried.add(fault)
            assert end is STORIES[story][2], f"{fault.name} at request {place}: {dict(reached)}"
    return tried


def test_every_phase_is_reached_by_some_story():
    """The stories together pass through all phases, and begin every kind of operation but those never run."""
    reached = Counter()
    for story in STORIES:
        reached.update(tell(story)[1])

    assert set(reached) == set(Phase)
    assert {kind for _, kind, _ in STORIES.values()} <= set(KINDS)
