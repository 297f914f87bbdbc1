"""One operator process: everything wired together, started by Kopf and stopped by it."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import kopf

from alo_operator import __version__
from alo_operator.api.names import GROUP, LABEL_MANAGED, MANAGED_VALUE
from alo_operator.controller import census, handlers, metrics, startup
from alo_operator.controller.cache import Cache
from alo_operator.controller.options import Options
from alo_operator.controller.pool import Pool, Tools
from alo_operator.controller.reminders import Reminders
from alo_operator.controller.resync import Resync
from alo_operator.controller.stopwatch import Stopwatch
from alo_operator.controller.workqueue import WorkQueue
from alo_operator.desired.settings import Settings
from alo_operator.effects import clock, credentials
from alo_operator.effects.apply import Applier
from alo_operator.effects.cluster import Cluster
from alo_operator.effects.gather import Gatherer
from alo_operator.effects.last_words import Listener
from alo_operator.effects.lease import Elector
from alo_operator.effects.loop_lag import LoopLag
from alo_operator.effects.measures import child
from alo_operator.effects.probes import Probes, listen
from alo_operator.effects.schemas import Schemas
from alo_operator.effects.send import Sender
from alo_operator.effects.signing_keys import SigningKeys
from alo_operator.effects.transport import Transport
from alo_operator.effects.writer import Writer

logger = logging.getLogger(__name__)

DRAIN: Final = 10.0
LAG_EVERY: Final = 0.1


class App:
    """The parts of one process and their lives."""

    def __init__(self, options: Options) -> None:
        self._options = options
        # Replicas share a service account; the identity tells them apart in the audit log.
        agent = f"alo-operator/{__version__} ({quote(options.lease.identity)})"
        self.cluster = Cluster(lambda: credentials.load(options.kubeconfig), agent=agent, observer=metrics.API.observe)
        deciding = Settings(
            log_tail=options.log_tail,
            report_url=options.report_url,
            retention_job=options.retention_job,
            schedule=options.schedule,
        )
        self.cache, self.queue = Cache(deciding, self.wake), WorkQueue(_waited)
        self.stopwatch = Stopwatch()
        self.cache.turns.close()
        self.schemas = Schemas()
        self.reminders = Reminders(self.cache, self.queue, lambda: self.elector.leading)
        self.elector = Elector(self.cluster, options.lease, self._leadership)
        self.writer = Writer(self.cluster, self.elector.remaining, metrics.WRITE_WAIT.observe)
        self.listener = Listener(self.cluster, self.cache, lambda uid: self.wake(uid, True))
        self.sender = Sender(
            self.cluster,
            self.cache,
            Transport(options.sending),
            SigningKeys(self.cluster),
            wake=self.wake,
            fence=self.elector.remaining,
            settings=options.sending,
            observer=metrics.delivery_attempted,
        )
        tools = Tools(
            self.cache,
            self.queue,
            Gatherer(self.cluster, self.cache, self.schemas),
            Applier(self.cluster, self.writer, self.cache, self.listener, self.sender),
            settings=deciding,
            stopwatch=self.stopwatch,
        )
        self.pool = Pool(tools)
        self.resync = Resync(self.cluster, self.cache, options.namespaces or (None,), self.wake, self._listed)
        self.probes = Probes(*options.http, self._unhealthy, self._unready, self._metrics)
        self._tasks: list[asyncio.Task[None]] = []
        self.lag = LoopLag(LAG_EVERY, _lagged)

    async def run(self) -> None:
        """Run until a signal. Raises ConfigurationError where it cannot start; Kopf's errors end the process too."""
        metrics.BUILD.labels(version=__version__).set(1)
        try:
            await startup.check(self.cluster, self._options)
            if self._options.http[1]:
                await listen(self.probes.start(), self._options.http, "--http-address")
            registry = kopf.OperatorRegistry()
            handlers.register(registry, self.cache, self.wake, self.reminders.rested, self.resync.soon, self.stopwatch)
            kopf.on.startup(registry=registry)(self._start)
            kopf.on.cleanup(registry=registry)(self._stop)
            kopf.on.login(registry=registry)(self._login)
            scope: dict[str, Any] = (
                {"namespaces": self._options.namespaces} if self._options.namespaces else {"clusterwide": True}
            )
            await kopf.operator(registry=registry, settings=_settings(), standalone=True, **scope)
        finally:
            await self.probes.stop()
            await self.cluster.close()

    def wake(self, uid: str, urgent: bool) -> None:
        """An event told of something new; a standby only remembers it."""
        if self.elector.leading:
            self.queue.add(uid, urgent=urgent)

    def _leadership(self, leading: bool) -> None:
        metrics.LEADER_CHANGES.labels(to="leader" if leading else "standby").inc()
        self.stopwatch.leads(leading)
        self.queue.clear()
        self.sender.clear()
        self.cache.turns.close()
        if leading:
            self.resync.at_once()
            for uid in self.cache.unsettled():
                self.queue.add(uid)
            self.reminders.soon()

    def _listed(self) -> None:
        if self.elector.leading:
            self.cache.turns.open()

    async def _start(self, **_: Any) -> None:
        self.pool.start()
        for name, work in (
            ("elector", self.elector.run()),
            ("resync", self.resync.run()),
            ("reminders", self.reminders.run()),
            ("lag", self.lag.run()),
        ):
            self._tasks.append(asyncio.create_task(work, name=name))

    async def _stop(self, **_: Any) -> None:
        logger.info("stopping: finishing what is under way")
        asyncio.get_running_loop().set_exception_handler(_at_the_end)
        await self.sender.stop(DRAIN)
        await self.pool.stop(DRAIN)
        await self.listener.stop()
        await self.schemas.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.elector.release()

    async def _login(self, **_: Any) -> kopf.ConnectionInfo:
        given = await asyncio.to_thread(credentials.load, self._options.kubeconfig)
        return kopf.ConnectionInfo(
            server=given.server,
            ca_data=given.ca,
            insecure=given.insecure or None,
            certificate_data=given.certificate,
            private_key_data=given.private_key,
            token=given.token,
            username=given.username,
            password=given.password,
            proxy_url=given.proxy_url,
            default_namespace=given.namespace,
            expiration=given.expires,
        )

    def _unhealthy(self) -> str:
        if any(task.done() for task in self._tasks):
            return "a background task has ended: " + ", ".join(task.get_name() for task in self._tasks if task.done())
        if not self.pool.alive:
            return "a reconciler has ended"
        return self.lag.problem

    def _unready(self) -> str:
        return self._unhealthy() or self.resync.problem

    def _metrics(self) -> bytes:
        metrics.QUEUE_DEPTH.set(len(self.queue))
        metrics.LEADER.set(int(self.elector.leading))
        metrics.LEASE_REMAINING.set(max(0.0, self.elector.remaining()))
        metrics.WRITE_RATE.set(self.writer.rate)
        metrics.DELIVERIES_IN_FLIGHT.set(self.sender.in_flight)
        metrics.DELIVERY_LINES_OPEN.set(self.sender.lines_open)
        census.count(self.cache, clock.now())
        return metrics.render()


