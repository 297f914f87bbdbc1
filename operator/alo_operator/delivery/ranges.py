"""What kind of address an address is, after IANA's registries of special-purpose addresses.

The standard library's `is_global` is not asked: it depends on the patch release, takes NAT64 and multicast for global,
and looks into no IPv4 address that an IPv6 one carries.
"""

from __future__ import annotations

import ipaddress
from enum import Enum
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Kind(Enum):
    """GLOBAL may be connected to, PRIVATE where it is listed or its host is, NEVER where its network is listed."""

    GLOBAL = "global"
    PRIVATE = "private"
    NEVER = "never"


# The first line that an address is in says what it is, so what lies within another stands before it.
_RANGES: Final[tuple[tuple[Network, Kind, str], ...]] = tuple(
    (ipaddress.ip_network(text), kind, what)
    for kind, what, texts in (
        (
            # Alibaba's, Azure's and Oracle's are not link-local; Amazon's and Google's IPv6 ones are unique local.
            Kind.NEVER,
            "is where a cloud keeps the credentials of its machines",
            "169.254.169.254/32 100.100.100.200/32 168.63.129.16/32 192.0.0.192/32 fd00:ec2::/32 fd20:ce::254/128",
        ),
        (Kind.NEVER, "is unspecified", "0.0.0.0/32 ::/128"),
        (Kind.NEVER, "is a loopback address", "127.0.0.0/8 ::1/128"),
        (Kind.NEVER, "is a link-local address", "169.254.0.0/16 fe80::/10"),
        (Kind.NEVER, "is a broadcast address", "255.255.255.255/32"),
        (Kind.NEVER, "is a multicast address", "224.0.0.0/4 ff00::/8"),
        (Kind.PRIVATE, "is a private address", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7"),
        (
            Kind.NEVER,
            "is not routed on the Internet",
            "0.0.0.0/8 192.0.0.0/24 192.88.99.0/24 198.18.0.0/15 240.0.0.0/4",
        ),
        (
            Kind.NEVER,
            "is set aside for examples",
            "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20",
        ),
        (Kind.NEVER, "belongs to a tunnel", "2002::/16 2001::/32"),
        (Kind.NEVER, "is set aside for protocols", "2001::/23"),
        (Kind.GLOBAL, "is globally routable", "0.0.0.0/0 2000::/3"),
        (Kind.NEVER, "is not routed on the Internet", "::/0"),
    )
    for text in texts.split()
)

_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def unmapped(address: Address) -> Address:
    """The IPv4 address that a packet to `address` ends up at where it is a mapped one, or behind NAT64; else itself.

    Not that of a 6to4, Teredo or IPv4-compatible address, nor of NAT64's local prefix: those are refused as they are.
    """
    if isinstance(address, ipaddress.IPv6Address) and (address in _MAPPED or address in _NAT64):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def judge(address: Address) -> Kind:
    """What may be done with `address`, which `unmapped` has been asked about before."""
    return _range(address)[1]


def describe(address: Address) -> str:
    """What `address` is, as the end of a sentence about it."""
    inner = unmapped(address)
    said = _range(inner)[2]
    return said if inner == address else f"carries {inner}, which {said}"


def _range(address: Address) -> tuple[Network, Kind, str]:
    return next(line for line in _RANGES if address.version == line[0].version and address in line[0])
