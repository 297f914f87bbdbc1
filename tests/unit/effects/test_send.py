"""Telling callbacks: what is offered, sent and noted, against real receivers."""

import base64
import hashlib
import json

import pytest
from standardwebhooks.webhooks import Webhook

from alo_operator.api.deliveries import DeliveryError
from alo_operator.delivery.breaker import THRESHOLD
from alo_operator.errors import ApiUnreachable
from tests.support.receivers import receiving
from tests.unit.effects.sending import callback, play

KEY = base64.b64encode(b"k" * 32).decode()
VALUE = json.dumps({"rows": list(range(2000))})


def test_what_is_offered_is_noted_sent_and_answered():
    """At once as being sent; then with the answer, for the delivery that it belongs to."""
    with receiving() as receiver:

        async def scene(place):
            uid = place.settled(callback("a", receiver.url), callback("b", receiver.url))
            place.offer(uid, "a", "b")
            sending = place.notes(uid).sending
            await place.until(lambda: not place.notes(uid).sending)
            return uid, sending, place.notes(uid), place.cache.operation(uid).status.deliveries, place.woken, place.seen

        uid, sending, notes, deliveries, woken, seen = play(scene)

    assert sending == {"a", "b"}
    assert {(found.callback, found.target) for found in notes.answers} == {(one.name, one.target) for one in deliveries}
    assert all(found.delivered and found.status == 200 and not found.final for found in notes.answers)
    assert woken == [(uid, False)] * 2
    assert seen == [("CloudEvents", "Delivered", 200)] * 2
    assert receiver.ids == {f"{uid}_a_succeeded", f"{uid}_b_succeeded"}
    (first,) = [found for found in receiver.requests if "_a_" in found.id]
    assert first.headers["content-type"] == "application/cloudevents+json"
    assert first.json["data"]["metadata"] == {"by": "billing"}


@pytest.mark.promise("DELIVERY-4")
def test_a_message_is_signed_so_that_the_reference_library_takes_it():
    """With every key of the Secret, and the trace of whoever made the operation."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with receiving() as receiver:

        async def scene(place):
            data = {"key": base64.b64encode(f"whsec_{KEY}".encode()).decode()}
            labels = {"alo-operator.io/signing-key": "true"}
            place.api.add("secrets", {"metadata": {"name": "hook", "labels": labels}, "data": data})
            signed = callback("a", receiver.url, format="StandardWebhooks", secretRef={"name": "hook", "key": "key"})
            uid = place.settled(signed, traceparent=trace)
            return await place.told(uid, "a")

        assert play(scene)["a"].delivered

    (found,) = receiver.requests
    assert Webhook(KEY).verify(found.body, dict(found.headers))["type"] == "operation.succeeded"
    assert found.headers["traceparent"] == trace


@pytest.mark.promise("DELIVERY-14")
def test_a_message_that_cannot_be_signed_is_not_sent():
    """The answer says why; the receiver counts as neither up nor down."""
    with receiving() as receiver:

        async def scene(place):
            signed = callback("a", receiver.url, format="StandardWebhooks", secretRef={"name": "hook", "key": "key"})
            numbers = range(THRESHOLD + 1)
            answers = [(await place.told(place.settled(signed, number=number), "a"))["a"] for number in numbers]
            return answers, place.seen, place.sender.lines_open

        answers, seen, lines_open = play(scene)

    assert [found.error for found in answers] == ["SigningKeyMissing: Secret media/hook does not exist"] * 6
    assert seen == [("StandardWebhooks", "SigningKeyMissing", None)] * 6
    assert lines_open == 0
    assert receiver.connections == 0


@pytest.mark.promise("DELIVERY-6")
def test_results_are_sent_by_value_up_to_the_limit():
    """Where they are what status says of them; else by reference."""
    result = {
        "ref": {"kind": "ConfigMap", "name": "kept", "key": "result"},
        "contentType": "application/json",
        "bytes": len(VALUE),
        "sha256": hashlib.sha256(VALUE.encode()).hexdigest(),
    }

    def sent(limit, content=VALUE, kind="data"):
        with receiving() as receiver:

            async def scene(place):
                if content is not None:
                    place.api.add("configmaps", {"metadata": {"name": "kept"}, kind: {"result": content}})
                await place.told(place.settled(callback("a", receiver.url), result=result), "a")

            play(scene, inline_limit=limit)
            (found,) = receiver.requests
            return found.json["data"]["result"]

    assert sent(100_000)["value"] == json.loads(VALUE)
    assert "ref" not in sent(100_000)
    for shown in (sent(100), sent(100_000, None), sent(100_000, VALUE + " "), sent(100_000, "eA==", "binaryData")):
        assert (shown["ref"], "value" in shown) == (result["ref"], False)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://127.1/", DeliveryError.INVALID_CALLBACK_URL),
        ("http://10.0.0.1/", DeliveryError.ADDRESS_NOT_ALLOWED),
    ],
)
def test_where_nothing_can_be_sent_the_answer_says_so(url, error):
    """For good where the URL itself is the reason."""

    async def scene(place):
        return (await place.told(place.settled(callback("a", url)), "a"))["a"]

    found = play(scene)
    assert found.error.startswith(f"{error}: ")
    assert len(found.error) <= 256
    assert found.final == (error is DeliveryError.INVALID_CALLBACK_URL)


def test_an_api_server_that_cannot_be_asked_puts_off_the_attempt():
    """The receiver is not to blame, and no attempt is counted."""
    with receiving() as receiver:

        async def scene(place):
            def before(*_):
                raise ApiUnreachable("away")

            place.api.before = before
            signed = callback("a", receiver.url, format="StandardWebhooks", secretRef={"name": "hook", "key": "key"})
            uid = place.settled(signed)
            return await place.told(uid, "a"), place.notes(uid).held

        answers, held = play(scene)

    assert answers == {}
    assert [name for name, _ in held] == ["a"]


def test_a_mistake_of_ours_is_an_answer_too(monkeypatch, caplog):
    """No callback stays in the sender's hands, whatever happens; the log has the rest."""

    async def scene(place):
        def broken(*_):
            raise TypeError("ours")

        monkeypatch.setattr(place.sender._messages, "build", broken)
        return await place.told(place.settled(callback("a", "http://127.0.0.1:1/")), "a")

    assert play(scene)["a"].error == "InternalError: see the operator's log"
    assert "TypeError: ours" in caplog.text
