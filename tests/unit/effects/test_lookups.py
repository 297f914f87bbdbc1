"""Looking up hosts while some name servers say nothing."""

import asyncio
import socket
import threading
from collections import Counter

import pytest

from alo_operator.effects.lookups import AT_ONCE_EACH, Lookups

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))]


@pytest.fixture
def silent(monkeypatch):
    """Name servers that do not answer for hosts called slow, until the test is over; counts who was asked for."""
    over, asked = threading.Event(), Counter()

    def lookup(host, *_, **__):
        asked[host] += 1
        if host.startswith("slow"):
            over.wait(20)
        if host.startswith("bad"):
            raise UnicodeError("label too long")
        if host.startswith("none"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return FOUND

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    yield asked
    over.set()


def test_the_system_s_resolver_is_asked():
    """For every address of a host."""
    found = asyncio.run(Lookups(lambda: "media").resolve("localhost", 80))

    assert {entry["host"] for entry in found} <= {"127.0.0.1", "::1"}
    assert {entry["port"] for entry in found} == {80}


@pytest.mark.parametrize("host", ["bad.example", "none.example"])
def test_a_host_without_an_address_is_an_error_of_the_network(silent, host):
    """Whatever the reason."""
    with pytest.raises(OSError):
        asyncio.run(Lookups(lambda: "media").resolve(host, 80))


def test_hosts_that_are_not_found_in_time_delay_their_own_namespace_only(silent):
    """Others' lookups go on, and neither they nor the end of the loop wait for a thread."""
    namespace = "hostile"
    lookups = Lookups(lambda: namespace)

    async def play():
        nonlocal namespace
        slow = [asyncio.create_task(lookups.resolve(f"slow-{number}.example", 80)) for number in range(50)]
        await asyncio.sleep(0)
        namespace = "media"
        async with asyncio.timeout(10):
            found = await lookups.resolve("hook.example", 443)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        return found

    (found,) = asyncio.run(play())

    assert (found["host"], found["hostname"]) == ("192.0.2.1", "hook.example")
    assert sum(silent.values()) == AT_ONCE_EACH + 1
    assert (dict(lookups._each), dict(lookups._users)) == ({}, {})
