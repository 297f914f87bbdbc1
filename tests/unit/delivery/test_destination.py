"""Whom a callback's URL names."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from alo_operator.delivery.address import Destination, destination
from alo_operator.errors import InvalidCallbackUrl


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://billing.example/alo", "https://billing.example:443"),
        ("http://billing.example", "http://billing.example:80"),
        ("HTTPS://Billing.Example:8443/Alo?x=1#y", "https://billing.example:8443"),
        ("https://billing.example.:443", "https://billing.example:443"),
        ("https://billing.example:/x", "https://billing.example:443"),
        ("https://billing.example?to=a@b", "https://billing.example:443"),
        ("https://billing.example/a@b:c", "https://billing.example:443"),
        ("https://bücher.example/x", "https://xn--bcher-kva.example:443"),
        ("https://straße.example", "https://xn--strae-oqa.example:443"),
        ("https://e\uff58ample\u3002com", "https://example.com:443"),
        ("https://a_b.media.svc:80/", "https://a_b.media.svc:80"),
        ("https://192.0.2.7:9/", "https://192.0.2.7:9"),
        ("https://[2001:DB8:0::1]/", "https://[2001:db8::1]:443"),
        ("https://[::ffff:127.0.0.1]:8/", "https://[::ffff:7f00:1]:8"),
        ("http://127.1/", "http://127.1:80"),
        ("http://0x7f.1/", "http://0x7f.1:80"),
        ("http://2130706433:65535/", "http://2130706433:65535"),
        ("https://x%20y@", None),
        (
            "https://" + ".".join(["a" * 63] * 3 + ["b" * 61]),
            "https://" + ".".join(["a" * 63] * 3 + ["b" * 61]) + ":443",
        ),
    ],
)
def test_a_url_names_scheme_host_and_port(url, origin):
    """However it is spelt, one destination has one text."""
    if origin is None:
        with pytest.raises(InvalidCallbackUrl):
            destination(url)
        return

    assert destination(url).origin == origin
    assert destination(destination(url).origin) == destination(url)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "begin with https"),
        ("billing.example/alo", "begin with https"),
        ("//billing.example", "begin with https"),
        ("https:billing.example", "begin with https"),
        ("https:/billing.example", "begin with https"),
        ("ftp://billing.example", "begin with https"),
        ("file:///etc/passwd", "begin with https"),
        ("gopher://127.0.0.1:70/x", "begin with https"),
        ("javascript://billing.example", "begin with https"),
        ("https://", "no host"),
        ("https:///path", "no host"),
        ("https://?x", "no host"),
        ("https://:443/", "no host"),
        ("https://.", "no host"),
        ("https://me:hunter2@billing.example/", "user name or password"),
        ("https://me@billing.example/", "user name or password"),
        ("https://@billing.example/", "user name or password"),
        ("https://billing.example@127.0.0.1/", "user name or password"),
        ("https://billing.example:0/", "port"),
        ("https://billing.example:65536/", "port"),
        ("https://billing.example:-1/", "port"),
        ("https://billing.example:\uff18\uff10/", "port"),
        ("https://billing.example:80x/", "port"),
        ("https://billing.example:80:80/", "more than one port"),
        ("https://2001:db8::1/", "more than one port"),
        ("https://billing.example/a b", "white space"),
        (" https://billing.example", "white space"),
        ("https://billing.example\r\nHost: evil", "white space"),
        ("https://billing.example/\x00", "control"),
        ("https://billing\u200b.example/", "control"),
        ("https://billing.example/\u2028x", "white space"),
        ("https://billing.example/\ud800", "control"),
        ("https://billing.example\\@evil.example/", "backslash"),
        ("https:\\\\billing.example", "backslash"),
        ("https://[::1", "brackets"),
        ("https://[::1]x/", "brackets"),
        ("https://x[::1]/", "more than one port"),
        ("https://[billing.example]/", "not an IPv6 address"),
        ("https://[127.0.0.1]/", "not an IPv6 address"),
        ("https://[v1.x]/", "not an IPv6 address"),
        ("https://[]/", "not an IPv6 address"),
        ("https://[fe80::1%25eth0]/", "zone"),
        ("https://[fe80::1%lo]/", "zone"),
        ("https://bill%69ng.example/", "not a host name"),
        ("https://billing..example/", "not a host name"),
        ("https://.billing.example/", "not a host name"),
        ("https://-billing.example/", "not a host name"),
        ("https://billing.example../", "not a host name"),
        ("https://bill<ing.example/", "not a host name"),
        ("https://" + "a" * 64 + ".example", "not a host name"),
        ("https://" + "a." * 127 + "ab", "not a host name"),
        ("https://bücher..example/", "not an international|not a host name"),
        ("https://" + "ü" * 80 + ".example/", "not an international"),
        ("https://a\u0301\u0640\u2f00\u3002\u3002/", "not an international|not a host name"),
    ],
)
def test_what_cannot_be_sent_to_is_refused_without_being_repeated(url, problem):
    """The message says what to change; it shows no part of the URL, which may hold a password or a token."""
    with pytest.raises(InvalidCallbackUrl, match=problem) as refused:
        destination(url)

    assert "hunter2" not in str(refused.value)
    assert "evil" not in str(refused.value)


characters = st.sampled_from(list("ab.-_:/?#@[]%\\0 179xü\u3002\u200d\n"))


@given(st.text(characters, max_size=20).map(lambda text: f"https://{text}"))
def test_other_readers_of_a_url_agree_with_us(url):
    """What is taken names the same host and port for the standard library and for the client that connects."""
    try:
        found = destination(url)
    except InvalidCallbackUrl:
        return

    client, standard = URL(url), urlsplit(url)
    assert isinstance(found, Destination)
    assert ((client.raw_host or "").rstrip("."), client.port) == (found.host, found.port)
    assert (standard.port or 443) == found.port
    assert standard.username is None
    if (standard.hostname or "").isascii() and ":" not in found.host:
        assert (standard.hostname or "").rstrip(".") == found.host
