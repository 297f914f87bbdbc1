"""Callbacks on a real control plane: each kind of receiver, what it is sent, and what that costs."""

import json
import socket
from contextlib import ExitStack

import pytest
from cloudevents.core.bindings import http as cloud_http

from tests.cluster.pki import Authority
from tests.cluster.providers import Capability
from tests.support import receivers
from tests.support.audit import AuditLog
from tests.support.callbacks import Looking, callback, problems, telling, verified
from tests.support.histories import Deed, histories
from tests.support.operations import operation, simulated_job
from tests.support.receivers import answer, receiving
from tests.support.waiting import wait_for

pytestmark = pytest.mark.needs(Capability.SIMULATED_NODES, Capability.AUDIT_LOG)

SCHEDULE = ["--delivery-schedule", "1s,1s", "--delivery-timeout", "2s", "--delivery-inline-limit", "16384"]
ANSWERED = b"what only the receiver may know"
PATIENCE = 4  # seconds that a receiver asks for
LARGE = json.dumps(["x" * 100] * 100).encode()  # 10 KiB: in a ConfigMap, and sent whole
LARGER = json.dumps(["x" * 100] * 500).encode()


@pytest.fixture(scope="module")
def stage(new_stage, cluster, tmp_path_factory):
    with telling(new_stage, cluster, tmp_path_factory.mktemp("gateway"), SCHEDULE) as made:
        yield made


@pytest.fixture
def receiver():
    with receiving() as made:
        yield made


# name -> how it behaves, and the state, attempts, HTTP status and first word of the error that come of it
BAD = {
    "fails-twice": ([answer(503, ANSWERED), answer(500)], answer(204), "Delivered", 3, 204, None),
    "fails": ([], answer(500, ANSWERED), "DeadLettered", 3, 500, "HTTPError"),
    "refuses": ([], answer(404), "DeadLettered", 3, 404, "HTTPError"),
    "gone": ([], answer(410), "DeadLettered", 1, 410, "Gone"),
    "asks-for-patience": ([answer(429, Retry_After=str(PATIENCE))], answer(200), "Delivered", 2, 200, None),
    "redirects": ([], None, "DeadLettered", 3, 302, "RedirectNotFollowed"),
    "hangs": ([], receivers.hang, "DeadLettered", 3, None, "Timeout"),
    "drips": ([], receivers.drip_headers, "DeadLettered", 3, None, "Timeout"),
    "resets": ([], receivers.reset, "DeadLettered", 3, None, "ConnectionLost"),
    "talks-rubbish": ([], receivers.garbage(b"220 smtp.example ESMTP\r\n"), "DeadLettered", 3, None, "InvalidAnswer"),
    "breaks-off-in-body": ([], receivers.reset_in_body(200), "Delivered", 1, 200, None),
    "never-ends": ([], receivers.never_ending(200), "Delivered", 1, 200, None),
}


@pytest.fixture(scope="module")
def told_badly(stage, tmp_path_factory):
    """One operation with a callback for each of BAD, and three more that no receiver of ours answers."""
    with ExitStack() as open_ones, socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
        taken.close()
        never = open_ones.enter_context(receiving())
        found = {"never": never}
        for name, (first, always, *_) in BAD.items():
            found[name] = open_ones.enter_context(receiving(always or receivers.redirect(never.url)))
            found[name].next(*first)
        authority = Authority(tmp_path_factory.mktemp("authority"))
        authority.create()
        pair = authority.server("self-signed", ("localhost",), ("127.0.0.1",))
        found["unknown-authority"] = open_ones.enter_context(receiving(tls=receivers.tls_of(pair)))
        stage.ask(
            "badly",
            *(callback(name, one.url) for name, one in found.items() if name != "never"),
            callback("nobody", f"http://127.0.0.1:{closed}/"),
            callback("metadata", "http://169.254.169.254/latest/meta-data/"),
        )

        def over():
            return all(entry["state"] != "Pending" for entry in stage.deliveries("badly").values())

        stage.settled("badly")
        wait_for(over, 60, lambda: f"everybody was told or given up: {stage.deliveries('badly')}")
        yield found


