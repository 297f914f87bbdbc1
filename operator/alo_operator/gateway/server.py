"""The wire: HTTP in, one report a request, JSON out."""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from alo_operator.api import limits
from alo_operator.api.reports import HTTP_STATUS, ReportReason
from alo_operator.desired.progress import read_progress
from alo_operator.desired.reports import Attempt, may_hand_in, may_show_progress, works_for
from alo_operator.desired.results import read_handed
from alo_operator.desired.settling import stamp
from alo_operator.effects import clock
from alo_operator.errors import AloError, ReportRefused
from alo_operator.gateway import metrics
from alo_operator.gateway.attempts import Attempts
from alo_operator.gateway.identity import Identities
from alo_operator.gateway.reports import Reports

logger = logging.getLogger(__name__)

OPERATION: Final = "/v1/namespaces/{namespace}/operations/{name}"
PROGRESS_BYTES: Final = 16 * 1024
RESULTS_AT_ONCE: Final = 32  # each up to 900 KiB, several times over while it is being kept
BODY_SECONDS: Final = 60.0
LAST_REQUESTS: Final = 10.0  # seconds that requests under way have at the end
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Where workers report."""

    def __init__(self, identities: Identities, attempts: Attempts, reports: Reports) -> None:
        self._identities, self._attempts, self._reports = identities, attempts, reports
        self._results = asyncio.Semaphore(RESULTS_AT_ONCE)
        app = web.Application(middlewares=[_answer])
        app.router.add_put(f"{OPERATION}/result", self._result)
        # For clients that know no PUT, such as busybox wget.
        app.router.add_post(f"{OPERATION}/result", self._result)
        app.router.add_post(f"{OPERATION}/progress", self._progress)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=LAST_REQUESTS)

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Listen; an empty host is every address. Raises OSError where the address is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host or None, port, ssl_context=tls).start()

    async def stop(self) -> None:
        """Take no more, and finish what is under way."""
        await self._runner.cleanup()

    async def _result(self, request: web.Request) -> web.Response:
        attempt = await self._attempt(request, surely=True)
        may_hand_in(attempt)
        async with self._results:
            raw = await _body(request, limits.RESULT_BYTES)
            handed = await asyncio.to_thread(read_handed, raw, request.headers.get("Content-Type", ""))
            await self._reports.result(attempt, handed)
        return web.json_response({"bytes": len(raw), "sha256": handed.sha256})

    async def _progress(self, request: web.Request) -> web.Response:
        attempt = await self._attempt(request, surely=False)
        may_show_progress(attempt)
        said = read_progress(await _body(request, PROGRESS_BYTES), stamp(clock.now()))
        await self._reports.progress(attempt, said)
        return web.json_response({"accepted": True}, status=202)

    async def _attempt(self, request: web.Request, *, surely: bool) -> Attempt:
        """Who reports. Before the body is read: nobody else's is worth it."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            said = "a token is missing: send the content of /alo/token as Authorization: Bearer"
            raise ReportRefused(ReportReason.UNAUTHENTICATED, said)
        caller = await self._identities.of(token.strip())
        attempt = await self._attempts.find(caller, surely=surely)
        works_for(attempt, request.match_info["namespace"], request.match_info["name"])
        return attempt


async def _body(request: web.Request, limit: int) -> bytes:
    said = f"the body has more than {limit} bytes: put it into a store, and report where it is"
    too_large = ReportRefused(ReportReason.TOO_LARGE, said)
    if request.content_length is not None and request.content_length > limit:
        raise too_large
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                found += chunk
                if len(found) > limit:
                    raise too_large
    except TimeoutError as error:
        said = f"the body did not come within {BODY_SECONDS:g} s"
        raise ReportRefused(ReportReason.INVALID_REPORT, said) from error
    return bytes(found)


@web.middleware
async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal as {"error": {"reason", "message"}}, and every answer counted."""
    response: web.StreamResponse
    began = clock.monotonic()
    try:
        response = await handler(request)
    except ReportRefused as refused:
        response = _error(refused)
    except AloError as error:
        logger.warning("a report could not be taken", extra={"path": request.path, "error": str(error)})
        said = "the API server does not answer or refuses; what was reported may not be on record: report it again"
        response = _error(ReportRefused(ReportReason.UNAVAILABLE, said, retry_after=1))
    except web.HTTPException as error:
        response = _unknown(request, error)
    except ConnectionError:
        raise  # the worker hung up
    except Exception:
        logger.exception("a report met a defect of the gateway", extra={"path": request.path})
        response = _error(ReportRefused(ReportReason.INTERNAL_ERROR, "a defect of the gateway; its log has more"))
    kind = request.path.rpartition("/")[2]
    kind = kind if kind in ("progress", "result") else "other"
    metrics.REPORTS.labels(kind=kind, code=str(response.status)).inc()
    metrics.REPORT_SECONDS.labels(kind=kind).observe(clock.monotonic() - began)
    return response


def _unknown(request: web.Request, error: web.HTTPException) -> web.Response:
    if error.status == 405:
        said = f"{request.method} is not for this path; PUT (or POST) a result, POST progress"
        return _error(ReportRefused(ReportReason.METHOD_NOT_ALLOWED, said), Allow=error.headers.get("Allow", ""))
    if error.status == 404:
        said = "there is nothing here; use $ALO_REPORT_URL/result and $ALO_REPORT_URL/progress"
        return _error(ReportRefused(ReportReason.NOT_FOUND, said))
    return _error(ReportRefused(ReportReason.INVALID_REPORT, error.reason))


def _error(refused: ReportRefused, **headers: str) -> web.Response:
    reason = ReportReason(refused.reason)
    body: dict[str, Any] = {"error": {"reason": reason.value, "message": refused.message}}
    if refused.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(refused.retry_after)))
    return web.json_response(body, status=HTTP_STATUS[reason], headers=headers)
