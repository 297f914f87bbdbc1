"""Where messages may go: what a callback's URL names, and which addresses may be connected to."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import idna

from alo_operator.api.limits import OBJECT_NAME as LONGEST_HOST
from alo_operator.delivery.ranges import Address, Kind, Network, describe, judge, unmapped
from alo_operator.errors import InvalidCallbackUrl

PORTS: Final = {"https": 443, "http": 80}
OPTION: Final = "--delivery-allow"

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMERIC: Final = re.compile(r"(?:.*\.)?[0-9]+")
_PORT: Final = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Destination:
    """Whom a URL names: `host` lower-case ASCII without a dot at its end, or an address, an IPv6 one without brackets.

    An IPv4 address in an unusual spelling (`127.1`, `0x7f000001`) stays as it is: what counts is the address that is
    connected to, which `AddressRule` judges.
    """

    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> str:
        """`https://host:port`, the port always given: one text for each destination."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def destination(url: str) -> Destination:
    """Whom `url` names. Its authority is taken apart strictly, so that no two readers can differ over it.

    Raises:
        InvalidCallbackUrl: nothing can be sent to it; the message says why and never repeats the URL.
    """
    if any(character.isspace() or unicodedata.category(character)[0] == "C" for character in url):
        raise InvalidCallbackUrl("the URL has white space or control characters in it: write them as %20 and the like")
    if "\\" in url:
        raise InvalidCallbackUrl("the URL has a backslash in it: use / or write it as %5C")
    scheme, found, rest = url.partition("://")
    scheme = scheme.lower()
    if not found or scheme not in PORTS:
        raise InvalidCallbackUrl("the URL must begin with https:// or http://")
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        raise InvalidCallbackUrl(
            "the URL has a user name or password in it: take them out, and let receivers verify the signature instead"
        )
    host, port = _host_and_port(authority)
    return Destination(scheme, host, PORTS[scheme] if port is None else port)


@dataclass(frozen=True)
class AddressRule:
    """Which addresses may be connected to: globally routable ones, and what `--delivery-allow` lists.

    - A listed network allows exactly its addresses, whatever they are.
    - A listed host suffix allows private addresses (RFC 1918, unique local, and the shared ones of RFC 6598) of the
      hosts it matches: `.svc` those that end in it, `hooks.example` itself and all below it. It never allows loopback,
      link-local or multicast addresses, nor the places where clouds keep machine credentials (169.254.169.254 and its
      like): whoever may make a Service could point such a name there. List their network where you mean it.

    An IPv4 address inside an IPv6 one (mapped, or behind NAT64's well-known prefix) is judged as the IPv4 address.
    """

    networks: tuple[Network, ...] = ()
    suffixes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> AddressRule:
        """The rule that allows `entries` besides: networks, single addresses and host suffixes.

        Raises:
            ValueError: one is none of these; the message says which and how to write it.
        """
        networks: list[Network] = []
        suffixes: list[str] = []
        for entry in map(str.strip, entries):
            if "/" in entry or ":" in entry or _NUMERIC.fullmatch(entry):
                networks.append(_network(entry))
            else:
                suffixes.append(_suffix(entry))
        return cls(tuple(networks), tuple(suffixes))

    def refusal(self, host: str, address: str) -> str:
        """Why `address`, found under the name `host`, may not be connected to, and what to do; "" where it may."""
        try:
            given = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return f"{address[:64]!r} is not an address"
        found = unmapped(given)
        if any(_within(found, network) for network in self.networks):
            return ""
        kind = judge(found)
        if kind is Kind.GLOBAL or (kind is Kind.PRIVATE and self._names(host)):
            return ""
        what = f"{given} {describe(given)}"
        if kind is Kind.PRIVATE:
            return f"{what}; to allow it, list its network or the host with {OPTION}"
        return f"{what}; only its network, listed with {OPTION}, would allow it, and no host name does"

    def _names(self, host: str) -> bool:
        name = host.lower().rstrip(".")
        return any(
            name.endswith(suffix) if suffix.startswith(".") else name == suffix or name.endswith(f".{suffix}")
            for suffix in self.suffixes
        )


def _within(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network


def _host_and_port(authority: str) -> tuple[str, int | None]:
    if authority.startswith("["):
        inside, closed, port = authority[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            raise InvalidCallbackUrl("the brackets around the URL's IPv6 address do not match")
        return _ipv6(inside), _port(port[1:])
    host, _, port = authority.partition(":")
    if ":" in port:
        raise InvalidCallbackUrl(
            "the URL has more than one port: an IPv6 address stands in brackets, as in [2001:db8::1]"
        )
    return _host(host), _port(port)


def _ipv6(text: str) -> str:
    if "%" in text:
        raise InvalidCallbackUrl("the URL's IPv6 address has a zone: an address that others can reach has none")
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise InvalidCallbackUrl("what the URL has in brackets is not an IPv6 address") from None


def _port(text: str) -> int | None:
    if not text:
        return None
    if not _PORT.fullmatch(text) or not 0 < int(text) < 2**16:
        raise InvalidCallbackUrl("the URL's port is not a number from 1 to 65535")
    return int(text)


def _host(text: str) -> str:
    name = _ascii(text).lower().removesuffix(".")
    if not name:
        raise InvalidCallbackUrl("the URL has no host: write it as https://host/path")
    if len(name) > LONGEST_HOST or not _NAME.fullmatch(name):
        raise InvalidCallbackUrl("the URL's host is not a host name: letters, digits, dashes and dots make one")
    return name


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    try:
        return idna.encode(text, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise InvalidCallbackUrl("the URL's host is not an international domain name: write it as xn--...") from None


def _network(entry: str) -> Network:
    try:
        network = ipaddress.ip_network(entry)
    except ValueError:
        raise ValueError(
            f"{entry!r} is not a network: write one as 10.0.0.0/8 or fd00::/8, with no bit set past its length"
        ) from None
    inner = unmapped(network.network_address)
    if inner.version != network.version:
        ipv4 = f"{inner}/{max(network.prefixlen - 96, 0)}"
        raise ValueError(f"{entry!r} holds IPv4 addresses, which are judged as such: write {ipv4}")
    return network


def _suffix(entry: str) -> str:
    try:
        name = _ascii(entry.removeprefix(".")).lower().removesuffix(".")
    except InvalidCallbackUrl:
        name = ""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{entry!r} is neither a network, as in 10.0.0.0/8, nor the end of a host name, as in .svc or hooks.example"
        )
    if name == "localhost" or name.endswith(".localhost"):
        raise ValueError(f"{entry!r} would allow nothing: no host name allows loopback; list 127.0.0.0/8 or ::1/128")
    return f".{name}" if entry.startswith(".") else name