@pytest.mark.promise("DELIVERY-7", "DELIVERY-8", "DELIVERY-11")
@pytest.mark.parametrize("name", BAD)
def test_a_receiver_ends_as_the_contract_says(stage, told_badly, name):
    """State, number of attempts, last status and last error of each kind of receiver, as status shows them."""
    _, _, state, attempts, status, word = BAD[name]
    entry = stage.deliveries("badly")[name]

    assert (entry["state"], entry["attempts"], entry.get("lastStatus")) == (state, attempts, status), entry
    if state == "Delivered":
        assert "lastError" not in entry
    else:
        assert entry["lastError"].split(":")[0] == word
    assert "nextAttemptTime" not in entry
    for received in told_badly[name].requests:
        assert problems(received, stage.operation("badly"), stage.key) == []
    assert len(told_badly[name].ids) == 1
    assert len(told_badly[name].requests) == attempts


@pytest.mark.promise("DELIVERY-13")
def test_who_cannot_be_reached_is_given_up_with_the_reason(stage, told_badly):
    """A closed port, a certificate of nobody's, and an address that is not allowed; a redirect leads nowhere."""
    entries = stage.deliveries("badly")
    reasons = {name: entries[name]["lastError"].split(":")[0] for name in ("nobody", "unknown-authority", "metadata")}

    assert reasons == {"nobody": "ConnectionRefused", "unknown-authority": "TLSError", "metadata": "AddressNotAllowed"}
    assert {entries[name]["state"] for name in reasons} == {"DeadLettered"}
    assert told_badly["unknown-authority"].requests == told_badly["never"].requests == []
    assert told_badly["never"].connections == 0


@pytest.mark.promise("DELIVERY-8")
def test_a_receiver_that_asks_for_patience_gets_it(told_badly):
    """The message comes again no sooner than Retry-After says."""
    first, second = told_badly["asks-for-patience"].requests

    assert second.time - first.time >= PATIENCE


@pytest.mark.promise("DELIVERY-7")
def test_each_callback_that_was_given_up_has_one_event(stage, told_badly):
    """A Warning for each of them, and none for those that were told."""
    lost = [entry for entry in stage.deliveries("badly").values() if entry["state"] == "DeadLettered"]

    wait_for(lambda: len(stage.events_of("badly")) >= len(lost), describe="the Events are there")
    assert stage.events_of("badly") == [("Warning", "DeliveryFailed")] * len(lost)


@pytest.mark.promise("DELIVERY-15")
def test_nothing_shows_keys_or_what_receivers_said(stage, told_badly):
    """Neither status nor Events, log or metrics repeat an answer's body, the key, or a signature."""
    (operator,) = stage.operators.started
    events = stage.api.list("events", stage.namespace)
    shown = json.dumps([stage.operation("badly"), events, operator.log(), operator.metrics()])
    signatures = {one.headers["webhook-signature"] for name in BAD for one in told_badly[name].requests}

    assert [word for word in (ANSWERED.decode(), stage.key[6:], *signatures) if word in shown] == []
    assert "badly" in shown
    assert signatures


@pytest.mark.promise("DELIVERY-16")
def test_a_callback_costs_one_write(stage, receiver, cluster):
    """Beside the five of a plain operation: the one that says it was told. No Event."""
    audit = AuditLog(cluster.audit_log, stage.api)
    short, long = [f"short-{index}" for index in range(3)], [f"long-{index}" for index in range(3)]
    for name in short:
        stage.ask(name, callback("hook", receiver.url))
    for name in long:
        stage.ask(name, callback("hook", receiver.url), seconds=3)
    for name in [*short, *long]:
        stage.delivery(name, "Delivered")
        stage.released(name)

    found = histories(audit, [*short, *long], stage.namespace)

    told = [Deed.SAID, Deed.SETTLED, Deed.RELEASED]  # the last status write is the one about the callback
    plain, seen_running = [Deed.FINALIZER, Deed.JOB, *told], [Deed.FINALIZER, Deed.JOB, Deed.SAID, *told]
    assert {name: found[name].kinds() for name in long} == dict.fromkeys(long, seen_running)
    for name in short:
        assert found[name].kinds() in (plain, seen_running), f"{name}: {found[name]}"
    assert [str(write) for history in found.values() for write in history.refused] == []
    assert [stage.events_of(name) for name in [*short, *long]] == [[]] * 6
    assert all(problems(one, stage.operation(name), stage.key) == [] for name in short for one in receiver.of(name))
    assert [len(receiver.of(name)) for name in [*short, *long]] == [1] * 6


