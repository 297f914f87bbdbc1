"""The one way out: every request that changes anything passes here, counted, paced and fenced by the Lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from alo_operator.effects import clock
from alo_operator.effects.cluster import JSON, REQUEST_TIMEOUT, Body, Cluster
from alo_operator.errors import ApiUnreachable, NotLeader, ServerBusy

RATE: Final = 500.0  # writes per second at rest
LOWEST_RATE: Final = 5.0
BURST: Final = 200.0
RECOVERY: Final = 20.0  # writes per second won back with each second


class Writer:
    """Writes to one API server.

    `fence` gives the seconds for which the Lease is still surely ours (0 or less: not ours). Writes are paced by a
    token bucket whose rate halves with every refusal for load and every missing answer, and recovers by and by.
    `waited` is told how many seconds each write waited for its turn.

    Every method raises NotLeader where the Lease is not ours, ApiError and ApiUnreachable as `Cluster` does.
    """

    def __init__(
        self, cluster: Cluster, fence: Callable[[], float], waited: Callable[[float], None] = lambda _: None
    ) -> None:
        self._cluster, self._fence, self._waited = cluster, fence, waited
        self._rate, self._tokens, self._filled = RATE, BURST, clock.monotonic()
        self._closed_until = 0.0

    @property
    def rate(self) -> float:
        """Writes per second that are allowed now."""
        return min(RATE, self._rate + RECOVERY * (clock.monotonic() - self._filled))

    async def write(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
    ) -> Body:
        """One write; the answer's body."""
        began = clock.monotonic()
        await self._turn()
        self._waited(clock.monotonic() - began)
        remaining = self._fence()
        if remaining <= 0:
            raise NotLeader("the Lease is not ours; nothing was written")
        try:
            # A write must not land after somebody else may have taken over, so it may not outlast the Lease.
            return await self._cluster.request(
                method,
                path,
                params=params,
                body=body,
                content_type=content_type,
                timeout=min(REQUEST_TIMEOUT, remaining),
            )
        except ServerBusy as error:
            if error.status == 429:
                self._closed_until = clock.monotonic() + (error.retry_after or 1.0)
            self._slow_down()
            raise
        except ApiUnreachable:
            self._slow_down()
            raise

    def _slow_down(self) -> None:
        self._rate = max(LOWEST_RATE, self._rate / 2)
        self._tokens = min(self._tokens, 1.0)

    async def _turn(self) -> None:
        while True:
            now = clock.monotonic()
            passed = now - self._filled
            self._filled = now
            self._rate = min(RATE, self._rate + RECOVERY * passed)
            self._tokens = min(BURST, self._tokens + self._rate * passed)
            wait = max(self._closed_until - now, (1 - self._tokens) / self._rate)
            if wait <= 0:
                self._tokens -= 1
                return
            await asyncio.sleep(wait)
