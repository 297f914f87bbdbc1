"""Many callbacks at once, operators that die, and receivers that are away for long: nothing is lost."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime

import pytest

from tests.cluster.providers import Capability
from tests.support.api import Api
from tests.support.callbacks import LOOPBACK, callback, problems, secret, signing_key
from tests.support.killing import dice, kill, kill_after, pass_time
from tests.support.operations import operation, simulated_job
from tests.support.receivers import answer, hang, receiving
from tests.support.waiting import wait_for
from tests.support.work import held, pending

pytestmark = [pytest.mark.needs(Capability.SIMULATED_NODES), pytest.mark.timeout(480)]

CLIENTS = 8
PATIENCE = 300  # seconds for all of it, on a machine that does much else
LEASE = {"lease_duration": "4s", "lease_renew": "1s"}
PATIENT = [*LOOPBACK, "--delivery-schedule", ",".join(["1s"] * 32), "--delivery-timeout", "5s"]
NOT_NOW = answer(404)  # a failure that says nothing against the host: every message is tried
DOWN = answer(503)
AWAY = 70  # seconds: an operation whose next attempt is so far away rests


@pytest.fixture
def key(api, namespace):
    made = signing_key()
    api.create("secrets", secret("hook", made), namespace)
    return made


@pytest.fixture
def receive():
    """Makes receivers."""
    with ExitStack() as open_ones:
        yield lambda *behaviours: open_ones.enter_context(receiving(*behaviours))


def create(cluster, namespace, names, callbacks, seconds=0):
    """Make operations with several clients at once."""

    def some(part):
        client = Api(cluster.kubeconfig)
        for name in part:
            manifest = operation(name, job=simulated_job(seconds, message=f'"{name}"'), callbacks=callbacks)
            client.create("asyncoperations", manifest, namespace)
        client.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(some, [names[index::CLIENTS] for index in range(CLIENTS)]))


def settled_and_told(api, namespace, names, callbacks, timeout):
    """The operations by name, once all these callbacks of each are told."""
    found = {}

    def missing():
        nonlocal found
        found = {item["metadata"]["name"]: item for item in api.list("asyncoperations", namespace)}
        return [name for name in names if not told(found.get(name), callbacks)]

    def describe():
        late = [found.get(name, {}).get("status", {}) for name in missing()]
        states = Counter(
            (status.get("phase"), entry.get("state"), entry.get("lastError"))
            for status in late
            for entry in status.get("deliveries") or [{}]
            if entry.get("name", callbacks[0]) in callbacks
        )
        return f"{len(late)} of {len(names)} are not told: {states.most_common(8)}"

    wait_for(lambda: not missing(), timeout, describe, interval=max(0.5, len(names) / 250))
    return found


def heard(receivers, count, timeout):
    """Return when each receiver has had so many messages; asking them costs the API server nothing."""
    wait_for(
        lambda: all(len(one.ids) >= count for one in receivers),
        timeout,
        lambda: f"{count} messages are with each; {[len(one.ids) for one in receivers]}",
        interval=0.5,
    )


def told(item, callbacks):
    entries = {entry["name"]: entry["state"] for entry in (item or {}).get("status", {}).get("deliveries", ())}
    return all(entries.get(name) == "Delivered" for name in callbacks)


def arrived(receiver, name, found, key):
    """Check that a receiver got each operation's message, whole, under one id; return how many came twice."""
    expected = {f"{item['metadata']['uid']}_{name}_succeeded": item for item in found.values()}
    bodies = {}
    for received in list(receiver.requests):
        bodies.setdefault(received.id, set()).add(received.body)
        assert received.id in expected
        assert problems(received, expected[received.id], key) == []
    assert {len(same) for same in bodies.values()} == {1}
    assert bodies.keys() == expected.keys(), f"{len(expected.keys() - bodies.keys())} messages are lost"
    return len(receiver.requests) - len(bodies)


