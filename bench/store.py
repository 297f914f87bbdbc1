"""etcd itself, past the API server: how many objects are made that differ in nothing but their names.

Spoken to over the JSON gateway of etcd's gRPC API (https://etcd.io/docs/latest/dev-guide/api_grpc_gateway/), in which
keys and values are base64.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

MOST_PUTS = 128  # of one transaction: etcd's --max-txn-ops
MOST_BYTES = 1_000_000  # of their keys and values: etcd's --max-request-bytes is 1.5 MiB
PATIENCE = 60.0  # seconds for one transaction

Put = tuple[str, bytes]


class Store:
    """One etcd. Methods raise aiohttp's errors, and KeyError for a key that is not there."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, key: str) -> bytes:
        """The stored bytes."""
        answer = await self._ask("range", {"key": _text(key.encode())})
        if not answer.get("kvs"):
            raise KeyError(key)
        return base64.b64decode(answer["kvs"][0]["value"])

    async def put(self, pairs: Iterable[Put]) -> int:
        """Store these, each key for the first time, and return etcd's revision then; 0 where there are none."""
        revision = 0
        for some in batches(pairs):
            puts = [{"requestPut": {"key": _text(key.encode()), "value": _text(value)}} for key, value in some]
            answer = await self._ask("txn", {"success": puts})
            revision = int(answer["header"]["revision"])
        return revision

    async def _ask(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self._session.post(f"/v3/kv/{method}", json=body) as response:
            response.raise_for_status()
            found: dict[str, Any] = await response.json()
            return found


def batches(pairs: Iterable[Put]) -> Iterator[list[Put]]:
    """These in their order, as many at a time as one transaction takes; one that is too large by itself goes alone."""
    some: list[Put] = []
    size = 0
    for key, value in pairs:
        more = len(key) + len(value)
        if some and (len(some) == MOST_PUTS or size + more > MOST_BYTES):
            yield some
            some, size = [], 0
        some.append((key, value))
        size += more
    if some:
        yield some


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


@asynccontextmanager
async def store(url: str) -> AsyncIterator[Store]:
    """The etcd at that URL."""
    async with aiohttp.ClientSession(base_url=url, timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:
        yield Store(session)
