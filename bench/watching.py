"""Waiting for a load's end without asking for it: one watch tells of each object."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from bench.client import METADATA, Caller, Object, Refused, path_of

PATIENCE = 900.0
Is = Callable[[Object], bool]


@dataclass
class _Wait:
    missing: set[str]
    is_so: Is
    over: asyncio.Future[None]


class Watch:
    """The objects of one kind in one namespace that have changed since the watch began, each as last seen, by name."""

    def __init__(self, version: str) -> None:
        self.version = version  # up to which it has seen everything
        self._seen: dict[str, Object] = {}
        self._waits: list[_Wait] = []
        self._broken: Exception | None = None

    async def all(self, names: Iterable[str], is_so: Is, patience: float = PATIENCE) -> None:
        """Return when that has been so of each of these at some time from now on. Raises TimeoutError and Refused."""
        missing = {name for name in names if name not in self._seen or not is_so(self._seen[name])}
        if not missing:
            return
        if self._broken:
            raise self._broken
        wait = _Wait(missing, is_so, asyncio.get_running_loop().create_future())
        self._waits.append(wait)
        try:
            await asyncio.wait_for(wait.over, patience)
        except TimeoutError:
            some = ", ".join(sorted(wait.missing)[:3])
            raise TimeoutError(f"not within {patience:g} s: {len(wait.missing)} objects, such as {some}") from None
        finally:
            self._waits.remove(wait)

    def told(self, event: Object) -> None:
        """Take in one event. Raises Refused for an error that the API server tells of."""
        if event["type"] == "ERROR":
            raise Refused(f"the watch broke off: {event['object'].get('message')}")
        name, self.version = event["object"]["metadata"]["name"], event["object"]["metadata"]["resourceVersion"]
        self._seen[name] = event["object"]
        for wait in self._waits:
            if name in wait.missing and wait.is_so(event["object"]):
                wait.missing.discard(name)
                if not wait.missing and not wait.over.done():
                    wait.over.set_result(None)

    def broke(self, error: Exception) -> None:
        """Tell all who wait, now or later."""
        self._broken = error
        for wait in self._waits:
            if not wait.over.done():
                wait.over.set_exception(error)


@asynccontextmanager
async def watched(caller: Caller, resource: str, namespace: str) -> AsyncIterator[Watch]:
    """Watch a kind in a namespace from now on."""
    path = path_of(resource, namespace)
    now = await caller.send("GET", path, accept=METADATA, limit="1")
    watch = Watch(now["metadata"]["resourceVersion"])

    async def read() -> None:
        try:
            while True:  # the API server may end any watch in good order
                query = {"watch": "1", "resourceVersion": watch.version, "timeoutSeconds": "3600"}
                async with caller.session.get(
                    path, params=query, timeout=aiohttp.ClientTimeout(total=None)
                ) as response:
                    response.raise_for_status()
                    rest = b""
                    async for chunk in response.content.iter_any():
                        *lines, rest = (rest + chunk).split(b"\n")
                        for line in lines:
                            watch.told(json.loads(line))
        except (aiohttp.ClientError, Refused, ValueError) as error:
            watch.broke(error)

    reader = asyncio.create_task(read())
    try:
        yield watch
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
