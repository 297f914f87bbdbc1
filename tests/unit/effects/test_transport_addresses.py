"""Where the operator can be made to connect to: only where the rule allows, however the place is written or found."""

import asyncio
import socket

import pytest
from aiohttp.abc import AbstractResolver

from alo_operator.api.deliveries import DeliveryError
from alo_operator.delivery.address import AddressRule
from alo_operator.effects.transport import SendSettings, Transport
from tests.support.receivers import receiving, redirect

NOWHERE = AddressRule()
LOOPBACK = AddressRule.parse(["127.0.0.0/8", "::1/128"])
PUBLIC = "93.184.215.14"


class Names(AbstractResolver):
    """A name server in hostile hands: each lookup is answered with the next addresses; the last stay."""

    def __init__(self, *answers):
        self.answers = list(answers)

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        kinds = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in found]
        return [
            {"hostname": host, "host": address, "port": port, "family": kind, "proto": 0, "flags": 0}
            for address, kind in zip(found, kinds, strict=True)
        ]

    async def close(self):
        """Nothing is held."""


def post(url, rule=NOWHERE, names=None):
    async def play():
        transport = Transport(SendSettings(allow=rule), resolver=names)
        try:
            return await transport.post(url, {}, b"{}", patience=20.0)
        finally:
            await transport.close()

    return asyncio.run(play())


HOSTS = [
    "127.0.0.1",
    "localhost",
    "0x7f.1",
    "0x7f000001",
    "0",
    "0.0.0.0",  # noqa: S104 - a place to call
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
]


@pytest.mark.promise("DELIVERY-13")
@pytest.mark.parametrize("host", [*HOSTS, "2130706433", "017700000001", "0177.0.0.1", "127.1", "127.0.0.1."])
def test_this_machine_is_out_of_reach(host):
    """However its address is written, it is refused before there is a connection."""
    with receiving() as receiver, receiving(host="::1") as other:
        for port in (receiver.port, other.port):
            reply = post(f"http://{host}:{port}/")

            assert reply.error in (DeliveryError.ADDRESS_NOT_ALLOWED, DeliveryError.INVALID_CALLBACK_URL)
            assert reply.status is None
        assert (receiver.connections, other.connections) == (0, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "0x7f.1", "[::1]"])
def test_this_machine_is_reached_where_it_is_listed(host):
    """As tests and demos do with --delivery-allow 127.0.0.0/8."""
    with receiving(host="::1" if "::" in host else "127.0.0.1") as receiver:
        # A server on 127.0.0.1 has its own ear only, so other loopback addresses are refused, by the machine.
        reply = post(f"http://{host}:{receiver.port}/", LOOPBACK)

    expected = DeliveryError.CONNECTION_REFUSED if host == "127.0.0.2" else None
    assert reply.error == expected


@pytest.mark.promise("DELIVERY-13")
@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[fe80::1]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[fd00::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
    ],
)
def test_networks_that_are_not_the_internet_are_out_of_reach(host):
    """Nodes, pods, Services and the cloud's metadata among them; the answer says what to do."""
    reply = post(f"http://{host}/")

    assert (reply.error, reply.final) == (DeliveryError.ADDRESS_NOT_ALLOWED, False)
    assert "--delivery-allow" in reply.said


@pytest.mark.parametrize(
    "url",
    [
        "http://[fe80::1%lo]/",
        "http://[fe80::1%25lo]/",
        "http://good.example@127.0.0.1/",
        "http://127.0.0.1\\@good.example/",
        "http://127.0.0.1 .good.example/",
        "http:///path",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:80:80/",
        "http://[127.0.0.1/",
    ],
)
def test_a_url_that_can_be_read_in_two_ways_is_refused_for_good(url):
    """What cannot be changed need not be tried again."""
    reply = post(url, LOOPBACK)

    assert (reply.error, reply.final, reply.status) == (DeliveryError.INVALID_CALLBACK_URL, True, None)
    assert "good.example" not in reply.said


@pytest.mark.promise("DELIVERY-13")
@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["10.1.2.3", "127.0.0.1"], ["fe80::1%lo"], ["localhost"], ["x"]],
)
def test_a_name_that_leads_here_is_refused(addresses):
    """Whoever owns a name says where it leads; something that is no address is never looked up again."""
    with receiving() as receiver:
        reply = post(f"http://hook.example:{receiver.port}/", names=Names(addresses))

        assert reply.error is DeliveryError.ADDRESS_NOT_ALLOWED
        assert receiver.connections == 0


@pytest.mark.promise("DELIVERY-13")
def test_a_name_that_changes_its_meaning_is_judged_by_each_connection():
    """First public, then loopback: no lookup is trusted for longer than its own connection."""
    names = Names([PUBLIC], ["127.0.0.1"])
    rule = AddressRule()
    found = []

    class Asked(AddressRule):
        def refusal(self, host, address):
            found.append(address)
            # The public one is not really asked, so that the test stays on this machine.
            return rule.refusal(host, address) or "not from here"

    with receiving() as receiver:

        async def play():
            transport = Transport(SendSettings(allow=Asked()), resolver=names)
            url = f"http://hook.example:{receiver.port}/"
            try:
                await transport.post(url, {}, b"{}", patience=20.0)
                transport._session.connector.clear_dns_cache()  # as after ten seconds
                return await transport.post(url, {}, b"{}", patience=20.0)
            finally:
                await transport.close()

        reply = asyncio.run(play())

        assert found == [PUBLIC, "127.0.0.1"]
        assert reply.error is DeliveryError.ADDRESS_NOT_ALLOWED
        assert "loopback" in reply.said
        assert receiver.connections == 0


def test_one_address_that_is_allowed_is_enough():
    """Those that are not are passed over."""
    with receiving() as receiver:
        names = Names(["10.1.2.3", "::1", "127.0.0.1"])
        reply = post(f"http://hook.example:{receiver.port}/", AddressRule.parse(["127.0.0.0/8"]), names)

        assert reply.error is None
        assert receiver.requests[0].headers["host"] == f"hook.example:{receiver.port}"


def test_a_listed_host_allows_no_loopback_address():
    """Whoever may make a Service could point its name to the machine itself."""
    with receiving() as receiver:
        rule = AddressRule.parse([".svc"])
        reply = post(f"http://hook.media.svc:{receiver.port}/", rule, Names(["127.0.0.1"]))

        assert reply.error is DeliveryError.ADDRESS_NOT_ALLOWED
        assert receiver.connections == 0


@pytest.mark.promise("DELIVERY-13")
def test_a_redirect_reaches_nobody_whatever_is_allowed():
    """Not even where the rule would let it."""
    with receiving() as other, receiving(redirect(other.url, 307)) as receiver:
        assert post(receiver.url, LOOPBACK).error is DeliveryError.REDIRECT_NOT_FOLLOWED
        assert other.connections == 0
