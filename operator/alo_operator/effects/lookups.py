"""The addresses of hosts, asked for in threads of their own: a name server that does not answer holds up few others."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import defaultdict
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

AT_ONCE: Final = 64
AT_ONCE_EACH: Final = 4  # of one namespace: whose hosts take for ever to look up delays its own messages only

_FLAGS: Final = socket.AI_ADDRCONFIG
_NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class Lookups(AbstractResolver):
    """The system's resolver; `namespace` tells in whose name a lookup is made, asked when it begins.

    A lookup cannot be broken off, and a silent name server may take a minute. So each has a thread that the process
    does not wait for at its end.
    """

    def __init__(self, namespace: Any) -> None:
        self._namespace = namespace
        self._all = asyncio.Semaphore(AT_ONCE)
        self._each: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE_EACH))
        self._users: defaultdict[str, int] = defaultdict(int)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """All addresses of `host`. Raises OSError where there are none."""
        namespace = self._namespace()
        self._users[namespace] += 1
        try:
            async with self._each[namespace], self._all:
                found = await _in_thread(host, port, family)
        finally:
            self._users[namespace] -= 1
            if not self._users[namespace]:
                del self._users[namespace], self._each[namespace]
        return [
            ResolveResult(hostname=host, host=str(at[0]), port=port, family=kind, proto=protocol, flags=_NUMERIC)
            for kind, _, protocol, _, at in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def _in_thread(host: str, port: int, family: int) -> list[tuple[Any, ...]]:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[tuple[Any, ...]]] = loop.create_future()

    def settle(found: list[tuple[Any, ...]] | None, error: OSError | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(found or [])

    def ask() -> None:
        found, problem = None, None
        try:
            found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=_FLAGS)
        except OSError as error:
            problem = error
        except UnicodeError:
            problem = OSError("not a host name")
        with contextlib.suppress(RuntimeError):  # the loop is over
            loop.call_soon_threadsafe(settle, found, problem)

    threading.Thread(target=ask, name=f"lookup of {host[:64]}", daemon=True).start()
    return await answer
