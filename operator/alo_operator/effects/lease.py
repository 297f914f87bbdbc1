"""Who may write: one Lease (coordination.k8s.io), taken and renewed with compare-and-swap, as client-go does it.

Leadership here only keeps replicas from working against each other; what prevents a second run is the Job's name, and
what prevents a lost update is the resourceVersion on every write.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from alo_operator.api.model import format_time
from alo_operator.api.names import GROUP
from alo_operator.effects import clock, paths
from alo_operator.effects.cluster import Cluster
from alo_operator.errors import AlreadyExists, ApiError, ApiUnreachable, Conflict, NotFound

logger = logging.getLogger(__name__)

# Tells a restarted process (which takes its Lease back at once) from a second one that runs under the same identity.
PROCESS_ANNOTATION: Final = f"{GROUP}/process"
# The part of the Lease for which the holder trusts it; the rest is the margin for clocks and slow requests.
TRUSTED: Final = 2 / 3


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """Where the Lease is and its times in seconds; a standby looks at it every `retry`."""

    namespace: str
    name: str
    identity: str
    duration: float = 15.0
    renew: float = 5.0
    retry: float = 1.0


class Elector:
    """Takes, renews and releases the Lease; tells `on_change` when leadership is won (True) or lost (False)."""

    def __init__(self, cluster: Cluster, settings: LeaseSettings, on_change: Callable[[bool], None]) -> None:
        self._cluster, self._settings, self._on_change = cluster, settings, on_change
        self._process = uuid.uuid4().hex
        self._lease: dict[str, Any] | None = None
        self._deadline = 0.0
        self._leading = False
        self._held_before = False
        self._watched: tuple[str, float] = ("", 0.0)

    def remaining(self) -> float:
        """Seconds for which the Lease is surely ours, counted from the last renewal sent; 0 or less: it is not."""
        return self._deadline - clock.monotonic()

    @property
    def leading(self) -> bool:
        """Whether this process may write now."""
        return self._leading and self.remaining() > 0

    async def run(self) -> None:
        """Take part in the election until cancelled."""
        while True:
            pause = self._settings.retry
            try:
                await self._turn()
                if self._leading:
                    pause = self._settings.renew
            except (ApiError, ApiUnreachable) as error:
                logger.warning("the Lease could not be read or written: %s", error)
            if self._leading and self.remaining() <= 0:
                self._change(leading=False)
            await asyncio.sleep(pause)

    async def release(self) -> None:
        """Give the Lease up, so that a standby takes over within its retry time; errors only cost that comfort."""
        if not self._leading or self._lease is None:
            return
        self._change(leading=False)
        self._deadline = 0.0
        self._lease["spec"] |= {"holderIdentity": "", "renewTime": _micro(clock.now())}
        try:
            await self._put(self._lease)
        except (ApiError, ApiUnreachable) as error:
            logger.warning("the Lease could not be released: %s", error)

    async def _turn(self) -> None:
        if self._leading and self._lease is not None:
            sent = clock.monotonic()
            self._lease["spec"]["renewTime"] = _micro(clock.now())
            try:
                self._won(await self._put(self._lease), sent)
                return
            except (Conflict, NotFound):
                logger.info("the Lease was changed by somebody else; reading it again")
        await self._look()

    async def _look(self) -> None:
        settings = self._settings
        sent = clock.monotonic()
        try:
            lease = await self._cluster.get(paths.lease(settings.namespace, settings.name))
        except NotFound:
            try:
                self._won(await self._create(), sent)
            except AlreadyExists:
                logger.debug("somebody else made the Lease first")
            return
        if not self._free(lease):
            self._lost()
            return
        spec = lease["spec"]
        if spec.get("holderIdentity") != settings.identity:
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
            spec["acquireTime"] = _micro(clock.now())
        spec |= {
            "holderIdentity": settings.identity,
            "renewTime": _micro(clock.now()),
            "leaseDurationSeconds": max(1, round(settings.duration)),
        }
        lease["metadata"].setdefault("annotations", {})[PROCESS_ANNOTATION] = self._process
        try:
            self._won(await self._put(lease), sent)
        except Conflict:
            self._lost()

    def _free(self, lease: dict[str, Any]) -> bool:
        """Whether we may take it: nobody's, ours from before a restart, or not renewed for its whole duration.

        The duration is counted on our own clock from when this renewal was first seen, so clocks need not agree.
        """
        spec = lease.setdefault("spec", {})
        holder = spec.get("holderIdentity") or ""
        process = (lease["metadata"].get("annotations") or {}).get(PROCESS_ANNOTATION)
        if not holder or (holder == self._settings.identity and process == self._process):
            return True
        if holder == self._settings.identity and not self._held_before:
            logger.info("taking our Lease back after a restart")
            return True
        version = f"{holder} {process} {spec.get('renewTime')}"
        if self._watched[0] != version:
            self._watched = (version, clock.monotonic())
        return clock.monotonic() - self._watched[1] > float(spec.get("leaseDurationSeconds") or self._settings.duration)

    def _won(self, lease: dict[str, Any], sent: float) -> None:
        if self._leading and self.remaining() <= 0:
            # What came in since the deadline was turned away, so leadership has to be told anew.
            self._change(leading=False)
        self._lease, self._held_before = lease, True
        self._deadline = sent + self._settings.duration * TRUSTED
        if not self._leading:
            self._change(leading=True)

    def _lost(self) -> None:
        self._deadline = 0.0
        self._lease = None
        if self._leading:
            self._change(leading=False)

    def _change(self, *, leading: bool) -> None:
        self._leading = leading
        logger.info("leading" if leading else "standing by", extra={"identity": self._settings.identity})
        self._on_change(leading)

    async def _create(self) -> dict[str, Any]:
        settings, now = self._settings, _micro(clock.now())
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": settings.name, "annotations": {PROCESS_ANNOTATION: self._process}},
            "spec": {
                "holderIdentity": settings.identity,
                "leaseDurationSeconds": max(1, round(settings.duration)),
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": 0,
            },
        }
        return await self._cluster.request("POST", paths.lease(settings.namespace), body=body, timeout=settings.renew)

    async def _put(self, lease: dict[str, Any]) -> dict[str, Any]:
        path = paths.lease(self._settings.namespace, self._settings.name)
        return await self._cluster.request("PUT", path, body=lease, timeout=self._settings.renew)


def _micro(moment: datetime) -> str:
    """A MicroTime: Kubernetes demands exactly six digits after the second."""
    return format_time(moment if moment.microsecond else moment + timedelta(microseconds=1))
