"""The API server as we need it: one method a verb, JSON in and out, error answers as our errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import aiohttp

from alo_operator.effects import clock
from alo_operator.effects.credentials import Credentials
from alo_operator.errors import (
    AlreadyExists,
    ApiError,
    ApiUnreachable,
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    ServerBusy,
    Unauthorized,
)

JSON: Final = "application/json"
JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

REQUEST_TIMEOUT: Final = 30.0
CONNECTIONS: Final = 64
LONGEST_WATCH: Final = 600.0
WATCHES: Final = 200  # at a time, each with a connection of its own, so that requests never wait for their end
PAGE: Final = 500

Body = dict[str, Any]
Observer = Callable[[str, str, int, float], None]
"""Told of every answer: method, path, HTTP status (0: none came), seconds."""


class Cluster:
    """A client of one API server; `login` gives credentials, anew whenever they expire or are refused.

    `agent` is the User-Agent header: who did it, in the API server's audit log.

    Every method raises ApiError for an error answer and ApiUnreachable where none came.
    """

    def __init__(
        self, login: Callable[[], Credentials], *, agent: str = "alo-operator", observer: Observer = lambda *_: None
    ) -> None:
        self._login, self._agent, self._observer = login, agent, observer
        self._credentials: Credentials | None = None
        self._session: aiohttp.ClientSession | None = None
        self._watches = 0
        self._renewing = asyncio.Lock()

    async def close(self) -> None:
        """Close all connections."""
        if self._session:
            await self._session.close()
            self._session = None

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Body:
        """GET one object, or one list without paging."""
        return await self.request("GET", path, params=params)

    async def pages(
        self, path: str, params: Mapping[str, str] | None = None, *, accept: str = JSON
    ) -> AsyncIterator[Body]:
        """The items of a list, read in pages, each stripped of managedFields on arrival."""
        query = {**(params or {}), "limit": str(PAGE)}
        while True:
            page = await self.request("GET", path, params=query, accept=accept)
            for item in page.get("items") or ():
                item.get("metadata", {}).pop("managedFields", None)
                yield item
            token = page.get("metadata", {}).get("continue")
            if not token:
                return
            query["continue"] = token

    async def watch(
        self, path: str, params: Mapping[str, str], *, patience: float, opened: asyncio.Event
    ) -> AsyncIterator[Body]:
        """Events of a watch until the server ends it or `patience` seconds have passed; first `opened` is set.

        Raises ApiUnreachable at once where 200 others are open.
        """
        if self._watches >= WATCHES:
            raise ApiUnreachable(f"watch {path}: {WATCHES} watches are open already")
        session = await self._connected()
        self._watches += 1
        try:
            async with session.get(
                path,
                params=params,
                timeout=aiohttp.ClientTimeout(total=patience, connect=REQUEST_TIMEOUT),
                allow_redirects=False,
            ) as response:
                if response.status >= 300:
                    raise _error("GET", response.status, _parse(await response.read()), "")
                opened.set()
                buffer = b""
                async for chunk in response.content.iter_any():
                    *lines, buffer = (buffer + chunk).split(b"\n")
                    for line in lines:
                        yield _parse(line)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiUnreachable(f"watch {path}: {type(error).__name__}: {error}") from error
        finally:
            self._watches -= 1

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeout: float = REQUEST_TIMEOUT,  # noqa: ASYNC109 - aiohttp does the timing
    ) -> Body:
        """One request; `timeout` in seconds covers all of it. A 401 is tried once more with fresh credentials."""
        for last in (False, True):
            session = await self._connected()
            started = clock.monotonic()
            status = 0
            try:
                async with session.request(
                    method,
                    path,
                    params=params,
                    data=None if body is None else json.dumps(body).encode(),
                    headers={"Accept": accept, "Content-Type": content_type},
                    timeout=aiohttp.ClientTimeout(total=timeout),
                    allow_redirects=False,
                ) as response:
                    status = response.status
                    text = await response.read()
                    retry_after = response.headers.get("Retry-After", "")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise ApiUnreachable(f"{method} {path}: {type(error).__name__}: {error}") from error
            finally:
                self._observer(method, path, status, clock.monotonic() - started)
            if status == 401 and not last:
                await self._forget(session)
                continue
            break
        answer = _parse(text)
        if status >= 300:
            raise _error(method, status, answer, retry_after)
        return answer

    async def _connected(self) -> aiohttp.ClientSession:
        credentials = self._credentials
        if self._session and not (credentials and credentials.expires and clock.now() >= credentials.expires):
            return self._session
        async with self._renewing:
            if self._credentials is credentials:
                # An exec plugin may take seconds, so not on the loop.
                self._credentials = await asyncio.to_thread(self._login)
                await self._replace_session(self._credentials)
        assert self._session
        return self._session

    async def _replace_session(self, credentials: Credentials) -> None:
        old = self._session
        self._session = aiohttp.ClientSession(
            base_url=credentials.server + "/",
            connector=aiohttp.TCPConnector(
                limit=CONNECTIONS + WATCHES,
                ssl=credentials.ssl_context() if credentials.server.startswith("https") else False,
            ),
            headers={"User-Agent": self._agent, **credentials.headers()},
            proxy=credentials.proxy_url,
        )
        if old:
            # Requests and watches under way keep their connections for as long as they may last.
            longest = LONGEST_WATCH if self._watches else REQUEST_TIMEOUT
            asyncio.get_running_loop().call_later(longest, lambda: asyncio.ensure_future(old.close()))

    async def _forget(self, session: aiohttp.ClientSession) -> None:
        async with self._renewing:
            if self._session is session:
                self._credentials, self._session = None, None
                await session.close()


def _parse(text: bytes) -> Body:
    try:
        answer = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        answer = {"message": text[:500].decode(errors="replace")}
    return answer if isinstance(answer, dict) else {"items": answer}


def _error(method: str, status: int, answer: Body, retry_after: str) -> ApiError:
    reason = str(answer.get("reason") or "")
    details = answer.get("details") or {}
    kinds: dict[int, type[ApiError]] = {
        400: BadRequest,
        401: Unauthorized,
        403: Forbidden,
        404: NotFound,
        409: AlreadyExists if reason == "AlreadyExists" else Conflict,
        410: Gone,
        413: BadRequest,
        422: BadRequest,
        429: ServerBusy,
    }
    kind = kinds.get(status, ServerBusy if status >= 500 else ApiError)
    return kind(
        status,
        reason,
        str(answer.get("message") or f"{method} was answered with {status}"),
        causes=tuple(str(cause.get("reason")) for cause in details.get("causes") or ()),
        retry_after=float(retry_after) if retry_after.isdigit() else None,
    )
