"""The wire, over a real connection: what a worker is told when something else goes wrong."""

import asyncio
import logging

import aiohttp
import pytest

from alo_operator.errors import ApiUnreachable, Forbidden, ServerBusy
from alo_operator.gateway.server import Server
from tests.support.operator_process import free_port
from tests.unit.gateway.conftest import token


def send(site, *requests):
    """Send requests (method, path, body) one after the other; return status, reason and headers of each answer."""

    async def scene():
        server, port = Server(site.identities, site.attempts, site.reports), free_port()
        await server.start("127.0.0.1", port, None)
        answers = []
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
                for method, what, body in requests:
                    path = f"/v1/namespaces/media/operations/resize/{what}"
                    headers = {"Authorization": f"Bearer {token()}"}
                    async with client.request(method, path, data=body, headers=headers) as answer:
                        content = await answer.json()
                        reason = content.get("error", {}).get("reason")
                        answers.append((answer.status, reason, answer.headers.get("Retry-After")))
        finally:
            await server.stop()
        return answers

    return asyncio.run(scene())


PROGRESS = ("POST", "progress", b'{"percent": 1}')
RESULT = ("PUT", "result", b"1")


def failing(site, error, method="PATCH"):
    def before(asked, path):
        if asked == method:
            raise error

    site.api.before = before


def test_all_is_well(site):
    """202 for progress, 200 for a result, by PUT and POST alike."""
    assert send(site, PROGRESS, RESULT, ("POST", "result", b"1")) == [(202, None, None), *[(200, None, None)] * 2]


@pytest.mark.promise("REPORT-2")
@pytest.mark.parametrize(
    "error",
    [
        ApiUnreachable("refused"),
        ServerBusy(429, "TooManyRequests", "later", retry_after=5.0),
        ServerBusy(500, "InternalError", "etcd"),
        Forbidden(403, "Forbidden", "RBAC"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET", "PATCH"])
@pytest.mark.parametrize("report", [PROGRESS, RESULT])
def test_what_may_not_be_on_record_is_to_be_reported_again(site, error, method, report):
    """Wherever the API server fails, the worker gets 503 and when to come back."""
    failing(site, error, method)

    assert send(site, report) == [(503, "Unavailable", "1")]


def test_a_defect_is_told_without_its_details(site, caplog):
    """The traceback is in the log of the gateway, and only there."""
    failing(site, RuntimeError("secret"))
    with caplog.at_level(logging.ERROR):
        assert send(site, RESULT) == [(500, "InternalError", None)]

    assert "secret" in caplog.text


def test_a_flood_is_told_when_to_go_on(site):
    """At least a second, as the header has no fractions."""
    answers = send(site, *[PROGRESS] * 201)

    assert answers[199] == (202, None, None)
    assert answers[200] == (429, "TooManyReports", "1")


def test_long_progress_is_refused(site):
    """16 KiB are plenty for a line in a table."""
    assert send(site, ("POST", "progress", b'{"message": "%s"}' % (b"x" * 17_000)))[0][:2] == (413, "TooLarge")
