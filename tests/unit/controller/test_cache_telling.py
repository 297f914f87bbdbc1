"""What is kept of an operation whose callbacks are still to be told, and when it is wanted again."""

from dataclasses import replace

import pytest

from alo_operator.api.names import REDELIVER_ANNOTATION
from alo_operator.controller.cache import Cache
from alo_operator.desired.subscriptions import target_of
from tests.support.builders import CALLBACKS, UID, at, make_job, make_operation

END = 60  # when `settled()` says that it ended
LATER = "2026-03-01T14:00:00Z"
SOON = "2026-03-01T12:00:30Z"


@pytest.fixture
def cache(clock):
    return Cache()


def telling(due=LATER, state="Pending"):
    """An operation that has ended, with one delivery due then."""
    operation = make_operation().settled().with_finalizer().spec(callbacks=CALLBACKS, metadata={"by": "billing"})
    target = target_of(operation.view().spec.callbacks[0])
    entry = {"name": "billing", "state": state, "target": target, "nextAttemptTime": due}
    return operation.status(deliveries=[entry])


def rests(cache, operation):
    cache.operation_seen(operation.body())
    return cache.operation(UID) is None


def test_hours_until_the_next_attempt_are_spent_at_rest(cache):
    """A dead receiver's operations cost little memory; a moment before the attempt is none to fall asleep for."""
    assert rests(cache, telling())
    assert cache.due(UID) == int(at(7200).timestamp())
    assert not rests(Cache(), telling(SOON))


@pytest.mark.parametrize(
    "operation",
    [
        telling().deleting(at(100)),
        telling().generation(2),
        telling().annotated(**{REDELIVER_ANNOTATION: "billing"}),
        telling(state="Delivered"),
        telling().without_finalizer(),
    ],
    ids=["deleted", "edited", "redelivery asked", "all told, the finalizer still there", "the finalizer lost"],
)
def test_whatever_asks_for_a_pass_keeps_it_awake(cache, operation):
    """Each of these has something to be done at once."""
    assert not rests(cache, operation)


def test_a_redelivery_already_followed_disturbs_no_rest(cache):
    """The annotation may stay for ever, as it does where it stands in Git."""
    assert rests(cache, telling().annotated(**{REDELIVER_ANNOTATION: "billing"}).status(redelivery="billing"))


def test_what_is_revived_for_an_attempt_still_has_what_a_message_needs(cache):
    """The metadata goes along with every message; Job and input do not."""
    rests(cache, telling())

    cache.operation_revived(telling().version(10).body())

    spec = cache.operation(UID).spec
    assert (spec.metadata, spec.job) == ({"by": "billing"}, None)
    assert [callback.name for callback in spec.callbacks] == ["billing"]


def test_a_pass_puts_it_to_rest_where_there_is_time(cache):
    """Also one that has never rested before; its Job is remembered."""
    cache.operation_seen(telling(SOON).body())
    cache.job_seen(make_job().completed(at(END)).view())
    view = cache.operation(UID)

    cache.rest(view, at(50))
    assert cache.operation(UID) is view, "a nap of a minute is not worth a read"

    cache.rest(view, at(4000))
    assert cache.operation(UID) is None
    assert cache.due(UID) == int(at(4000).timestamp())


def test_nobody_falls_asleep_over_a_message_that_is_under_way(cache):
    """Its answer has to be taken in."""
    cache.operation_seen(telling(SOON).body())
    view = cache.operation(UID)
    cache.note(UID, replace(cache.notes(UID), sending=frozenset({"billing"})))

    cache.rest(view, at(4000))

    assert cache.operation(UID) is view
