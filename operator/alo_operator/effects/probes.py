"""/healthz, /readyz and /metrics."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from aiohttp import web

from alo_operator.errors import ConfigurationError

Check = Callable[[], str]
"""Returns what is wrong, or an empty text."""


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, IPv6 in brackets, for argparse."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 0.0.0.0:8080")
    return host.strip("[]"), int(port)


async def listen(start: Coroutine[Any, Any, None], address: tuple[str, int], option: str) -> None:
    """Let a server `start`. Raises ConfigurationError, with the `option` to change, where it cannot listen."""
    try:
        await start
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {shown(address)}: {error.strerror}", f"Choose another with {option}"
        ) from error


def shown(address: tuple[str, int]) -> str:
    """`address` as people read it."""
    return ":".join(str(part) for part in address)


class Probes:
    """A small HTTP server; `healthy` and `ready` answer with what is wrong, or ""; `metrics` in Prometheus' format."""

    def __init__(self, host: str, port: int, healthy: Check, ready: Check, metrics: Callable[[], bytes]) -> None:
        self._host, self._port = host, port
        self._render = metrics
        app = web.Application()
        app.router.add_get("/healthz", self._answering(healthy))
        app.router.add_get("/readyz", self._answering(ready))
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self) -> None:
        """Listen. Raises OSError where the address is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    @staticmethod
    def _answering(check: Check) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(_: web.Request) -> web.Response:
            problem = check()
            return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)

        return answer

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._render(), headers={"Content-Type": "text/plain; version=0.0.4"})
