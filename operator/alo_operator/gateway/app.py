"""One gateway process: everything wired together, from the first check to the last write."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
from typing import Final

from alo_operator import __version__
from alo_operator.api.names import GROUP, OPERATION_PLURAL
from alo_operator.effects import credentials, preflight
from alo_operator.effects.cluster import Cluster
from alo_operator.effects.loop_lag import LoopLag
from alo_operator.effects.probes import Probes, listen, shown
from alo_operator.effects.writer import Writer
from alo_operator.errors import ConfigurationError
from alo_operator.gateway import metrics
from alo_operator.gateway.attempts import Attempts
from alo_operator.gateway.identity import Identities
from alo_operator.gateway.options import Options
from alo_operator.gateway.reports import Reports
from alo_operator.gateway.server import Server

logger = logging.getLogger(__name__)

# (verb, group, resource): the shipped ClusterRole grants just this.
REVIEW: Final = ("create", "authentication.k8s.io", "tokenreviews")
NEEDED: Final = (  # in the namespaces of the workers
    ("get", "", "pods"),
    ("get", "batch", "jobs"),
    ("get", GROUP, OPERATION_PLURAL),
    ("patch", GROUP, f"{OPERATION_PLURAL}/status"),
    ("update", GROUP, f"{OPERATION_PLURAL}/finalizers"),
    ("get", "", "configmaps"),
    ("create", "", "configmaps"),
)
DRAIN: Final = 10.0
LAG_EVERY: Final = 0.5


async def check(cluster: Cluster, options: Options) -> None:
    """Make sure of the API server, the CRD and the rights. Raises ConfigurationError with what is missing."""
    await preflight.reach(cluster)
    await preflight.find_kinds(cluster)
    rights: list[preflight.Right] = [(None, *REVIEW)]
    rights += [(namespace, *right) for namespace in options.namespaces or (None,) for right in NEEDED]
    await preflight.demand_rights(cluster, "the gateway's user", rights)


class App:
    """The parts of one process and their lives."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.cluster = Cluster(
            lambda: credentials.load(options.kubeconfig),
            agent=f"alo-gateway/{__version__}",
            observer=metrics.API.observe,
        )
        # Several gateways may write at once: each write names the state it was decided on, so none needs a Lease.
        self.reports = Reports(self.cluster, Writer(self.cluster, lambda: float("inf")))
        attempts = Attempts(self.cluster, options.namespaces)
        self.server = Server(Identities(self.cluster), attempts, self.reports)
        self.probes = Probes(*options.http, self._unhealthy, self._unready, self._metrics)
        self._ready = False
        self.lag = LoopLag(LAG_EVERY)

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT. Raises ConfigurationError where it cannot start."""
        metrics.BUILD.labels(version=__version__).set(1)
        tls = self._tls()
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        lag = asyncio.create_task(self.lag.run())
        work = asyncio.create_task(self._serve(tls))
        end = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait({work, end}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work  # it has failed to start
            logger.info("stopping: finishing what is under way")
        finally:
            self._ready = False
            for task in (work, end, lag):
                task.cancel()
            await asyncio.gather(work, end, lag, return_exceptions=True)
            await self._finish()
        logger.info("stopped")

    async def _serve(self, tls: ssl.SSLContext | None) -> None:
        if self._options.http[1]:
            await listen(self.probes.start(), self._options.http, "--http-address")
        await check(self.cluster, self._options)
        await listen(self.server.start(*self._options.listen, tls), self._options.listen, "--listen")
        self._ready = True
        logger.info("taking reports", extra={"address": shown(self._options.listen)})
        await asyncio.Event().wait()

    async def _finish(self) -> None:
        await self.server.stop()
        try:
            async with asyncio.timeout(DRAIN):
                await self.reports.drain()
        except TimeoutError:
            pass
        if self.reports.waiting:
            logger.warning("progress could not be written before the end", extra={"operations": self.reports.waiting})
        await self.probes.stop()
        await self.cluster.close()

    def _tls(self) -> ssl.SSLContext | None:
        if self._options.tls is None:
            return None
        certificate, key = self._options.tls
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"the certificate {certificate} with the key {key} cannot be used: {error}",
                "Give a PEM certificate chain with --tls-certificate and its key with --tls-key",
            ) from error
        return context

    def _unhealthy(self) -> str:
        return self.lag.problem

    def _unready(self) -> str:
        return self._unhealthy() or ("" if self._ready else "takes no reports: starting or stopping")

    def _metrics(self) -> bytes:
        metrics.WAITING.set(self.reports.waiting)
        return metrics.render()