@pytest.mark.promise("DELIVERY-2", "DELIVERY-3")
def test_what_is_told_is_on_record_before(stage, cluster):
    """At the moment of each message the operation has ended, with the very outcome that the message tells of."""
    looking = Looking(cluster.kubeconfig, stage.namespace)
    with receiving(looking) as receiver:
        stage.ask("first-written", callback("hook", receiver.url), metadata={"requestedBy": "billing"})
        stage.ask("fails-first", callback("hook", receiver.url), job=simulated_job(0, 3, message="no disk"))
        for name in ("first-written", "fails-first"):
            stage.delivery(name, "Delivered")
        phases = {name: seen["status"]["phase"] for name, seen in looking.seen.items()}
        (failed,) = receiver.of("fails-first")

        assert phases == {"first-written": "Succeeded", "fails-first": "Failed"}
        assert all(problems(one, looking.seen[name], stage.key) == [] for name in phases for one in receiver.of(name))
        assert verified(failed, stage.key)["data"]["failure"]["reason"] == "NonZeroExit"


@pytest.mark.promise("DELIVERY-5")
def test_cloud_events_are_cloud_events(stage, receiver):
    """The reference library reads them, signed or not; the data is that of the other format, and the trace goes on."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    entries = [
        callback("events", receiver.url, secret=None, cloud_events=True),
        callback("signed-events", receiver.url, cloud_events=True),
        callback("hook", receiver.url),
    ]
    stage.create(
        operation("event", job=simulated_job(message="[1]"), callbacks=entries, annotations={"traceparent": trace})
    )
    for entry in entries:
        stage.delivery("event", "Delivered", entry["name"])
    uid = stage.operation("event")["metadata"]["uid"]
    by_id = {received.id: received for received in receiver.of("event")}
    unsigned, signed, webhook = (by_id[f"{uid}_{entry['name']}_succeeded"] for entry in entries)

    for received in (unsigned, signed):
        event = cloud_http.from_http_event(cloud_http.HTTPMessage(headers=dict(received.headers), body=received.body))
        assert event.get_type() == "io.alo-operator.operation.succeeded"
        assert (event.get_id(), event.get_subject()) == (received.id, "event")
        assert event.get_source() == f"/apis/alo-operator.io/v1alpha1/namespaces/{stage.namespace}/asyncoperations"
        assert event.get_data() == webhook.json["data"]
        assert event.get_extension("traceparent") == received.headers["traceparent"] == trace
    assert "webhook-signature" not in unsigned.headers
    assert problems(webhook, stage.operation("event"), stage.key) == []
    assert verified(signed, stage.key)["data"]["result"]["value"] == [1]


@pytest.mark.promise("DELIVERY-6")
def test_large_results_are_sent_whole_or_by_reference(stage, receiver):
    """Up to the limit the value itself, with its digest; beyond it the ConfigMap's name, with size and digest."""
    for name, raw in {"large": LARGE, "larger": LARGER}.items():
        stage.ask(name, callback("hook", receiver.url), job=simulated_job(3600))
        assert stage.reporter(name).result(raw, "application/json")[0] == 200
        stage.finish(name)
    for name in ("large", "larger"):
        stage.delivery(name, "Delivered")
    (large,), (larger,) = receiver.of("large"), receiver.of("larger")
    kept = {name: stage.status(name)["result"] for name in ("large", "larger")}

    sent = verified(large, stage.key)["data"]["result"]
    assert sent.pop("value") == json.loads(LARGE)
    assert sent | {"ref": kept["large"]["ref"]} == kept["large"]
    assert verified(larger, stage.key)["data"]["result"] == kept["larger"]
    assert kept["larger"]["bytes"] == len(LARGER)
    assert "value" not in kept["larger"]
