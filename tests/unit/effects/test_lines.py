"""Who is told next, and what waits."""

import pytest

from alo_operator.api.spec import Callback, CallbackFormat
from alo_operator.effects import lines
from alo_operator.effects.lines import Item, Lines
from tests.support.builders import make_operation

CALLBACK = Callback(name="a", url="https://a.example/", format=CallbackFormat.CLOUD_EVENTS)


@pytest.fixture
def few(monkeypatch):
    """Room for two of a line, three of a namespace, five in all, and two that wait."""
    for name, number in (("AT_ONCE_LINE", 2), ("AT_ONCE_NAMESPACE", 3), ("AT_ONCE", 5), ("WAITING", 2), ("LINES", 4)):
        monkeypatch.setattr(lines, name, number)
    return Lines()


def item(number=0):
    return Item(make_operation("resize", f"uid-{number}").view(), CALLBACK, "target")


def put(all_lines, place, number=0):
    namespace, _, host = place.partition("/")
    return all_lines.add(all_lines.line(namespace, host, 0.0), item(number))


def taken(all_lines, at_most=100):
    """The places of what is taken until there is nothing, or no room."""
    found = []
    while len(found) < at_most and (one := all_lines.take()):
        found.append(f"{one[0].namespace}/{one[0].origin}")
    return found


def test_a_line_sends_in_order_and_so_many_at_once(few):
    """The next goes when one is over; more than may wait find no place."""
    assert [put(few, "media/a", number) for number in range(3)] == [True, True, False]
    first, second = few.take(), few.take()
    assert put(few, "media/a", 3)

    assert (first[1].key, second[1].key) == (("uid-0", "a"), ("uid-1", "a"))
    assert few.take() is None
    few.done(first[0])
    assert few.take()[1].key == ("uid-3", "a")


def test_a_namespace_has_room_for_so_many(few):
    """However many destinations it tells of."""
    for host in "abcde":
        put(few, f"media/{host}")

    assert taken(few) == ["media/a", "media/b", "media/c"]
    few.done(few.line("media", "a", 0.0))
    assert taken(few) == ["media/d"]


def test_namespaces_and_destinations_take_turns(few):
    """Whoever has many waiting does not go before whoever has one."""
    for place in ("media/a", "media/a", "media/b", "media/b", "other/x", "other/x"):
        put(few, place, len(place))
        put(few, place, 1)

    assert taken(few) == ["media/a", "other/x", "media/b", "other/x", "media/a"]
    assert few.in_flight == 5


def test_what_is_withdrawn_is_not_sent(few):
    """And leaves nothing behind."""
    for number in range(2):
        put(few, "media/a", number)
    line = few.line("media", "a", 0.0)

    assert [found.key for found in few.withdraw(line, [("uid-0", "a"), ("uid-9", "a")])] == [("uid-0", "a")]
    assert [found.key for found in few.withdraw(line, [("uid-1", "a")])] == [("uid-1", "a")]
    assert few.take() is None
    assert (few._rooms, dict(few._ready)) == ({}, {})


def test_everything_over_leaves_no_room_in_use(few):
    """Counts come back to nothing, whatever the order."""
    for place in ("media/a", "media/b", "other/x"):
        put(few, place)
    going = [few.take()[0] for _ in range(3)]
    for line in reversed(going):
        few.done(line)

    assert (few.in_flight, few._rooms, dict(few._ready)) == (0, {}, {})


def test_lines_that_need_no_remembering_go_first(few):
    """A destination that counts as down is remembered longer than one that is well; one in use always."""
    down, busy = few.line("media", "down", 0.0), few.line("media", "busy", 0.0)
    for _ in range(5):
        down.breaker.failed(0.0, 0.0)
    put(few, "media/busy")
    for number in range(50):
        few.line("media", f"well-{number}", 1.0)

    assert few.line("media", "down", 1.0) is down
    assert few.line("media", "busy", 1.0) is busy
    assert len(few) <= 5


def test_there_is_no_end_of_lines_that_are_remembered(few):
    """Not even of those that are down."""
    for number in range(50):
        line = few.line("media", f"down-{number}", 0.0)
        for _ in range(5):
            line.breaker.failed(0.0, 0.0)

    assert len(few) <= 5
