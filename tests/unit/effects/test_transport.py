"""One POST, against real receivers on loopback that behave as receivers do."""

import asyncio
import resource
import socket
import time
from datetime import UTC, datetime

import pytest
from aiohttp.abc import AbstractResolver

from alo_operator.api.deliveries import DeliveryError
from alo_operator.delivery.address import AddressRule
from alo_operator.effects import clock
from alo_operator.effects.replies import _seconds
from alo_operator.effects.transport import ANSWER_BYTES, SendSettings, Transport
from tests.support.receivers import (
    answer,
    drip_headers,
    endless,
    garbage,
    hang,
    hang_unread,
    never_ending,
    receiving,
    redirect,
    reset,
    reset_in_body,
    reset_while_reading,
)
from tests.support.waiting import wait_for

LOOPBACK = SendSettings(allow=AddressRule.parse(["127.0.0.0/8"]))
HEADERS = {"Content-Type": "application/json", "webhook-id": "id-1"}
BODY = b'{"data":{}}'


class NoNames(AbstractResolver):
    """A name server that knows nobody."""

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def close(self):
        """Nothing is held."""


def posts(*urls, settings=LOOPBACK, patience=20.0, body=BODY, names=None):
    """The replies to POSTs to `urls`, one after the other over one transport."""

    async def play():
        transport = Transport(settings, resolver=names)
        try:
            return [await transport.post(url, HEADERS, body, patience=patience) for url in urls]
        finally:
            await transport.close()

    return asyncio.run(play())


def post(url, **how):
    return posts(url, **how)[0]


def test_a_message_arrives_as_it_is():
    """Its bytes and headers, with our name, and no more about us."""
    with receiving() as receiver:
        reply = post(receiver.url + "?a=b%2Fc")
        (found,) = receiver.requests

    assert (reply.status, reply.error) == (200, None)
    assert (found.method, found.path, found.body) == ("POST", "/hook?a=b%2Fc", BODY)
    assert {name: found.headers[name] for name in ("content-type", "webhook-id")} == {
        "content-type": "application/json",
        "webhook-id": "id-1",
    }
    assert found.headers["user-agent"].startswith("alo-operator/")
    assert set(found.headers) == {"host", "accept", "content-length", "content-type", "webhook-id", "user-agent"}


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_delivery(status):
    """Whatever the body says."""
    with receiving(answer(status, b"" if status == 204 else b'{"error": "no"}')) as receiver:
        reply = post(receiver.url)

    assert (reply.status, reply.error, reply.final) == (status, None, False)


@pytest.mark.promise("DELIVERY-8")
@pytest.mark.parametrize(
    ("status", "error", "final"),
    [
        (300, DeliveryError.REDIRECT_NOT_FOLLOWED, False),
        (304, DeliveryError.REDIRECT_NOT_FOLLOWED, False),
        (400, DeliveryError.HTTP_ERROR, False),
        (401, DeliveryError.HTTP_ERROR, False),
        (404, DeliveryError.HTTP_ERROR, False),
        (410, DeliveryError.GONE, True),
        (429, DeliveryError.HTTP_ERROR, False),
        (500, DeliveryError.HTTP_ERROR, False),
        (503, DeliveryError.HTTP_ERROR, False),
        (599, DeliveryError.HTTP_ERROR, False),
    ],
)
def test_every_other_status_is_a_failure(status, error, final):
    """410 for good, the rest for now; what the receiver wrote beside the number is not repeated."""
    # A 304 has no body.
    with receiving(answer(status, b"" if status == 304 else b"a secret of the receiver's")) as receiver:
        reply = post(receiver.url)

    assert (reply.status, reply.error, reply.final) == (status, error, final)
    assert str(status) in reply.said
    assert "secret" not in reply.said
    assert "Said" not in reply.said


@pytest.mark.promise("DELIVERY-13")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status):
    """The other place hears nothing."""
    with receiving() as other, receiving(redirect(other.url, status)) as receiver:
        reply = post(receiver.url)

        assert (reply.status, reply.error) == (status, DeliveryError.REDIRECT_NOT_FOLLOWED)
        assert other.connections == 0


@pytest.mark.parametrize(
    ("status", "header", "expected"),
    [(429, "7", 7.0), (503, "120", 120.0), (500, "7", None), (400, "7", None), (429, "soon", None), (503, "", None)],
)
def test_the_pause_that_a_busy_receiver_asks_for_is_heard(status, header, expected):
    """Of 429 and 503, in seconds."""
    with receiving(answer(status, Retry_After=header)) as receiver:
        assert post(receiver.url).retry_after == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Sat, 01 Aug 2026 12:00:30 GMT", 30.0),
        ("Sat, 01 Aug 2026 12:00:30 -0000", 30.0),
        ("Sat, 01 Aug 2026 11:00:00 GMT", None),
        ("0", None),
        ("-1", None),
        ("1e3", None),
        ("٣", None),
        ("9" * 5000, 1e9),
        ("Sat, 99 Aug 99999 12:00:30 GMT", None),
        ("1.5", None),
    ],
)
def test_a_pause_may_be_a_date(header, expected, monkeypatch):
    """A date that is past, and what is neither number nor date, asks for nothing."""
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 8, 1, 12, tzinfo=UTC))

    assert _seconds(header) == expected


