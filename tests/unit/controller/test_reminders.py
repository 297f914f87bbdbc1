"""From rest to deletion: days pass, and what is due is looked at once and goes."""

import asyncio
from datetime import timedelta

import pytest

from alo_operator.controller.cache import Cache
from alo_operator.controller.pool import Pool, Tools
from alo_operator.controller.reminders import EVERY, Reminders
from alo_operator.controller.workqueue import WorkQueue
from alo_operator.desired.job_view import JobView
from alo_operator.effects.apply import Applier
from alo_operator.effects.gather import Gatherer
from alo_operator.effects.writer import Writer
from alo_operator.errors import ApiUnreachable
from tests.support.builders import at, make_job, make_operation
from tests.support.deaf import DeafListener, MuteSender
from tests.support.memory_api import MemoryApi

END = 60  # when `settled()` says that it ended
DAY = 86_400


class Keeper:
    """An operator's part that keeps and lets go, on an API server in memory; it leads from the start."""

    def __init__(self, clock):
        self.clock, self.api, self.cache, self.queue = clock, MemoryApi(), Cache(), WorkQueue()
        self.leading = True
        writer, listener = Writer(self.api, lambda: 10.0), DeafListener(self.api, self.cache)
        applier = Applier(self.api, writer, self.cache, listener, MuteSender(self.cache))
        self.pool = Pool(Tools(self.cache, self.queue, Gatherer(self.api, self.cache), applier))
        self.reminders = Reminders(self.cache, self.queue, lambda: self.leading)

    def settled(self, name="resize", **retention):
        """Have an operation that has ended, and that this replica knows."""
        made = make_operation(name).settled().spec(retention=retention or None).body()
        self.api.add("asyncoperations", made)
        self.api.change("asyncoperations", name, lambda body: body.update(status=made["status"]))
        self.cache.operation_seen(self.api.find("asyncoperations", name))

    def with_job(self, name="resize"):
        """Give it its Job."""
        owner = self.api.find("asyncoperations", name)
        job = make_job(make_operation(name, owner["metadata"]["uid"])).completed(at(END)).body()
        self.cache.job_seen(JobView.from_body(self.api.add("jobs", job)))

    def live(self, *script):
        """Go through a script: until a time, in seconds from noon, or something to be called then."""

        async def story():
            self.pool.start()
            reminding = asyncio.create_task(self.reminders.run())
            for line in script:
                if callable(line):
                    line()
                else:
                    await self.clock.reaches(line)
            reminding.cancel()
            await self.pool.stop(0)

        self.clock.run(story())

    def finds(self, *asked, there=True):
        """A line of a script: so far this was asked of the API server, and the record is there or not."""

        def check():
            assert (self.asked(), self.there()) == ([*asked], there)

        return check

    def asked(self):
        """Methods of the requests so far."""
        return [method for method, _, _ in self.api.requests]

    def there(self, name="resize"):
        return self.api.find("asyncoperations", name) is not None


@pytest.fixture
def keeper(clock):
    return Keeper(clock)


def test_a_record_goes_after_a_week_for_one_read_and_one_write(keeper):
    """Nothing is asked of the API server in between."""
    keeper.settled(record="168h")

    keeper.live(END + 7 * DAY - 1, keeper.finds(), END + 7 * DAY + 2, keeper.finds("GET", "DELETE", there=False))

    assert not keeper.there()


def test_a_job_goes_after_a_day_and_the_record_rests_again(keeper):
    """Operation and Job are read, the Job is deleted, and that is all for ever."""
    keeper.settled()
    keeper.with_job()

    once = keeper.finds("GET", "GET", "DELETE")
    keeper.live(END + DAY + 2, once, END + 10 * DAY, once)

    assert list(keeper.api.every("jobs")) == []
    assert list(keeper.cache.resting()) == []


def test_both_go_each_at_its_time(keeper):
    """First the Job, then the record."""
    keeper.settled(job="1h", record="2h")
    keeper.with_job()

    first = keeper.finds("GET", "GET", "DELETE")
    both = keeper.finds("GET", "GET", "DELETE", "GET", "DELETE", there=False)
    keeper.live(END + 3600 + 2, first, END + 7200 + 2, both)

    assert not keeper.there()


