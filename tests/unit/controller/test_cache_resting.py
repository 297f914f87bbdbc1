"""What is kept of an operation that has ended, and when it is wanted again."""

import json
import tracemalloc

import pytest

from alo_operator.controller.cache import Cache
from alo_operator.desired.settings import Settings
from tests.support.builders import UID, at, make_job, make_operation

DAY = 86_400
END = 60  # when `settled()` says that it ended


@pytest.fixture
def cache(clock):
    return Cache()


def settled(**retention):
    return make_operation().settled().spec(retention=retention or None)


def done():
    """Its Job."""
    return make_job().completed(at(END))


def seconds(moment):
    return int(at(moment).timestamp())


def revived(cache, operation, version=10):
    """Have an operation that rests read again; its view."""
    cache.operation_revived(operation.version(version).body())
    return cache.operation(UID)


def test_a_job_is_due_only_where_there_is_one(cache):
    """Watches tell of Jobs and operations in no common order."""
    cache.operation_seen(settled().body())
    assert cache.due(UID) is None

    assert cache.job_seen(done().view())
    assert cache.due(UID) == seconds(END + DAY)
    assert not cache.job_seen(done().version(21).view())

    cache.job_deleted(done().view())
    assert cache.due(UID) is None


def test_a_job_seen_first_is_not_forgotten(cache):
    """As a list of Jobs may come before that of operations."""
    cache.job_seen(done().view())
    cache.operation_seen(settled().body())

    assert list(cache.resting()) == [(UID, seconds(END + DAY))]


def test_a_job_that_is_going_is_as_good_as_gone(cache):
    """Nobody needs to delete it again."""
    cache.job_seen(done().deleting(at(70)).view())
    cache.operation_seen(settled().body())

    assert cache.due(UID) is None


def test_a_record_is_due_by_itself(cache):
    """Whichever comes first."""
    cache.job_seen(done().view())
    cache.operation_seen(settled(job="1h", record="30m").body())

    assert cache.due(UID) == seconds(END + 1800)


def test_the_default_is_the_settings(clock):
    """`never` means that nothing is due."""
    for default, due in (("5m", seconds(END + 300)), (None, None)):
        cache = Cache(Settings(retention_job=default))
        cache.job_seen(done().view())
        cache.operation_seen(settled().body())
        assert cache.due(UID) == due


def test_an_edit_wakes_what_rests_and_the_job_is_remembered(cache):
    """No read is needed to know of it."""
    cache.job_seen(done().view())
    cache.operation_seen(settled().version(10).body())
    cache.operation_seen(settled(job="1h").generation(2).version(11).body())
    assert not cache.observe(UID).job_gone

    cache.operation_seen(settled(job="1h").generation(2).status(observedGeneration=2).version(12).body())

    assert cache.due(UID) == seconds(END + 3600)


def test_what_is_revived_is_whole_and_goes_back_to_rest(cache):
    """With what is still to come; what has been looked into is not looked into again."""
    operation = settled(job="1h", record="2h")
    cache.job_seen(done().view())
    cache.operation_seen(operation.body())

    view = revived(cache, operation)
    assert (view.spec.retention.record, view.raw_spec) == ("2h", None)
    assert cache.observe(UID).job is None
    assert not cache.observe(UID).job_gone
    cache.job_gone(UID)
    cache.rest(view, at(END + 7200))

    assert cache.due(UID) == seconds(END + 7200)
    assert cache._operations[UID].job is False
    assert (cache._jobs, cache._awake, cache._jobless, cache._notes) == ({}, {}, set(), {})


def test_a_job_that_is_not_to_be_deleted_is_not_asked_for_for_ever(cache):
    """A copy of it, or somebody else's under our label, was looked at once."""
    operation = settled(job="0", record="2h")
    cache.job_seen(done().view())
    cache.operation_seen(operation.body())

    view = revived(cache, operation)
    cache.job_seen(make_job().uid("a copy").view())
    cache.rest(view, at(END + 7200))

    assert cache.due(UID) == seconds(END + 7200)


def test_only_what_has_rested_goes_back_to_rest(cache):
    """An operation of which something is due to others is no business of a pass that finds nothing."""
    cache.operation_seen(make_operation().body())
    cache.rest(cache.operation(UID), None)

    assert cache.operation(UID) is not None


def test_news_during_a_pass_count(cache):
    """What was decided on an older view does not put the newer one to rest."""
    operation = settled(record="1h")
    cache.operation_seen(operation.body())
    view = revived(cache, operation)
    cache.operation_seen(operation.generation(2).version(11).body())

    cache.rest(view, None)

    assert cache.operation(UID).generation == 2


def test_what_was_not_asked_for_is_not_revived(cache):
    """A late answer for what is gone, unknown or awake."""
    cache.operation_revived(settled().body())
    assert cache.operation(UID) is None

    cache.operation_seen(make_operation().version(10).body())
    cache.operation_revived(settled().version(11).body())
    assert not cache.operation(UID).settled


def test_a_list_of_jobs_mends_what_watches_lost(cache):
    """In both directions."""
    cache.operation_seen(settled().body())
    cache.jobs_listed({UID})
    assert cache.due(UID) is not None

    cache.jobs_listed(set())
    assert cache.due(UID) is None


def test_a_held_record_is_not_wanted_again_until_something_changes(cache):
    """The condition says why; without the sign, or with another, it is wanted at once."""
    said = {"type": "Retained", "status": "True", "reason": "OwnedByHelm"}
    held = settled(record="1s").status(conditions=[said])
    held._body["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "Helm"}
    cache.operation_seen(held.version(10).body())
    assert cache.due(UID) is None

    held._body["metadata"]["labels"] = {}
    cache.operation_seen(held.version(11).body())
    assert cache.due(UID) == seconds(END)


def test_a_moment_with_a_fraction_is_not_due_too_early(cache):
    """Rest is reckoned in whole seconds."""
    cache.operation_seen(settled(record="1s").status(completionTime="2026-03-01T12:01:00.5Z").body())

    assert cache.due(UID) == seconds(END + 2)


def test_fifty_thousand_resting_operations_need_little_memory(clock):
    """Well below a kilobyte each, uid and name included."""
    cache, count = Cache(), 2000
    bodies = [
        json.dumps(
            make_operation(f"invoice-{number:08d}-resize", f"{number:08d}{UID[8:]}")
            .settled()
            .spec(retention={"record": f"{number}s"})
            .body()
        )
        for number in range(count)
    ]
    tracemalloc.start()
    for body in bodies:
        cache.operation_seen(json.loads(body))
    used = tracemalloc.get_traced_memory()[0] / count
    tracemalloc.stop()

    assert len(list(cache.resting())) == count
    assert used < 700, f"{used:.0f} bytes each"
