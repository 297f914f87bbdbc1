"""The receivers that tests send callbacks to behave as badly as they promise."""

import http.client
import json
import socket
import ssl
from contextlib import closing

import pytest

from tests.cluster.pki import Authority
from tests.support.receivers import (
    answer,
    endless,
    garbage,
    hang,
    never_ending,
    receiving,
    redirect,
    reset,
    reset_in_body,
    reset_while_reading,
    tls_of,
)
from tests.support.waiting import wait_for

BODY = json.dumps({"data": {"operation": {"name": "resize", "uid": "u-1"}}}).encode()


def post(receiver, *, timeout=5.0, tls=None):
    """One POST with the standard library's client; the response, whose body was not read, and the connection."""
    if tls:
        connection = http.client.HTTPSConnection("127.0.0.1", receiver.port, timeout=timeout, context=tls)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=timeout)
    try:
        connection.request("POST", "/hook", BODY, {"Webhook-Id": "id-1"})
        return connection.getresponse(), connection
    except BaseException:
        connection.close()
        raise


def test_requests_are_kept_and_answered_in_turn():
    """What is planned comes first, then what always holds; the connection stays open between two requests."""
    with receiving() as receiver:
        receiver.next(answer(503, b"later", Retry_After="7"))
        first, connection = post(receiver)
        with closing(connection):
            assert (first.status, first.headers["Retry-After"], first.read()) == (503, "7", b"later")
            connection.request("POST", "/hook", BODY)
            assert connection.getresponse().status == 200

        assert [(found.method, found.path, found.body) for found in receiver.requests] == [("POST", "/hook", BODY)] * 2
        assert (receiver.requests[0].id, receiver.ids) == ("id-1", {"id-1", ""})
        assert (len(receiver.of("resize")), len(receiver.of("u-1")), receiver.of("other")) == (2, 2, [])
        assert receiver.connections == 1


@pytest.mark.parametrize(
    "behaviour",
    [hang, reset, reset_while_reading, garbage(b"SSH-2.0-x\r\n")],
    ids=["hang", "reset", "reset while reading", "no HTTP"],
)
def test_no_answer_comes_from_what_is_broken(behaviour):
    """Neither an answer nor an endless wait for the client that has a time limit."""
    with receiving(behaviour) as receiver, pytest.raises((OSError, http.client.HTTPException)):
        post(receiver, timeout=0.3)


@pytest.mark.parametrize("behaviour", [reset_in_body(), never_ending()], ids=["reset", "no end"])
def test_a_status_can_come_without_its_body(behaviour):
    """The status line is whole, the body is not."""
    with receiving(behaviour) as receiver:
        found, connection = post(receiver, timeout=0.3)
        with closing(connection):
            assert found.status == 200
            with pytest.raises((OSError, http.client.HTTPException)):
                found.read()


def test_a_large_answer_is_counted():
    """As far as somebody took it."""
    with receiving(endless()) as receiver:
        found, connection = post(receiver)
        with closing(connection):
            found.read(1024)
        wait_for(lambda: receiver.sent, describe="bytes counted")
        assert receiver.sent < 50 * 1024 * 1024


def test_a_redirect_names_the_other_place():
    """In its Location header."""
    with receiving(redirect("http://elsewhere.test/", 307)) as receiver:
        found, connection = post(receiver)
        with closing(connection):
            assert (found.status, found.headers["Location"]) == (307, "http://elsewhere.test/")


def test_tls_is_spoken_where_there_is_a_certificate(tmp_path):
    """Whoever trusts its authority gets through, and whoever does not leaves no request behind."""
    authority = Authority(tmp_path)
    authority.create()
    server = tls_of(authority.server("receiver", ("localhost",), ("127.0.0.1",)))
    trusting = ssl.create_default_context(cafile=str(authority.pair.certificate))

    with receiving(tls=server) as receiver:
        with pytest.raises(ssl.SSLError):
            post(receiver, tls=ssl.create_default_context())
        found, connection = post(receiver, tls=trusting)
        with closing(connection):
            assert found.status == 200
        assert receiver.url.startswith("https://127.0.0.1:")
        assert len(receiver.requests) == 1


def test_a_receiver_that_is_closed_refuses_connections():
    """Its port is free again."""
    with receiving() as receiver:
        port = receiver.port

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
