"""What becomes of reports: one write in five seconds, the latest wins, results at once."""

import asyncio
import contextlib
import itertools

import pytest

from alo_operator.desired.progress import read_progress
from alo_operator.desired.results import read_handed
from alo_operator.errors import ApiUnreachable, Conflict, ReportRefused


def said(site, text):
    return read_progress(text.encode(), site.clock.now())


async def report(site, text, attempt=None):
    await site.reports.progress(attempt or site.attempt(), said(site, text))


async def hand_in(site, raw, attempt=None):
    await site.reports.result(attempt or site.attempt(), read_handed(raw, ""))


async def later(seconds):
    """Let that much time pass, with all that is due in it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()


def refused(site, work):
    with pytest.raises(ReportRefused) as error:
        site.clock.run(work)
    return error.value.reason


def patches(site):
    return [code for method, _, code in site.api.requests if method == "PATCH"]


@pytest.mark.promise("REPORT-4")
def test_a_hundred_reports_in_three_seconds_are_two_writes(site):
    """The first at once, the last when its time has come."""

    async def scene():
        for number in range(100):
            await report(site, f'{{"done": {number}, "total": 1000}}')
            site.clock.advance(0.03)
        assert (len(patches(site)), site.status()["progress"]["done"]) == (1, 0)
        await later(5)

    site.clock.run(scene())

    assert len(patches(site)) == 2
    assert site.status()["progress"]["done"] == 99
    assert site.reports.waiting == 0


@pytest.mark.promise("REPORT-4")
def test_over_a_minute_there_are_twelve_writes(site):
    """Whatever the worker's pace."""
    times = []

    async def scene():
        for number in range(600):
            before = len(patches(site))
            await report(site, f'{{"done": {number}}}')
            await later(0.1)
            times.extend([site.clock.seconds] * (len(patches(site)) - before))

    site.clock.run(scene())

    assert 11 <= len(times) <= 13
    assert [round(b - a, 1) for a, b in itertools.pairwise(times) if b - a < 4.85] == [], times


@pytest.mark.promise("REPORT-4")
def test_that_all_is_done_is_said_at_once(site):
    """The operation may settle before the next write's time; once only, however often it is said."""

    async def scene():
        for number in range(1, 11):
            await report(site, f'{{"done": {number}, "total": 10}}')
        for _ in range(10):
            await report(site, '{"done": 10, "total": 10}')

    site.clock.run(scene())

    assert len(patches(site)) == 2
    assert site.status()["progress"]["summary"] == "10/10"


def test_a_heartbeat_keeps_what_was_said(site):
    """Only its time is new; a report that says something says all there is to say."""

    async def scene():
        await report(site, '{"percent": 40, "message": "resizing"}')
        await later(10)
        await report(site, "{}")
        assert site.status()["progress"] | {"updateTime": ""} == {
            "percent": 40,
            "message": "resizing",
            "summary": "40%",
            "updateTime": "",
        }
        assert site.status()["progress"]["updateTime"] == "2026-03-01T12:00:10Z"
        await later(10)
        await report(site, '{"percent": 50}')

    site.clock.run(scene())

    assert "message" not in site.status()["progress"]


def test_after_a_restart_a_heartbeat_keeps_what_was_said_too(site):
    """It is read from status, if it was said by this attempt."""
    progress = {"percent": 40, "summary": "40%", "updateTime": "2026-03-01T12:00:05Z"}
    site.api.change("asyncoperations", "resize", lambda body: body["status"].update(progress=progress))

    site.clock.run(report(site, ""))

    assert site.status()["progress"]["percent"] == 40


def test_another_attempt_begins_anew(site):
    """What the one before it said is no news of this one."""
    second = site.attempt(site.add_pod("resize-y"))

    async def scene():
        await report(site, '{"percent": 90}')
        await report(site, '{"percent": 95}')
        await report(site, "{}", second)
        await later(6)

    site.clock.run(scene())

    assert set(site.status()["progress"]) == {"updateTime"}


@pytest.mark.promise("REPORT-6")
def test_nothing_is_taken_for_a_settled_operation(site):
    """Found at the write, told from then on without asking again."""
    site.clock.run(report(site, '{"percent": 1}'))
    site.settle()

    async def scene():
        await report(site, '{"percent": 2}')
        await later(6)

    site.clock.run(scene())
    asked = len(site.api.requests)
    assert refused(site, report(site, '{"percent": 3}')) == "Settled"
    assert refused(site, report(site, "{}")) == "Settled"
    assert len(site.api.requests) == asked
    assert refused(site, hand_in(site, b"1")) == "Settled"
    assert site.status()["progress"]["percent"] == 1


