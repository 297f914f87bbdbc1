"""The caller: a bounded number of connections that make objects, the same for every load."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.support import api
from tests.support.api import PATCH_TYPES, read_kubeconfig

Object = dict[str, Any]

AGENT = "alo-bench"
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
TASK_GROUP = "bench.alo-operator.io"
TASKS = "benchtasks"  # what the textbook operator looks after
MOST = 64  # connections of all callers together


def path_of(resource: str, namespace: str, name: str | None = None, subresource: str | None = None) -> str:
    """The URL path of a resource in a namespace, the textbook operator's kind included."""
    if resource == TASKS:
        return f"/apis/{TASK_GROUP}/v1/namespaces/{namespace}/{TASKS}"
    return api.path_of(resource, namespace, name, subresource)


class Refused(Exception):
    """The API server refused a request; the message has its words."""


class Caller:
    """Requests as administrator. Every method raises Refused for an error answer and aiohttp's errors for none."""

    def __init__(self, session: aiohttp.ClientSession, connections: int) -> None:
        self.session = session
        self.connections = connections  # as many requests at a time

    async def send(
        self, method: str, path: str, body: Object | None = None, *, how: str = "", accept: str = "", **query: str
    ) -> Object:
        """One request; `how` is the kind of patch."""
        headers = {"Content-Type": PATCH_TYPES[how] if how else "application/json"}
        if accept:
            headers["Accept"] = accept
        data = None if body is None else json.dumps(body).encode()
        async with self.session.request(method, path, params=query, data=data, headers=headers) as response:
            answer: Object = await response.json(content_type=None)
            if response.status >= 300:
                raise Refused(f"{method} {path}: {response.status} {answer.get('message')}")
            return answer

    async def create(self, resource: str, namespace: str, bodies: Iterable[Object]) -> None:
        """Make all of these as fast as the connections can."""
        path = path_of(resource, namespace)
        await self.each(bodies, lambda body: self.send("POST", path, body))

    async def create_at(self, rate: float, resource: str, namespace: str, bodies: Iterable[Object]) -> None:
        """Make `rate` a second, each at its moment, however slow the answers to the others are."""
        path = path_of(resource, namespace)
        await self.at_rate(rate, bodies, lambda body: self.send("POST", path, body))

    async def at_rate(self, rate: float, items: Iterable[Any], act: Callable[[Any], Any]) -> None:
        """Await act(item) for `rate` items a second, begun on time."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, item in enumerate(items):
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
                group.create_task(act(item))

    async def each(self, items: Iterable[Any], act: Callable[[Any], Any]) -> None:
        """Await act(item) for all items, as many at a time as there are connections."""
        left = iter(items)

        async def work() -> None:
            for item in left:
                await act(item)

        async with asyncio.TaskGroup() as group:
            for _ in range(self.connections):
                group.create_task(work())


@asynccontextmanager
async def caller(kubeconfig: Path, connections: int) -> AsyncIterator[Caller]:
    """A caller with so many connections at most."""
    access = read_kubeconfig(kubeconfig)
    connector = aiohttp.TCPConnector(limit=MOST, ssl=access.context or False)
    headers = access.headers | {"User-Agent": AGENT}
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(
        base_url=access.server + "/", connector=connector, headers=headers, timeout=timeout
    ) as session:
        yield Caller(session, connections)
