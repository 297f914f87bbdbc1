"""Signatures, verified by the reference library of Standard Webhooks."""

import base64
import time
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from alo_operator.delivery.envelope import build_message
from alo_operator.delivery.signing import parse_keys, sign
from alo_operator.errors import InvalidSigningKey
from tests.unit.delivery.making import make_callback, make_key, make_status, make_subject

OLD, NEW = make_key(1), make_key(2)


def message(**fields):
    return build_message(make_subject(), make_callback(), make_status(**fields))


def signed(data: str, sent, when: float | None = None) -> dict[str, str]:
    return sign(parse_keys(data.encode()), sent.id, int(when or time.time()), sent.body)


@pytest.mark.promise("DELIVERY-4")
def test_the_reference_library_takes_what_we_sign():
    """Id, time and body as they are sent are what its HMAC is over."""
    sent = message(result={"value": {"größe": "8 €", "n": [1, None]}, "bytes": 30})

    read = Webhook(NEW).verify(sent.body, signed(NEW, sent))

    assert read["data"]["result"]["value"] == {"größe": "8 €", "n": [1, None]}


@given(st.binary(min_size=24, max_size=64), st.text(max_size=200))
def test_any_key_and_any_body_verify(key, body):
    """Every length of key that is taken, padded or not, with any text."""
    written = "whsec_" + base64.b64encode(key).decode().rstrip("=")
    keys = parse_keys(written.encode())

    headers = sign(keys, "id_billing_failed", int(time.time()), body.encode())

    assert keys == (key,)
    Webhook(written).verify(body, headers, json_parse=False)


@pytest.mark.promise("DELIVERY-4")
def test_while_keys_are_changed_over_either_is_taken():
    """A receiver may hold the old one or the new one; once the old one is gone, it is not taken any more."""
    sent = message()
    both = signed(f"{NEW}\n{OLD}\n", sent)

    Webhook(OLD).verify(sent.body, both)
    Webhook(NEW).verify(sent.body, both)

    assert len(both["webhook-signature"].split(" ")) == 2
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(sent.body, signed(NEW, sent))


@pytest.mark.parametrize("place", [0, 10, -1])
def test_a_changed_byte_is_noticed(place):
    """Wherever it is."""
    sent = message()
    changed = bytearray(sent.body)
    changed[place] ^= 1

    with pytest.raises(WebhookVerificationError, match="No matching"):
        Webhook(NEW).verify(bytes(changed), signed(NEW, sent))


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp"])
def test_id_and_time_are_signed_too(header):
    """A message that is sent again under another id, or with a fresher time, is noticed."""
    sent = message()
    headers = signed(NEW, sent, time.time() - 10)

    Webhook(NEW).verify(sent.body, headers)
    headers[header] = str(int(time.time())) if header == "webhook-timestamp" else "another"

    with pytest.raises(WebhookVerificationError, match="No matching"):
        Webhook(NEW).verify(sent.body, headers)


def test_an_old_message_cannot_be_replayed():
    """The time of the attempt is in the signature, and receivers look at it; the id says what is the same message."""
    sent = message()

    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(NEW).verify(sent.body, signed(NEW, sent, time.time() - 600))


def test_without_a_key_a_message_is_not_signed():
    """It still says which message it is, and when it was sent."""
    assert sign((), "u_billing_failed", 17, b"{}") == {"webhook-id": "u_billing_failed", "webhook-timestamp": "17"}


def test_keys_are_read_as_people_write_them():
    """One a line or in one line, with the prefix or bare, padded or not; one that stands twice signs once."""
    bare = OLD.removeprefix("whsec_")

    assert len(parse_keys(f"  {NEW}\r\n{OLD}\n".encode())) == 2
    assert parse_keys(bare.encode()) == parse_keys(bare.rstrip("=").encode()) == parse_keys(OLD.encode())
    assert parse_keys(f"{OLD} {NEW} {bare}".encode()) == parse_keys(f"{OLD} {NEW}".encode())


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no signing key"),
        (b" \n ", "no signing key"),
        (b"correct-horse-battery-staple-123", "signing key 1 of 1 is not whsec_ followed by base64"),
        (b"hunter2hunter2hunter2", "not whsec_"),
        (b"whsec_" + b"\xff\xfe" * 20, "not whsec_"),
        (b"whsec_", "0 bytes"),
        (make_key(3, 23).encode(), "23 bytes"),
        (make_key(3, 65).encode(), "65 bytes"),
        (OLD.encode() + b"\n" + make_key(3, 8).encode(), "signing key 2 of 2 has 8 bytes"),
        (b"whsk_" + base64.b64encode(bytes(32)), "asymmetric"),
        ("\n".join(make_key(n) for n in range(5)).encode(), "5 signing keys"),
    ],
)
def test_what_cannot_sign_is_refused_without_being_shown(data, problem):
    """The error says which key it is and how to make one; neither it nor its traceback has any of the key."""
    with pytest.raises(InvalidSigningKey, match=problem) as refused:
        parse_keys(data)

    said = "".join(traceback.format_exception_only(refused.value))
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    words = [word.removeprefix(b"whsec_").removeprefix(b"whsk_") for word in data.split()]
    assert not [word for word in words if word and word.decode("latin-1")[:6] in said]
    assert "openssl rand" in said or "at most 4" in said