def test_an_operation_that_is_gone_takes_nothing(site):
    """Nor does another one of its name."""
    site.api.remove("asyncoperations", "resize")

    assert refused(site, report(site, "{}")) == "NotFound"
    assert refused(site, hand_in(site, b"1")) == "NotFound"


def test_progress_that_could_not_be_written_is_tried_again(site):
    """The worker is told, and what it said last goes out when the API server is back."""

    def before(method, path):
        if method == "PATCH":
            raise ApiUnreachable("away")

    async def scene():
        await report(site, '{"percent": 1}')
        await later(6)
        site.api.before = before
        with pytest.raises(ApiUnreachable):
            await report(site, '{"percent": 2}')
        await report(site, '{"percent": 3}')
        await later(6)
        site.api.before = lambda *_: None
        await later(6)

    site.clock.run(scene())

    assert site.status()["progress"]["percent"] == 3


@pytest.mark.promise("REPORT-4")
def test_what_waits_is_written_before_the_end(site):
    """A gateway that is stopped loses nothing."""

    async def scene():
        await report(site, '{"percent": 1}')
        await report(site, '{"percent": 2}')
        await site.reports.drain()

    site.clock.run(scene())

    assert site.status()["progress"]["percent"] == 2


@pytest.mark.promise("REPORT-2")
def test_a_result_is_on_record_when_it_is_acknowledged(site):
    """With the progress that was waiting, in one write; the same bytes again cost none."""

    async def scene():
        await report(site, '{"percent": 1}')
        await report(site, '{"percent": 2}')
        await hand_in(site, b'{"width": 800}')
        await hand_in(site, b'{"width": 800}')

    site.clock.run(scene())

    assert len(patches(site)) == 2
    reported = site.status()["reported"]
    assert (reported["value"], reported["attempt"]) == ({"width": 800}, site.pod["metadata"]["uid"])
    assert site.status()["progress"]["percent"] == 2
    assert refused(site, hand_in(site, b'{"width": 801}')) == "ResultDiffers"


def test_a_large_result_has_an_object_of_its_own(site):
    """Made before it is on record; a repetition after a crash in between finds it and goes on."""
    raw = b"x" * 5000

    def crash(method, path):
        if method == "PATCH":
            raise ApiUnreachable("gone")

    site.api.before = crash
    with pytest.raises(ApiUnreachable):
        site.clock.run(hand_in(site, raw))
    site.api.before = lambda *_: None
    assert refused(site, hand_in(site, b"y" * 5000)) == "ResultDiffers"

    site.clock.run(hand_in(site, raw))

    (held,) = site.api.every("configmaps")
    assert held["data"] == {"result": raw.decode()}
    assert held["metadata"]["ownerReferences"][0]["uid"] == site.uid
    assert site.status()["reported"]["ref"] == {"kind": "ConfigMap", "name": held["metadata"]["name"], "key": "result"}


def test_a_newer_attempt_hands_in_its_own_result(site):
    """What a replaced attempt has handed in does not stand in its way."""
    second = site.attempt(site.add_pod("resize-y"))
    site.clock.run(hand_in(site, b"1"))

    site.clock.run(hand_in(site, b"2", second))

    assert site.status()["reported"]["value"] == 2


def test_a_result_is_decided_on_the_newest_state(site):
    """Whoever writes in between makes it look again; a settled operation is seen then."""
    tries = []

    def before(method, path):
        if method == "PATCH" and not tries:
            tries.append(path)
            site.settle()
            raise Conflict(409, "Conflict", "modified")

    site.api.before = before

    assert refused(site, hand_in(site, b"1")) == "Settled"


def test_a_slow_write_holds_up_nobody(site):
    """What is said meanwhile is taken at once, and written after it."""
    begun, gate, real = asyncio.Event(), asyncio.Event(), site.api.request

    async def slow(method, path, **rest):
        if method == "PATCH":
            begun.set()
            await gate.wait()
        return await real(method, path, **rest)

    async def scene():
        site.api.request = slow
        first = asyncio.create_task(report(site, '{"percent": 1}'))
        await begun.wait()
        await asyncio.wait_for(report(site, '{"percent": 2}'), 1)
        gate.set()
        await first
        await later(6)

    site.clock.run(scene())

    assert site.status()["progress"]["percent"] == 2


def test_idle_operations_are_forgotten(site):
    """Ten minutes after the last word."""

    async def scene():
        await report(site, "{}")
        await later(700)
        site.reports._desk(site.attempt(site.add_pod("resize-y")))

    site.clock.run(scene())

    assert next(iter(site.reports._desks.values())).seen is False
