"""Which receivers are believed to be who their URL says, against real TLS on loopback."""

import asyncio
import socket
import ssl

import pytest
from aiohttp.abc import AbstractResolver

from alo_operator.api.deliveries import DeliveryError
from alo_operator.delivery.address import AddressRule
from alo_operator.effects.transport import SendSettings, Transport
from alo_operator.errors import ConfigurationError
from tests.cluster.commands import run
from tests.cluster.pki import Authority, KeyPair
from tests.support.receivers import receiving, tls_of

ALLOWED = AddressRule.parse(["127.0.0.0/8"])
CONFIGURATION = """
[ca]
default_ca = here
[here]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = none
[none]
"""


class Here(AbstractResolver):
    """Every name leads to this machine."""

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        found = {"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
        return [found]

    async def close(self):
        """Nothing is held."""


def post(receiver, ca_file=None, name="127.0.0.1", scheme="https"):
    async def play():
        transport = Transport(SendSettings(allow=ALLOWED, ca_file=ca_file), resolver=Here())
        try:
            return await transport.post(f"{scheme}://{name}:{receiver.port}/", {}, b"{}", patience=20.0)
        finally:
            await transport.close()

    return asyncio.run(play())


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate authority that the system does not know."""
    made = Authority(tmp_path_factory.mktemp("authority"))
    made.create()
    return made


@pytest.fixture(scope="module")
def pair(authority):
    """A good certificate for this machine's address and one name."""
    return authority.server("good", ("hook.example",), ("127.0.0.1",))


def expired(authority):
    """A certificate that was good in January 2020."""
    folder, ca = authority.folder, authority.pair
    made = KeyPair(folder / "expired.crt", folder / "expired.key")
    (folder / "old.cnf").write_text(CONFIGURATION)
    (folder / "index").write_text("")
    (folder / "serial").write_text("01")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    names = ("-addext", "subjectAltName=IP:127.0.0.1")
    request = ["openssl", "req", "-config", "old.cnf", "-new", *curve, "-subj", "/CN=old", *names]
    run([*request, "-keyout", made.key, "-out", "old.csr"], cwd=folder)
    times = ("-startdate", "20200101000000Z", "-enddate", "20200201000000Z")
    sign = ["openssl", "ca", "-config", "old.cnf", "-batch", "-notext", "-in", "old.csr", *times]
    run([*sign, "-cert", ca.certificate, "-keyfile", ca.key, "-out", made.certificate], cwd=folder)
    return made


@pytest.mark.parametrize("name", ["127.0.0.1", "hook.example"])
def test_a_certificate_of_a_listed_authority_is_trusted(authority, pair, name):
    """By name or address, once --delivery-ca names its authority."""
    with receiving(tls=tls_of(pair)) as receiver:
        reply = post(receiver, authority.pair.certificate, name)

    assert (reply.status, reply.error) == (200, None)
    assert len(receiver.requests) == 1


def test_an_unknown_authority_is_not_trusted(pair):
    """Nothing is sent."""
    with receiving(tls=tls_of(pair)) as receiver:
        reply = post(receiver)

    assert (reply.status, reply.error, reply.final) == (None, DeliveryError.TLS_ERROR, False)
    assert "not trusted" in reply.said
    assert receiver.requests == []


def test_a_certificate_for_another_name_is_not_trusted(authority, pair):
    """Whatever address it is reached at."""
    with receiving(tls=tls_of(pair)) as receiver:
        reply = post(receiver, authority.pair.certificate, "other.example")

    assert reply.error is DeliveryError.TLS_ERROR
    assert "other.example" in reply.said
    assert receiver.requests == []


def test_a_certificate_that_is_over_is_not_trusted(authority):
    """Not even one of a listed authority."""
    with receiving(tls=tls_of(expired(authority))) as receiver:
        reply = post(receiver, authority.pair.certificate)

    assert reply.error is DeliveryError.TLS_ERROR
    assert "expired" in reply.said
    assert receiver.requests == []


def test_old_versions_of_tls_are_not_spoken(authority, pair):
    """What they protect can be read."""
    server = tls_of(pair)
    server.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLS"):
        server.minimum_version, server.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with receiving(tls=server) as receiver:
        assert post(receiver, authority.pair.certificate).error is DeliveryError.TLS_ERROR


def test_plain_http_where_tls_is_due_is_no_answer(authority, pair):
    """And the other way round."""

    def plain_words(wire):
        wire.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        wire.hang_up()

    with receiving(plain_words) as plain, receiving(tls=tls_of(pair)) as secure:
        wanted = post(plain, authority.pair.certificate)
        unwanted = post(secure, scheme="http")

    assert wanted.error is DeliveryError.TLS_ERROR
    assert unwanted.error in (DeliveryError.CONNECTION_LOST, DeliveryError.INVALID_ANSWER)


def test_the_status_counts_where_tls_breaks_off_behind_it(authority, pair):
    """As receivers do that hang up without a farewell."""

    def rude(wire):
        wire.read()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
        wire.hang_up()

    with receiving(rude, tls=tls_of(pair)) as receiver:
        assert post(receiver, authority.pair.certificate).error is None


@pytest.mark.parametrize("content", [None, "", "no certificate"], ids=["missing", "empty", "something else"])
def test_a_file_of_authorities_that_cannot_be_used_stops_the_start(tmp_path, content):
    """The message names option and file."""
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)

    with pytest.raises(ConfigurationError, match=r"--delivery-ca .*authorities\.pem cannot be used"):
        Transport(SendSettings(ca_file=file))
