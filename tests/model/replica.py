"""The real operator without Kopf and without a network: cache, plan, gatherer, applier and resync, one pass a call."""

from __future__ import annotations

from datetime import timedelta

from alo_operator.controller.cache import Cache
from alo_operator.controller.pool import Pool, Tools
from alo_operator.controller.resync import Resync
from alo_operator.controller.workqueue import WorkQueue
from alo_operator.desired.job_view import JobView
from alo_operator.effects.apply import Applier
from alo_operator.effects.gather import Gatherer
from alo_operator.effects.writer import Writer
from alo_operator.errors import AloError
from tests.model.world import World
from tests.support.clocks import FakeClock
from tests.support.deaf import DeafListener


class Crash(BaseException):
    """The process ends here and now; no handler of errors sees it."""


class Replica:
    """One operator process after another; what survives a crash is only what the API server has."""

    def __init__(self, world: World, time: FakeClock) -> None:
        self._world, self._time = world, time
        self.crashes = 0
        self.start()

    def start(self) -> None:
        """A new process: it lists everything, as Kopf does at first."""
        self.cache = Cache()
        cluster = self._world.api
        tools = Tools(
            self.cache,
            WorkQueue(),
            Gatherer(cluster, self.cache),
            Applier(cluster, Writer(cluster, lambda: 10.0), self.cache, DeafListener(cluster, self.cache)),
        )
        self._pool = Pool(tools, workers=0)
        self._resync = Resync(cluster, self.cache, (None,), lambda *_: None)
        for plural in ("asyncoperations", "jobs"):
            for body in cluster.every(plural):
                self.told("ADDED", plural, body)
        self.position = len(cluster.events)  # of the events, how many were delivered or given up

    def told(self, kind: str, plural: str, body: dict[str, object]) -> None:
        """One watch event, as `controller.handlers` takes it in."""
        if plural == "asyncoperations":
            if kind == "DELETED":
                self.cache.operation_gone(str(body["metadata"]["uid"]))  # type: ignore[index]
            else:
                self.cache.operation_seen(body)
        elif plural == "jobs" and JobView.from_body(body).owner_uid:
            if kind == "DELETED":
                self.cache.job_deleted(body)
            else:
                self.cache.job_seen(body)

    def catch_up(self) -> None:
        """All events not delivered yet, in order."""
        for kind, plural, body in self._world.api.events[self.position :]:
            self.told(kind, plural, body)
        self.position = len(self._world.api.events)

    def look_at_everything(self) -> None:
        """The resync, which finds what the watches lost."""
        self._time.run(self._resync.look())

    def reconcile(self, uid: str) -> timedelta | None:
        """One pass; when to come again. A crash in it leaves a new process behind."""
        try:
            wake = self._time.run(self._pool._until_nothing_is_due(uid))
        except Crash:
            self.crashes += 1
            self.start()
            return timedelta(0)
        except AloError:
            return timedelta(seconds=1)  # the queue's backoff
        return None if wake is None else timedelta(seconds=max(wake, 0.0))

    def reconcile_all(self) -> timedelta | None:
        """A pass over all that may have something due; the soonest time to come again."""
        wakes = [self.reconcile(uid) for uid in list(self.cache.unsettled())]
        return min((wake for wake in wakes if wake is not None), default=None)
