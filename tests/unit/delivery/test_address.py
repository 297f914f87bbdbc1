"""Which addresses may be connected to, against IANA's registries of special-purpose addresses (as of 2025)."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alo_operator.delivery.address import AddressRule

INTERNET = AddressRule.parse([])
NAMED = AddressRule.parse([".svc", "hooks.example"])


def words(text: str) -> list[str]:
    return text.split()


# One line for each block of the registries that is not, or not always, globally reachable: its first address, its last.
NEVER = words("""
0.0.0.0 0.0.0.0
0.0.0.1 0.255.255.255
127.0.0.0 127.255.255.255
169.254.0.0 169.254.255.255
169.254.169.254 169.254.170.2
192.0.0.0 192.0.0.255
192.0.0.170 192.0.0.192
192.0.2.0 192.0.2.255
192.88.99.0 192.88.99.255
198.18.0.0 198.19.255.255
198.51.100.0 198.51.100.255
203.0.113.0 203.0.113.255
224.0.0.0 239.255.255.255
240.0.0.0 255.255.255.254
255.255.255.255 255.255.255.255
100.100.100.200 100.100.100.200
168.63.129.16 168.63.129.16
:: ::1
::2 ::ffff
::7f00:1 ::ffff:ffff
::a00:1 ::808:808
::ffff:0:7f00:1 ::ffff:0:808:808
64:ff9b:1:: 64:ff9b:1:ffff:ffff:ffff:ffff:ffff
64:ff9b:1::7f00:1 64:ff9b:1::808:808
100:: 100::ffff:ffff:ffff:ffff
100:0:0:1:: 100:0:0:1:ffff:ffff:ffff:ffff
2001:: 2001:0:ffff:ffff:ffff:ffff:ffff:ffff
2001:0:7f00:1::80ff:fffe 2001:0:4136:e378:8000:63bf:3fff:fdd2
2001:2:: 2001:2:0:ffff:ffff:ffff:ffff:ffff
2001:10:: 2001:1f:ffff:ffff:ffff:ffff:ffff:ffff
2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff 2001:100::
2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff
2002:: 2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff
2002:7f00:1:: 2002:808:808::
3fff:: 3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff
4000:: 5f00::
5f00::1 fbff:ffff::
fd00:ec2::254 fd00:ec2::23
fd20:ce::254 fd20:ce::254
fe00:: fe7f:ffff::
fe80:: febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff
fec0:: feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
ff00:: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
ff02::1 ff0e::1
""")

PRIVATE = words("""
10.0.0.0 10.255.255.255
100.64.0.0 100.127.255.255
172.16.0.0 172.31.255.255
192.168.0.0 192.168.255.255
fc00:: fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
""")

GLOBAL = words("""
1.0.0.0 9.255.255.255
11.0.0.0 100.63.255.255
100.128.0.0 126.255.255.255
128.0.0.0 169.253.255.255
169.255.0.0 172.15.255.255
172.32.0.0 191.255.255.255
192.0.1.0 192.88.98.255
192.88.100.0 192.167.255.255
192.169.0.0 198.17.255.255
198.20.0.0 223.255.255.255
2000:: 2000:ffff::
2001:200:: 2001:db7:ffff:ffff:ffff:ffff:ffff:ffff
2001:db9:: 2001:ffff::
2003:: 3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff
2606:4700:4700::1111 2a00:1450:4001:80b::200e
3fff:1000:: 3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
""")


def mapped(address: str) -> list[str]:
    """The forms in which an IPv6 socket reaches an IPv4 address; none for an IPv6 one."""
    return [] if ":" in address else [f"::ffff:{address}", f"64:ff9b::{address}"]


@pytest.mark.promise("DELIVERY-13")
@pytest.mark.parametrize("address", NEVER)
def test_no_special_address_is_connected_to(address):
    """Neither as it is nor carried by an IPv6 one, neither plainly nor under a name that is listed."""
    for form in (address, *mapped(address)):
        assert INTERNET.refusal("billing.example", form), form
        assert "no host name does" in NAMED.refusal("a.media.svc", form), form


@pytest.mark.promise("DELIVERY-13")
@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_connected_to_under_a_listed_name_only(address):
    """In any form; whoever is refused is told what to do."""
    for form in (address, *mapped(address)):
        assert "private address; to allow it, list" in INTERNET.refusal("a.media.svc", form), form
        assert "list its network or the host with --delivery-allow" in NAMED.refusal("billing.example", form), form
        assert NAMED.refusal("a.media.svc", form) == "", form


@pytest.mark.parametrize("address", GLOBAL)
def test_a_global_address_is_connected_to(address):
    """Whatever the name, and in any form."""
    assert [INTERNET.refusal("billing.example", form) for form in (address, *mapped(address))] == [
        "" for _ in (address, *mapped(address))
    ]


@given(st.ip_addresses(v=4).map(str))
def test_a_mapped_address_is_judged_like_the_one_it_carries(address):
    """Whatever it is, and whatever is listed."""
    for rule in (INTERNET, NAMED, AddressRule.parse(["10.0.0.0/8", "127.0.0.1"])):
        plain = rule.refusal("a.media.svc", address)
        assert [bool(rule.refusal("a.media.svc", form)) for form in mapped(address)] == [bool(plain)] * 2


@given(st.ip_addresses())
def test_nothing_is_allowed_that_the_standard_library_knows_as_private(address):
    """Its own judgement is one more witness; the rule is at least as strict."""
    if INTERNET.refusal("billing.example", str(address)) == "":
        assert address.version == 4 or address in ipaddress.ip_network("2000::/3") or mapped_or_nat64(address)
        assert not address.is_private or mapped_or_nat64(address)
        assert not address.is_multicast
        assert not address.is_link_local


def mapped_or_nat64(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(
        address in network for network in map(ipaddress.ip_network, ("::ffff:0:0/96", "64:ff9b::/96"))
    )  # of the other version: in none


@pytest.mark.parametrize(
    ("entry", "inside", "outside"),
    [
        ("10.1.0.0/16", ["10.1.0.0", "::ffff:10.1.255.255", "64:ff9b::a01:1"], ["10.2.0.0", "127.0.0.1"]),
        ("127.0.0.0/8", ["127.0.0.1", "::ffff:127.0.0.1"], ["::1", "10.0.0.1"]),
        ("::1/128", ["::1"], ["127.0.0.1", "::2"]),
        ("169.254.169.254", ["169.254.169.254"], ["169.254.169.253"]),
        ("fe80::/10", ["fe80::1", "fe80::1%eth0"], ["fd00::1"]),
        ("fd00::/8", ["fd12::1"], ["fc00::1", "10.0.0.1"]),
        ("2002::/16", ["2002:a00:1::"], ["10.0.0.1"]),
        ("::/0", ["::1", "fe80::1"], ["127.0.0.1", "::ffff:127.0.0.1"]),
        ("0.0.0.0/0", ["127.0.0.1", "::ffff:10.0.0.1"], ["::1"]),
    ],
)
def test_a_listed_network_allows_exactly_its_addresses(entry, inside, outside):
    """Whatever they are, and under any name."""
    rule = AddressRule.parse([entry])

    assert [rule.refusal("billing.example", address) for address in inside] == [""] * len(inside)
    assert all(rule.refusal("billing.example", address) for address in outside)


@pytest.mark.parametrize(
    ("host", "listed"),
    [
        ("a.media.svc", True),
        ("A.Media.SVC", True),
        ("a.media.svc.", True),
        ("notsvc", False),
        ("svc", False),
        ("a.svc.example", False),
        ("hooks.example", True),
        ("eu.hooks.example", True),
        ("myhooks.example", False),
        ("hooks.example.evil", False),
        ("10.0.0.1", False),
    ],
)
def test_a_listed_suffix_matches_whole_labels(host, listed):
    """With a dot before it only what is below it, without one itself as well."""
    assert (NAMED.refusal(host, "10.0.0.1") == "") is listed


@pytest.mark.parametrize("address", ["", "billing.example", "127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433", "1.2.3"])
def test_what_is_no_address_is_not_connected_to(address):
    """Only what a resolver answers is judged; a name or a short form is none."""
    assert "is not an address" in INTERNET.refusal("billing.example", address)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("", "neither a network"),
        ("*", "neither a network"),
        ("*.svc", "neither a network"),
        ("https://hooks.example", "not a network"),
        ("hooks example", "neither a network"),
        ("-a.example", "neither a network"),
        ("10.0.0.1/8", "no bit set past its length"),
        ("10.0.0.0/33", "not a network"),
        ("10.0.0", "not a network"),
        ("hooks.example/24", "not a network"),
        ("::ffff:10.0.0.0/104", "write 10.0.0.0/8"),
        ("64:ff9b::/96", "write 0.0.0.0/0"),
        ("localhost", "list 127.0.0.0/8"),
        (".localhost", "list 127.0.0.0/8"),
    ],
)
def test_a_wrong_entry_is_refused_by_what_is_wrong(entry, problem):
    """The message repeats it and shows how to write it."""
    with pytest.raises(ValueError, match=problem) as refused:
        AddressRule.parse(["10.0.0.0/8", entry])

    assert repr(entry) in str(refused.value)


def test_entries_are_read_as_people_write_them():
    """With spaces around them, in capitals, as international names, as single addresses."""
    rule = AddressRule.parse([" 10.0.0.0/8 ", "HOOKS.Example.", ".Bücher.example", "192.168.0.7", "fd00::7"])

    assert [str(network) for network in rule.networks] == ["10.0.0.0/8", "192.168.0.7/32", "fd00::7/128"]
    assert rule.suffixes == ("hooks.example", ".xn--bcher-kva.example")