def latencies(receiver, found):
    """Seconds from each operation's end, which is on record in whole ones, to the first arrival of its message."""
    ended = {
        item["metadata"]["uid"]: datetime.fromisoformat(item["status"]["completionTime"]).timestamp()
        for item in found.values()
    }
    first = {}
    for received in receiver.requests:
        first.setdefault(received.id.split("_")[0], received.time)
    return sorted(moment - ended[uid] for uid, moment in first.items())


def one_dead_among_five(api, cluster, namespace, operators, key, receive, count, timeout):
    operators.start(arguments=[*LOOPBACK, "--delivery-timeout", "5s"])
    sound = {f"sound-{index}": receive() for index in range(4)}
    dead = receive(hang)
    callbacks = [callback(name, one.url, cloud_events=name == "sound-3") for name, one in sound.items()]
    names = [f"op-{index:04d}" for index in range(count)]
    create(cluster, namespace, names, [callback("dead", dead.url), *callbacks])

    heard(sound.values(), count, timeout)
    found = settled_and_told(api, namespace, names, list(sound), timeout)

    for name, receiver in sound.items():
        twice = arrived(receiver, name, found, key)
        took = latencies(receiver, found)
        print(
            f"{name}: {len(took)} messages, {twice} twice, after the end: median {took[len(took) // 2]:.1f} s, "
            f"99 % {took[len(took) * 99 // 100]:.1f} s, last {took[-1]:.1f} s"
        )
    print(f"dead: {len(dead.requests)} attempts over {dead.connections} connections")
    left = [
        entry["state"] for item in found.values() for entry in item["status"]["deliveries"] if entry["name"] == "dead"
    ]
    assert left == ["Pending"] * count


@pytest.mark.promise("DELIVERY-1", "DELIVERY-11")
def test_a_dead_receiver_delays_nobody_else(api, cluster, namespace, operators, key, receive):
    """Sixty operations with five callbacks each, one of them dead: the other four get every message."""
    one_dead_among_five(api, cluster, namespace, operators, key, receive, 60, PATIENCE)


@pytest.mark.promise("DELIVERY-11")
@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_dead_receiver_delays_nobody_else_of_a_thousand(api, cluster, namespace, operators, key, receive):
    """A thousand operations with five callbacks each, one of them dead: as above."""
    one_dead_among_five(api, cluster, namespace, operators, key, receive, 1000, 2 * PATIENCE)


def killed_while_telling(api, cluster, namespace, operators, key, receive, count, kills):
    """Kill the operator at random moments while messages are due, of which a third has to be sent more than once."""
    chance = dice()
    operator = operators.start(arguments=PATIENT, **LEASE)
    receiver = receive()
    receiver.next(*(answer(503) if chance.random() < 0.3 else answer(200) for _ in range(count)))
    names = [f"op-{index:03d}" for index in range(count)]
    with ThreadPoolExecutor(1) as background:
        making = background.submit(create, cluster, namespace, names, [callback("hook", receiver.url)], 1)
        wait_for(lambda: receiver.requests, 60, "the first message arrives", interval=0.01)
        for _ in range(kills):
            kill_after(operator, chance.uniform(0.2, 2.5))
            operator.start()
        making.result()

    found = settled_and_told(api, namespace, names, ["hook"], PATIENCE)

    wait_for(lambda: held(api, namespace) == 0, 30, "all are let go")
    twice = arrived(receiver, "hook", found, key)
    print(f"{count} messages, {kills} kills: each arrived; {len(receiver.requests)} attempts, {twice} beyond the first")


@pytest.mark.promise("DELIVERY-1", "DELIVERY-3")
def test_kills_at_any_moment_lose_no_message(api, cluster, namespace, operators, key, receive):
    """Two hundred messages and six kills: each message arrives, whatever was under way."""
    killed_while_telling(api, cluster, namespace, operators, key, receive, 200, 6)