def test_a_clock_that_jumps_ahead_is_noticed_within_a_minute(keeper):
    """Retention goes by the clock on the wall."""
    keeper.settled(record="10h")

    def jump():
        keeper.clock.set_wall_clock(timedelta(hours=10))

    keeper.live(600, keeper.finds(), jump, 600 + EVERY + 1, keeper.finds("GET", "DELETE", there=False))

    assert not keeper.there()


def test_a_clock_that_is_set_back_deletes_nothing_early(keeper):
    """What was about to wake looks at the clock again."""
    keeper.settled(record="1m")

    def set_back():
        keeper.clock.set_wall_clock(timedelta(hours=-1))

    gone = keeper.finds("GET", "DELETE", there=False)
    keeper.live(END + 30, set_back, END + 3600, keeper.finds(), END + 3600 + 62, gone)

    assert not keeper.there()


def test_a_standby_deletes_nothing_until_it_leads(keeper):
    """Then it looks at once at all that came due."""
    keeper.leading = False
    keeper.settled(record="1m")

    def take_over():
        keeper.leading = True
        keeper.reminders.soon()

    keeper.live(500, keeper.finds(), take_over, 501, keeper.finds("GET", "DELETE", there=False))

    assert not keeper.there()


def test_an_edit_between_the_read_and_the_deletion_is_heeded(keeper):
    """The deletion names the version it was decided on."""
    keeper.settled(record="1m")

    def edit(method, _):
        if method == "DELETE" and keeper.asked().count("DELETE") == 0:
            keeper.api.change("asyncoperations", "resize", lambda body: body["spec"].update(retention={"record": "1h"}))

    keeper.api.before = edit

    def shows_it():
        status = keeper.api.find("asyncoperations", "resize")["status"]
        assert status["effective"]["retention"]["record"] == "1h"

    keeper.live(END + 120, shows_it, END + 3602)

    assert not keeper.there()


def test_an_operation_made_anew_under_its_name_is_not_taken_for_it(keeper):
    """Identity is the uid, also where the watch has not told yet."""
    keeper.settled(record="1m")
    keeper.api.remove("asyncoperations", "resize")
    keeper.api.add("asyncoperations", make_operation().body())

    keeper.live(END + 120)

    assert (keeper.asked(), keeper.there()) == (["GET"], True)
    assert len(keeper.cache) == 0


def test_an_api_server_that_is_away_is_asked_again(keeper):
    """What is due stays due."""
    keeper.settled(record="1m")

    def away(*_):
        if keeper.clock.seconds < END + 300:
            raise ApiUnreachable("no route")

    keeper.api.before = away
    keeper.live(END + 400)

    assert not keeper.there()


def test_hundreds_that_come_due_together_all_go(keeper):
    """Each by its own read and its own deletion."""
    for number in range(300):
        keeper.settled(f"op-{number}", record="1h")

    keeper.live(END + 3600 + 5)

    assert list(keeper.api.every("asyncoperations")) == []
    assert sorted(keeper.asked()) == ["DELETE"] * 300 + ["GET"] * 300


def test_a_held_record_costs_one_write_and_is_left_alone(keeper):
    """It says for whose sake, and rests."""
    keeper.settled(record="1m")
    keeper.api.change(
        "asyncoperations",
        "resize",
        lambda body: body["metadata"].update(labels={"app.kubernetes.io/managed-by": "Helm"}),
    )
    keeper.cache.operation_seen(keeper.api.find("asyncoperations", "resize"))

    keeper.live(END + DAY)

    assert (keeper.asked(), keeper.there()) == (["GET", "PATCH"], True)
    assert list(keeper.cache.resting()) == []


def test_what_another_version_wrote_is_looked_at_once_and_left_alone(keeper):
    """Its status may mean something else."""
    keeper.settled(record="1m")
    keeper.api.change("asyncoperations", "resize", lambda body: body["status"].update(job="another shape"))
    keeper.cache.operation_seen(keeper.api.find("asyncoperations", "resize"))

    keeper.live(END + DAY)

    assert (keeper.asked(), keeper.there()) == (["GET"], True)
