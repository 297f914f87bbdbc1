"""The one way out: fenced by the Lease, paced by a token bucket."""

import asyncio

import pytest

from alo_operator.effects.writer import BURST, LOWEST_RATE, RATE, Writer
from alo_operator.errors import ApiUnreachable, NotLeader, ServerBusy


class Server:
    """Answers every write at once, or with `error`; remembers when and with which time limit."""

    def __init__(self, clock):
        self.clock, self.error = clock, None
        self.times, self.limits = [], []

    async def request(self, method, path, *, timeout, **_):  # noqa: ASYNC109 - the interface's
        self.times.append(self.clock.seconds)
        self.limits.append(timeout)
        if self.error:
            raise self.error
        return {}


@pytest.fixture
def server(clock):
    return Server(clock)


async def write(writer, times=1):
    for _ in range(times):
        await writer.write("PATCH", "x")


def test_nothing_is_written_without_the_lease(clock, server):
    """The fence is asked before each write, after any pause."""
    with pytest.raises(NotLeader):
        clock.run(write(Writer(server, lambda: 0.0)))
    assert server.times == []


def test_the_fence_is_asked_after_the_pause(clock, server):
    """A Lease that runs out while a write waits for its turn stops it."""
    writer = Writer(server, lambda: 0.5 - clock.seconds)
    server.error = ServerBusy(429, "TooManyRequests", "slow down", retry_after=1.0)
    with pytest.raises(ServerBusy):
        clock.run(write(writer))

    with pytest.raises(NotLeader):
        clock.run(write(writer))
    assert len(server.times) == 1


def test_a_write_may_not_outlast_the_lease(clock, server):
    """Its time limit is what is left, and half a minute at most."""
    clock.run(write(Writer(server, lambda: 4.0)))
    clock.run(write(Writer(server, lambda: 400.0)))

    assert server.limits == [4.0, 30.0]


def test_a_burst_goes_out_at_once_and_the_rest_at_the_rate(clock, server):
    """The bucket holds a burst; 500 a second come after it."""
    clock.run(write(Writer(server, lambda: 10.0), int(BURST + RATE)))

    assert sum(time == 0 for time in server.times) == BURST
    assert server.times[-1] == pytest.approx(1.0, abs=0.05)


def test_a_429_closes_the_way_out_for_as_long_as_it_asks(clock, server):
    """Every writer waits, not only the one that was told."""
    writer = Writer(server, lambda: 100.0)
    server.error = ServerBusy(429, "TooManyRequests", "slow down", retry_after=7.0)
    with pytest.raises(ServerBusy):
        clock.run(write(writer))
    server.error = None

    clock.run(asyncio_all(write(writer), write(writer)))

    assert server.times[1:] == [7.0, 7.0]


def test_a_429_without_a_time_closes_it_for_a_second(clock, server):
    """Some proxies leave Retry-After out."""
    writer = Writer(server, lambda: 100.0)
    server.error = ServerBusy(429, "", "slow down")
    with pytest.raises(ServerBusy):
        clock.run(write(writer))
    server.error = None

    clock.run(write(writer))

    assert server.times[1] == pytest.approx(1.0)


def test_each_429_halves_the_rate_and_time_wins_it_back(clock, server):
    """Never below five a second; twenty a second are won back with each second."""
    writer = Writer(server, lambda: 1000.0)
    server.error = ServerBusy(429, "", "slow down", retry_after=0.0)
    rates = []
    for _ in range(12):
        with pytest.raises(ServerBusy):
            clock.run(write(writer))
        rates.append(writer._rate)

    assert rates[0] == RATE / 2
    assert LOWEST_RATE <= rates[-1] < rates[0]
    server.error = None
    clock.advance(60)
    clock.run(write(writer))
    assert writer._rate == RATE


@pytest.mark.parametrize("error", [ServerBusy(503, "", "later"), ApiUnreachable("no answer")])
def test_a_server_in_trouble_is_asked_more_slowly_but_still_asked(clock, server, error):
    """Half the rate and no burst, so that a server that comes back is not thrown over again."""
    writer = Writer(server, lambda: 100.0)
    server.error = error
    with pytest.raises(type(error)):
        clock.run(write(writer))
    server.error = None
    start = clock.seconds
    clock.run(write(writer, 11))

    assert writer._rate == pytest.approx(RATE / 2, rel=0.05)
    assert server.times[1] - start < 0.01
    assert server.times[-1] - start == pytest.approx(10 / (RATE / 2), rel=0.1)


async def asyncio_all(*work):
    await asyncio.gather(*work)


def test_the_wait_and_the_rate_are_told(clock, server):
    """A write behind a refusal waits a second; the rate halves and recovers."""
    waits = []
    writer = Writer(server, lambda: 10.0, waits.append)
    server.error = ServerBusy(429, "TooManyRequests", "slow down", retry_after=1.0)
    with pytest.raises(ServerBusy):
        clock.run(write(writer))
    assert writer.rate == pytest.approx(RATE / 2)
    server.error = None

    clock.run(write(writer))

    assert waits == [0, pytest.approx(1)]
    clock.advance(3600)
    assert writer.rate == RATE
