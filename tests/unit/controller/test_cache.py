"""What a replica knows, whatever order it is told in."""

import pytest

from alo_operator.api.model import to_wire
from alo_operator.controller.cache import Cache
from alo_operator.controller.resting import Resting
from alo_operator.desired import record
from alo_operator.desired.job_view import JobView
from alo_operator.desired.observed import Notes
from tests.support.builders import UID, at, make_job, make_operation


@pytest.fixture
def cache(clock):
    return Cache()


def test_an_older_or_the_same_version_tells_nothing(cache):
    """Late and repeated events do no harm."""
    assert cache.operation_seen(make_operation().version(10).generation(2).body())
    assert not cache.operation_seen(make_operation().version(10).generation(3).body())
    assert not cache.operation_seen(make_operation().version(9).generation(1).body())

    assert cache.operation(UID).generation == 2
    assert cache.versions() == {UID: 10}
    assert (cache.version(UID), cache.version("none")) == (10, -1)


def test_versions_are_numbers_and_not_texts(cache):
    """10 comes after 9."""
    cache.operation_seen(make_operation().version(9).body())

    assert cache.operation_seen(make_operation().version(10).body())


def test_a_deleted_operation_stays_deleted(cache):
    """An event that was under way does not bring it back, nor its Job."""
    cache.operation_seen(make_operation().body())
    cache.operation_gone(UID)

    assert not cache.operation_seen(make_operation().version(99).body())
    assert not cache.job_seen(make_job().view())
    assert cache.observe(UID) is None
    assert len(cache) == 0


def test_what_is_gone_was_heard_of_too(cache):
    """A start waits for news of every operation, and some are deleted while it waits."""
    cache.operation_seen(make_operation().body())
    assert cache.heard_of(UID)
    cache.operation_gone(UID)

    assert cache.heard_of(UID)
    assert not cache.heard_of("another")


def test_an_operation_of_the_same_name_is_another_one(cache):
    """Identity is the uid."""
    cache.operation_seen(make_operation().body())
    cache.operation_gone(UID)

    assert cache.operation_seen(make_operation(uid="another").body())
    assert cache.place("another") == ("media", "resize")


def test_what_rests_shrinks_to_a_few_words(cache):
    """Settled, followed, without our finalizer: nothing is due, and nothing of its work is kept."""
    cache.operation_seen(make_operation().with_finalizer().version(10).body())
    cache.job_seen(make_job().view())
    cache.note(UID, Notes(last_look=at(1)))

    assert cache.operation_seen(make_operation().settled().version(11).body())

    assert cache._operations[UID] == Resting("media", "resize", 11, job=True, job_due=at(60 + 86_400).timestamp())
    assert (cache._jobs, cache._notes) == ({}, {})
    assert cache.observe(UID) is None
    assert list(cache.unsettled()) == []
    assert cache.place(UID) == ("media", "resize")


@pytest.mark.parametrize(
    "operation",
    [
        make_operation().settled().with_finalizer(),
        make_operation().settled().generation(2),
        make_operation(),
        make_operation().running(at(1)),
    ],
    ids=["with our finalizer", "with a newer spec", "fresh", "running"],
)
def test_what_has_something_due_does_not_rest(cache, operation):
    """Each of these still wants a pass."""
    cache.operation_seen(operation.body())

    assert list(cache.unsettled()) == [UID]
    assert cache.operation(UID) is not None  # one that rests is kept as no view


def test_what_rests_comes_back_when_it_is_edited(cache):
    """A later spec change has to be followed."""
    cache.operation_seen(make_operation().settled().version(10).body())

    assert cache.operation_seen(make_operation().settled().generation(2).version(11).body())
    assert list(cache.unsettled()) == [UID]


def test_a_job_of_a_resting_operation_is_not_kept(cache):
    """Jobs stay for hours after the end; memory does not grow with them."""
    cache.operation_seen(make_operation().settled().body())

    cache.job_seen(make_job().completed(at(5)).view())

    assert (cache.job_versions(), cache._jobs, cache._notes) == ({}, {}, {})


def test_the_spec_is_kept_until_job_and_digest_are_there(cache):
    """Then what only the start needs is let go, and what decisions need stays."""
    body = make_operation().to_start_within("5m").spec(input={"big": "x"}).with_finalizer().body()
    cache.operation_seen(body)
    assert cache.operation(UID).raw_spec is not None
    cache.job_seen(make_job().view())
    status = record.running(cache.operation(UID), make_job().view(), at(1), at(2))

    cache.operation_seen({**body, "metadata": {**body["metadata"], "resourceVersion": "11"}, "status": to_wire(status)})

    slim = cache.operation(UID)
    assert (slim.raw_spec, slim.spec.input, slim.spec.job) == (None, None, None)
    assert slim.spec.timeouts.schedule_to_start == "5m"