def _lagged(lag: float, most: float) -> None:
    metrics.LOOP_LAG.set(lag)
    metrics.LOOP_LAG_MAX.set(most)


def _waited(lane: str, seconds: float) -> None:
    child(metrics.QUEUE_WAIT, lane).observe(seconds)


def _at_the_end(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Watches that are cut short by the end of the process are no error."""
    if "asyncgen" in context:
        logger.debug("%s", context.get("message", ""))
    else:
        loop.default_exception_handler(context)


class _NoDiffBase(kopf.DiffBaseStorage):
    """Spares Kopf a deep copy of every object: nothing here depends on its differences."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        return None


class _Forever:
    """Kopf's pauses between tries of a failed request: without end, so that an outage does not end the process."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((0.2, 0.5, 1.0, 2.0, 5.0, 10.0), itertools.repeat(30.0))


def _settings() -> kopf.OperatorSettings:
    """Kopf as an event source only: no writes, no Events, no waits of its own, one short-lived task per object."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.queueing.idle_timeout = 0.2
    settings.queueing.error_delays = (0.1, 1, 5)
    settings.persistence.finalizer = f"{GROUP}/kopf-unused"  # Kopf takes its own away, so it must not be ours
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.persistence.consistency_timeout = 0
    # A page is in memory at once, and 500 of the largest operations take some 150 MB. Yet the pages are few enough to
    # be read long before the API server forgets where the list was.
    settings.watching.chunk_size = 500
    settings.watching.label_selectors["batch", "v1", "jobs"] = f"{LABEL_MANAGED}={MANAGED_VALUE}"
    settings.watching.server_timeout = 570
    settings.watching.connect_timeout = 10
    settings.watching.reconnect_backoff = 0.2
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = _Forever()
    return settings