@pytest.mark.promise("DELIVERY-1")
@pytest.mark.full
@pytest.mark.timeout(900)
def test_thirty_kills_lose_no_message(api, cluster, namespace, operators, key, receive):
    """Thirty kills while six hundred messages are due: as above."""
    killed_while_telling(api, cluster, namespace, operators, key, receive, 600, 30)


@pytest.mark.promise("DELIVERY-1")
def test_a_standby_tells_what_is_still_due(api, cluster, namespace, operators, key, receive):
    """The leader dies while all messages are due: the standby sends them, and no attempt is forgotten."""
    receiver = receive(NOT_NOW)
    leader, standby = (operators.start(name, arguments=PATIENT, **LEASE) for name in ("alo-0", "alo-1"))
    if standby.metrics().get("alo_leader"):
        leader, standby = standby, leader
    names = [f"op-{index:02d}" for index in range(20)]
    create(cluster, namespace, names, [callback("hook", receiver.url)])

    def attempts():
        return {
            item["metadata"]["name"]: entry["attempts"]
            for item in api.list("asyncoperations", namespace)
            for entry in item["status"].get("deliveries", ())
        }

    wait_for(lambda: len(attempts()) == 20 and all(attempts().values()), 60, lambda: f"all are tried; {attempts()}")
    before = attempts()
    kill(leader)
    wait_for(lambda: standby.metrics().get("alo_leader"), 60, "the standby leads")
    receiver.always = answer(200)

    found = settled_and_told(api, namespace, names, ["hook"], PATIENCE)

    arrived(receiver, "hook", found, key)
    after = attempts()
    assert {name: after[name] for name in names if after[name] <= before[name]} == {}


@pytest.mark.promise("DELIVERY-1", "DELIVERY-11")
@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_host_that_comes_back_gets_all_it_has_missed(api, cluster, namespace, operators, key, receive):
    """While it is down it is asked now and then, not by every message; then all of them arrive."""
    operators.start(arguments=[*LOOPBACK, "--delivery-schedule", ",".join(["5s"] * 32)])
    receiver = receive(DOWN)
    names = [f"op-{index:03d}" for index in range(100)]
    create(cluster, namespace, names, [callback("hook", receiver.url)])
    wait_for(lambda: not pending(api, namespace), 120, "all have ended")
    pass_time(15)
    meanwhile = len(receiver.requests)
    receiver.always = answer(200)

    found = settled_and_told(api, namespace, names, ["hook"], PATIENCE)

    print(f"{meanwhile} attempts while it was down, for {len(names)} messages")
    assert meanwhile < len(names) / 2
    arrived(receiver, "hook", found, key)


@pytest.mark.promise("DELIVERY-1")
@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_receiver_that_is_away_for_minutes_is_told_when_it_is_back(api, cluster, namespace, operators, key, receive):
    """Messages that are due later wait in the cluster, not in memory, through a restart and a handover."""
    schedule = [*LOOPBACK, "--delivery-schedule", f"{AWAY}s,{AWAY}s,{AWAY}s"]
    leader = operators.start(arguments=schedule, **LEASE)
    receiver = receive(NOT_NOW)
    names = [f"op-{index:02d}" for index in range(30)]
    create(cluster, namespace, names, [callback("hook", receiver.url)])
    wait_for(lambda: len(receiver.ids) == len(names), 90, "all are tried")
    pass_time(2)
    leader.restart()
    wait_for(lambda: len(receiver.requests) >= 2 * len(names), 2 * AWAY, "all are tried again", interval=0.5)
    operators.start("alo-1", arguments=schedule, **LEASE)
    receiver.always = answer(200)
    kill(leader)

    found = settled_and_told(api, namespace, names, ["hook"], PATIENCE)

    attempts = [entry["attempts"] for item in found.values() for entry in item["status"]["deliveries"]]
    arrived(receiver, "hook", found, key)
    print(f"attempts: {sorted(attempts)}")
    assert set(attempts) <= {2, 3}
