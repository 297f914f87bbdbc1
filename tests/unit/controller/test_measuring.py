"""What is measured of operations: times from status, times of this process, and what memory holds."""

import pytest

from alo_operator.api.model import format_time
from alo_operator.api.status import Cancellation
from alo_operator.controller import census, metrics
from alo_operator.controller.cache import Cache
from alo_operator.controller.stopwatch import Stopwatch, observe
from tests.support.builders import at, make_operation

DELIVER, SETTLE = "alo_cancellation_deliver_seconds", "alo_cancellation_settle_seconds"
START, RUN, ALL = (
    f"alo_operation_{name}_seconds" for name in ("schedule_to_start", "start_to_close", "schedule_to_close")
)


def sums(name, **labels):
    """Count and sum of a histogram."""
    parts = (metrics.REGISTRY.get_sample_value(f"{name}_{part}", labels) or 0 for part in ("count", "sum"))
    return tuple(parts)


@pytest.fixture
def added():
    """A function that gives how often and how much was observed since the test began."""
    series = [(START, ()), ("alo_job_creation_delay_seconds", ()), ("alo_settle_delay_seconds", ())]
    series += [(name, (("phase", phase),)) for name in (RUN, ALL) for phase in ("Succeeded", "Cancelled")]
    series += [(name, (("source", source),)) for name in (DELIVER, SETTLE) for source in ("Spec", "other")]
    before = {one: sums(one[0], **dict(one[1])) for one in series}

    def difference(name, **labels):
        one = (name, tuple(labels.items()))
        return tuple(now - then for now, then in zip(sums(name, **labels), before[one], strict=True))

    return difference


def ended(phase="Succeeded", **changes):
    promise = "Fulfilled" if phase == "Succeeded" else "Rejected"
    status = make_operation().running(at(4)).settled(phase, promise).view().status
    return status.model_copy(update=changes)


def test_the_start_is_counted_once(added):
    """With the status that has it first, be it the last one."""
    running = make_operation().running(at(4))
    observe(make_operation().view(), running.view().status)
    observe(running.view(), ended())

    assert added(START) == (1, 4)


def test_the_answer_is_counted_by_its_phase(added):
    """From the creation and from the start."""
    observe(make_operation().running(at(4)).view(), ended())

    assert added(ALL, phase="Succeeded") == (1, 60)
    assert added(RUN, phase="Succeeded") == (1, 56)


def test_work_that_never_started_has_no_time_of_running(added):
    """Its creation and its answer are all there is."""
    observe(make_operation().view(), ended("Cancelled", start_time=None))

    assert added(ALL, phase="Cancelled") == (1, 60)
    assert added(RUN, phase="Cancelled") == (0, 0)


@pytest.mark.parametrize(("source", "label"), [("Spec", "Spec"), ("FromTheFuture", "other")])
def test_a_cancellation_is_counted_by_who_asked(added, source, label):
    """Told after 2 s, over after 30 s."""
    asked = Cancellation(request_time=at(30), source=source, deliver_time=at(32), settle_time=at(60))
    observe(make_operation().running(at(4)).view(), ended("Cancelled", cancellation=asked))

    assert added(DELIVER, source=label) == (1, 2)
    assert added(SETTLE, source=label) == (1, 30)


def test_a_cancellation_that_had_nobody_to_tell_has_no_times(added):
    """As the ladder was not climbed."""
    asked = Cancellation(request_time=at(30), source="Spec", settle_time=at(60))
    observe(make_operation().view(), ended("Cancelled", cancellation=asked))

    assert added(SETTLE, source="Spec") == (0, 0)


def test_the_clocks_of_two_machines_may_disagree(added):
    """A start before the creation counts as none, and breaks nothing."""
    observe(make_operation().view(), make_operation().running(at(-5)).view().status)

    assert added(START) == (1, 0)


def test_the_way_from_news_to_job_and_answer_is_measured(added, clock):
    """By the process's own clock, from what was told to what was written; told twice is told once."""
    watch = Stopwatch()
    watch.leads(True)
    watch.new("a")
    clock.advance(0.25)
    watch.new("a")
    watch.job_made("a")
    watch.job_made("a")
    watch.ended("a")
    clock.advance(0.5)
    watch.settled("a")
    watch.settled("a")

    assert added("alo_job_creation_delay_seconds") == (1, 0.25)
    assert added("alo_settle_delay_seconds") == (1, 0.5)


def test_what_waits_for_others_is_not_held_against_the_operator(added, clock):
    """An operation that its first pass did not start, one that is gone, and all that another replica was told."""
    watch = Stopwatch()
    watch.new("told to a standby")
    watch.leads(True)
    watch.new("in line")
    watch.passed("in line")
    watch.ended("gone")
    watch.rests("gone")
    watch.ended("told before the Lease was lost")
    watch.leads(False)
    watch.leads(True)
    clock.advance(9)
    for uid in ("told to a standby", "in line"):
        watch.job_made(uid)
    for uid in ("gone", "told before the Lease was lost"):
        watch.settled(uid)

    assert added("alo_job_creation_delay_seconds") == (0, 0)
    assert added("alo_settle_delay_seconds") == (0, 0)


def test_memory_is_counted_by_phase():
    """All that have ended are one number, at rest or not; the oldest waiting one shows its age."""
    cache = Cache()
    cancellation = {"requestTime": format_time(at(40)), "source": "Spec"}
    for body in (
        make_operation("a", "1").body(),
        make_operation("b", "2").running(at(1)).body(),
        make_operation("c", "3").cancelling(at(40)).status(cancellation=cancellation).body(),
        make_operation("d", "4").settled().body(),
        make_operation("e", "5").with_finalizer().settled("Failed", "Rejected").body(),
    ):
        cache.operation_seen(body)

    census.count(cache, at(100))

    def value(name, **labels):
        return metrics.REGISTRY.get_sample_value(name, labels)

    phases = ("Pending", "Running", "Paused", "Cancelling", "Settled")
    assert [value("alo_operations", phase=phase) for phase in phases] == [1, 1, 0, 1, 2]
    assert value("alo_operations_known") == 5
    assert value("alo_oldest_operation_age_seconds", phase="Pending") == 100
    assert value("alo_oldest_operation_age_seconds", phase="Cancelling") == 60
