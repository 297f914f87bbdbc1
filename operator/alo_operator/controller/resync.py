"""A slow, sure look at everything: closes the holes that watches have (lost events, deletions missed in a relist)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from alo_operator.api.names import LABEL_MANAGED, LABEL_OPERATION_UID, MANAGED_VALUE
from alo_operator.api.phases import Promise
from alo_operator.controller import metrics
from alo_operator.controller.cache import Cache
from alo_operator.desired.fields import section, text
from alo_operator.desired.job_view import JobView
from alo_operator.effects import clock, paths
from alo_operator.effects.cluster import METADATA_ONLY, Cluster
from alo_operator.errors import AloError, NotFound

logger = logging.getLogger(__name__)

EVERY: Final = 300.0
SETTLE: Final = 2.0  # seconds after a relist, so that one look serves all watches
START_PATIENCE: Final = 60.0
UNSETTLED: Final = {
    "fieldSelector": ",".join(f"status.promise!={end.value}" for end in Promise if end is not Promise.PENDING)
}


class Resync:
    """Compares metadata-only lists with the cache; objects that differ are read, those that are gone dropped.

    `namespaces`: where to look; (None,) is everywhere. `wake` is called with the uid of each operation found otherwise.
    """

    def __init__(
        self,
        cluster: Cluster,
        cache: Cache,
        namespaces: Sequence[str | None],
        wake: Callable[[str, bool], None],
        complete: Callable[[], None] = lambda: None,
    ) -> None:
        self._cluster, self._cache, self._namespaces, self._wake = cluster, cache, namespaces, wake
        self._complete = complete
        self._again = asyncio.Event()
        self._asked = 0  # how often `at_once` was
        self._hurry = False
        self.synced = False
        self.problem = "the first lists have not been read yet"

    def soon(self) -> None:
        """Look again shortly: a watch has begun anew."""
        if self.synced:
            self._again.set()

    def at_once(self) -> None:
        """Look again now: whoever has just become the leader may have missed the last writes of another."""
        self._asked += 1
        self._hurry = True
        self._again.set()

    async def run(self) -> None:
        """Look at the start, after each relist and every five minutes, until cancelled.

        `complete` is called after each look that began after the last `at_once`.
        """
        while True:
            try:
                if not self.synced:
                    await self._take_in_new_ones()
                    await self._wait_for_first_lists()
                asked = self._asked
                await self.look()
                self.synced, self.problem = True, ""
                if asked == self._asked:
                    self._hurry = False
                    self._complete()
            except AloError as error:
                self.problem = f"the last resync failed: {error}"
                logger.warning("resync failed", extra={"error": str(error)})
            try:
                # Not wait_for, which in Python 3.11 lets a cancellation pass that comes together with the event.
                async with asyncio.timeout(EVERY if self.synced and not self._hurry else SETTLE):
                    await self._again.wait()
                if not self._hurry:
                    await asyncio.sleep(SETTLE)
            except TimeoutError:
                logger.debug("resync is due")
            self._again.clear()

    async def _take_in_new_ones(self) -> None:
        """Have what nobody has looked at yet begun at once: the first lists bring it behind all that has ended."""
        for namespace in self._namespaces:
            async for body in self._cluster.pages(paths.operations(namespace), UNSETTLED):
                is_new = section(body, "status").get("observedGeneration", -1) == -1
                if is_new and self._cache.operation_seen(body):
                    self._wake(text(body, "metadata", "uid"), False)

    async def _wait_for_first_lists(self) -> None:
        """Let the watches deliver their first lists; what they do not deliver in time is read one by one."""
        deadline = clock.monotonic() + START_PATIENCE
        wanted = {uid for uid, _ in [pair async for pair in self._operations()]}
        while not all(map(self._cache.heard_of, wanted)) and clock.monotonic() < deadline:  # noqa: ASYNC110 - Kopf tells no end
            await asyncio.sleep(0.1)

    async def look(self) -> None:
        """One whole comparison. Raises ApiError and ApiUnreachable; what was found until then stays."""
        await self._templates()
        known, jobs_known = self._cache.versions(), self._cache.job_versions()
        seen = {uid: place async for uid, place in self._operations()}
        for uid in known.keys() - seen.keys():
            self._found("an operation is gone", uid)
            self._cache.operation_gone(uid)
        for uid, (namespace, name, version) in seen.items():
            if known.get(uid, -1) < version and self._cache.version(uid) < version:
                await self._read_operation(uid, namespace, name)
        await self._jobs(jobs_known)

    async def _templates(self) -> None:
        templates = self._cache.templates
        known, seen = templates.versions(), set()
        for namespace in self._namespaces:
            async for item in self._cluster.pages(paths.templates(namespace), accept=METADATA_ONLY):
                meta = item["metadata"]
                key = (meta["namespace"], meta["name"])
                seen.add(key)
                if templates.version(key) >= int(meta["resourceVersion"]):
                    continue
                try:
                    body = await self._cluster.get(paths.template(*key))
                except NotFound:
                    continue
                if templates.seen(body):
                    self._found("a template differs", meta["uid"])
        for key in known.keys() - seen:
            if templates.gone(key, known[key][0]):
                self._found("a template is gone", known[key][0])

    async def _operations(self) -> AsyncIterator[tuple[str, tuple[str, str, int]]]:
        for namespace in self._namespaces:
            async for item in self._cluster.pages(paths.operations(namespace), accept=METADATA_ONLY):
                meta = item["metadata"]
                yield meta["uid"], (meta["namespace"], meta["name"], int(meta["resourceVersion"]))

    async def _read_operation(self, uid: str, namespace: str, name: str) -> None:
        try:
            body = await self._cluster.get(paths.operation(namespace, name))
        except NotFound:
            return  # gone since the list; its end will be told or found next time
        if self._cache.operation_seen(body):
            self._found("an operation differs", uid)
            self._wake(uid, False)

    async def _jobs(self, known: dict[str, tuple[str, int]]) -> None:
        seen: set[str] = set()
        owners: set[str] = set()
        query = {"labelSelector": f"{LABEL_MANAGED}={MANAGED_VALUE}"}
        for namespace in self._namespaces:
            async for item in self._cluster.pages(paths.jobs(namespace), query, accept=METADATA_ONLY):
                meta = item["metadata"]
                seen.add(meta["uid"])
                owner = (meta.get("labels") or {}).get(LABEL_OPERATION_UID, "")
                if not meta.get("deletionTimestamp"):
                    owners.add(owner)
                if self._cache.operation(owner) is None:
                    continue
                job_uid, version = self._cache.job_version(owner)
                if job_uid == meta["uid"] and version >= int(meta["resourceVersion"]):
                    continue
                try:
                    body = await self._cluster.get(paths.job(meta["namespace"], meta["name"]))
                except NotFound:
                    continue
                if self._cache.job_seen(JobView.from_body(body)):
                    self._found("a Job differs", owner)
                    self._wake(owner, False)
        self._cache.jobs_listed(owners)
        for owner, (job_uid, _) in known.items():
            if job_uid not in seen and self._cache.operation(owner) is not None:
                self._cache.job_doubtful(owner)
                self._found("a Job is missing", owner)
                self._wake(owner, False)

    def _found(self, what: str, uid: str) -> None:
        if self.synced:
            metrics.RESYNC_FOUND.inc()
            logger.info("resync: %s", what, extra={"uid": uid})