@pytest.mark.promise("DELIVERY-15")
@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (reset, DeliveryError.CONNECTION_LOST),
        (reset_while_reading, DeliveryError.CONNECTION_LOST),
        (garbage(b""), DeliveryError.CONNECTION_LOST),
        (garbage(b"HTTP/1.1 20"), DeliveryError.CONNECTION_LOST),
        (garbage(b"SSH-2.0-a secret\r\n\r\n"), DeliveryError.INVALID_ANSWER),
        (garbage(b"\x00" * 40 + b"a secret\r\n\r\n"), DeliveryError.INVALID_ANSWER),
        (garbage(b"HTTP/1.1 200 OK\r\nContent-Length: a secret\r\n\r\n"), DeliveryError.INVALID_ANSWER),
        (garbage(b"HTTP/1.1 200 OK\r\nX: " + b"a secret" * 8192 + b"\r\n\r\n"), DeliveryError.INVALID_ANSWER),
        (garbage(b"HTTP/1.1 200 OK\r\n" + b"X: a secret\r\n" * 1000 + b"\r\n"), DeliveryError.INVALID_ANSWER),
        (hang, DeliveryError.TIMEOUT),
        (hang_unread, DeliveryError.TIMEOUT),
        (drip_headers, DeliveryError.TIMEOUT),
        (garbage(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), DeliveryError.CONNECTION_LOST),
    ],
)
def test_what_breaks_an_answer_has_its_word(behaviour, error):
    """And nothing of what came is repeated."""
    with receiving(behaviour) as receiver:
        reply = post(receiver.url, patience=0.5 if error is DeliveryError.TIMEOUT else 20.0)

    assert (reply.status, reply.error, reply.final) == (None, error, False)
    assert reply.said
    assert "secret" not in reply.said


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize("how", [reset_in_body, never_ending], ids=["breaks off", "never ends"])
def test_the_status_alone_is_the_answer(how, status):
    """Whether or not the body behind it ever arrives, and without waiting for it."""
    with receiving(how(status)) as receiver:
        began = time.monotonic()
        reply = post(receiver.url, patience=30.0)

    assert reply.status == status
    assert (reply.error is None) == (status == 200)
    assert time.monotonic() - began < 20


@pytest.mark.promise("DELIVERY-11")
def test_a_large_answer_is_not_read():
    """Of 100 MiB hardly more is taken than sockets hold, and memory stays as it was."""
    with receiving(endless()) as receiver:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert post(receiver.url).error is None
        wait_for(lambda: not receiver.open, describe="the connection closed")

        assert ANSWER_BYTES <= receiver.sent < 20 * 1024 * 1024
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


def test_compressed_answers_are_not_unpacked():
    """A small body may be a large one in disguise."""
    with receiving(answer(200, b"\x1f\x8b not even gzip", Content_Encoding="gzip")) as receiver:
        assert post(receiver.url).error is None


LARGE = b"x" * 16 * 1024 * 1024


def test_a_large_message_that_nobody_reads_ends_in_time():
    """Sending is part of the attempt, and what is unsent does not keep the connection open."""
    with receiving(hang_unread) as receiver:
        assert post(receiver.url, patience=0.5, body=LARGE).error is DeliveryError.TIMEOUT
        reached = receiver.connections

    assert reached == 1


def test_an_answer_before_the_message_was_read_counts():
    """As from a door that refuses, or takes, by the headers alone; the connection is not used again."""

    def hasty(wire):
        wire.answer(202)
        wire.wait()

    with receiving(hasty) as receiver:
        first, second = posts(receiver.url, receiver.url, body=LARGE)

        assert (first.status, second.status) == (202, 202)
        assert receiver.connections == 2


def test_connections_are_used_again():
    """As long as the receiver answers in full."""
    with receiving() as receiver:
        replies = posts(*[receiver.url] * 5)

        assert [reply.error for reply in replies] == [None] * 5
        assert receiver.connections == 1


def test_no_cookies_are_kept():
    """What one message was answered with says nothing about the next."""
    with receiving(answer(200, Set_Cookie="who=me")) as receiver:
        posts(receiver.url, receiver.url)

        assert [found.headers.get("cookie") for found in receiver.requests] == [None, None]


def test_a_closed_port_and_an_unknown_host_have_their_words():
    """Nobody was reached."""
    with receiving() as receiver:
        closed = receiver.url
    (refused,) = posts(closed)
    (unknown,) = posts("https://no-such-host.invalid/", names=NoNames())

    assert (refused.error, unknown.error) == (DeliveryError.CONNECTION_REFUSED, DeliveryError.HOST_NOT_FOUND)
    assert "no-such-host.invalid" in unknown.said


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    """Behind one, the address connected to would be its choice."""
    with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert post(receiver.url).error is None

        assert (proxy.connections, receiver.connections) == (0, 1)