def test_a_job_event_that_changes_no_decision_wakes_nobody(cache):
    """Only the version differs."""
    cache.operation_seen(make_operation().body())

    assert cache.job_seen(make_job().version(20).view())
    assert not cache.job_seen(make_job().version(21).view())
    assert cache.job_seen(make_job().ready().version(22).view())
    assert not cache.job_seen(make_job().version(21).view())
    assert cache.observe(UID).job.ready == 1


def test_the_first_sight_of_a_started_job_is_noted(cache, clock):
    """And not moved by later ones."""
    cache.operation_seen(make_operation().body())
    clock.advance(3)
    cache.job_seen(make_job().ready().version(21).view())
    clock.advance(3)
    cache.job_seen(make_job().ready().status(failed=1).version(22).view())

    assert cache.notes(UID).started_seen == at(3)


def test_a_watched_deletion_makes_doubt_and_not_certainty(cache):
    """A lost label looks the same; the last state is kept, since it may hold the outcome."""
    cache.operation_seen(make_operation().body())
    cache.job_seen(make_job().version(20).view())

    assert cache.job_deleted(make_job().completed(at(5)).version(21).view())

    observed = cache.observe(UID)
    assert (observed.job_doubtful, observed.job_gone) == (True, False)
    assert observed.job.end.succeeded


def test_doubt_ends_when_the_job_is_seen_again(cache):
    """The API server's word counts, even at the version known."""
    cache.operation_seen(make_operation().body())
    cache.job_seen(make_job().version(20).view())
    cache.job_doubtful(UID)
    assert cache.observe(UID).job_doubtful

    cache.job_seen(make_job().version(20).view())

    assert not cache.observe(UID).job_doubtful


def test_a_job_known_to_be_gone_is_not_brought_back_by_old_news(cache):
    """The API server has been asked."""
    cache.operation_seen(make_operation().body())
    cache.job_seen(make_job().version(20).view())
    cache.job_gone(UID)

    assert not cache.job_seen(make_job().ready().version(21).view())
    assert not cache.job_deleted(make_job().version(22).view())
    assert cache.observe(UID).job_gone
    assert cache.job_versions() == {}
    assert cache.job_version(UID) == ("", -1)


def test_that_there_is_no_job_is_known_until_one_is_seen(cache):
    """The answer to a look before the start."""
    cache.operation_seen(make_operation().body())
    cache.job_gone(UID)
    assert cache.observe(UID).job_gone

    cache.job_seen(make_job().view())

    assert not cache.observe(UID).job_gone


def test_a_job_may_be_seen_before_its_operation(cache):
    """Two watches have no common order."""
    cache.job_seen(make_job().ready().view())
    assert cache.observe(UID) is None

    cache.operation_seen(make_operation().body())

    assert cache.observe(UID).job.ready == 1


def test_a_job_of_nobody_is_passed_over(cache):
    """Neither an owner nor our label."""
    job = make_job().orphaned()
    job._body["metadata"]["labels"] = {}

    assert not cache.job_seen(job.view())
    assert not cache.job_deleted(job.view())


def test_notes_are_kept_only_for_what_is_under_way(cache):
    """A late answer for a forgotten operation leaves nothing behind."""
    cache.note(UID, Notes(last_look=at(1)))

    assert cache.notes(UID) == Notes()


def test_the_memory_of_deletions_is_bounded(cache, monkeypatch):
    """The oldest are forgotten first."""
    monkeypatch.setattr("alo_operator.controller.cache._REMEMBERED_DELETIONS", 3)
    for number in range(5):
        cache.operation_gone(f"uid-{number}")

    assert cache.operation_seen(make_operation(uid="uid-0").body())
    assert not cache.operation_seen(make_operation(uid="uid-4").body())


@pytest.mark.parametrize("before", [True, False], ids=["operation first", "Job first"])
def test_a_job_of_another_name_does_not_take_the_place_of_the_real_one(cache, before):
    """Whoever may create Jobs can claim any owner, but not the one name that the operation's Job has."""
    false = make_job().version(30).body()
    false["metadata"] |= {"name": "resize-too", "uid": "false"}
    if before:
        cache.operation_seen(make_operation().body())
        cache.job_seen(make_job().version(20).view())
        assert not cache.job_seen(JobView.from_body(false))
        assert cache.observe(UID).job.name == make_job().body()["metadata"]["name"]
        return
    cache.job_seen(JobView.from_body(false))
    cache.operation_seen(make_operation().with_finalizer().body())
    observed = cache.observe(UID)
    assert (observed.job, observed.job_gone) == (None, False), "the real one has to be asked for"
    assert cache.job_versions() == {}
