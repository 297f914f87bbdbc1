"""Signatures after Standard Webhooks 1.0, symmetric: HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from alo_operator.errors import InvalidSigningKey

PREFIX: Final = "whsec_"
KEY_BYTES: Final = (24, 64)  # shortest and longest
MAX_KEYS: Final = 4

HEADER_ID: Final = "webhook-id"
HEADER_TIMESTAMP: Final = "webhook-timestamp"
HEADER_SIGNATURE: Final = "webhook-signature"

_ASYMMETRIC: Final = (b"whsk_", b"whpk_")
_MAKE_ONE: Final = "make one with: echo whsec_$(openssl rand -base64 32)"


def parse_keys(data: bytes) -> tuple[bytes, ...]:
    """The keys in a Secret's value, the current one first: up to 4 with white space between, each `whsec_` and base64.

    The prefix may be missing. More than one is for the time while keys are being changed over: a message then carries a
    signature of each, and receivers may hold either.

    Raises:
        InvalidSigningKey: there is none, there are too many, or one cannot be used; never shows any of it.
    """
    words = data.split()
    if not words:
        raise InvalidSigningKey(f"there is no signing key in it: {_MAKE_ONE}")
    if len(words) > MAX_KEYS:
        raise InvalidSigningKey(f"there are {len(words)} signing keys in it, and at most {MAX_KEYS} are taken")
    return tuple(dict.fromkeys(_key(word, f"signing key {n} of {len(words)}") for n, word in enumerate(words, 1)))


def sign(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt at `timestamp` (seconds since 1970); without keys they only name message and time."""
    headers = {HEADER_ID: message_id, HEADER_TIMESTAMP: str(timestamp)}
    if keys:
        signed = f"{message_id}.{timestamp}.".encode() + body
        headers[HEADER_SIGNATURE] = " ".join(f"v1,{_hmac(key, signed)}" for key in keys)
    return headers


def _hmac(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _key(word: bytes, which: str) -> bytes:
    if word.startswith(_ASYMMETRIC):
        raise InvalidSigningKey(
            f"{which} is one half of an asymmetric pair: messages are signed with HMAC; {_MAKE_ONE}"
        )
    try:
        word = word.removeprefix(PREFIX.encode()).rstrip(b"=")
        key = base64.b64decode(word + b"=" * (-len(word) % 4), validate=True)  # padded or not
    except (binascii.Error, ValueError):
        # The cause is cut off, so that no traceback can show what was decoded.
        raise InvalidSigningKey(f"{which} is not {PREFIX} followed by base64: {_MAKE_ONE}") from None
    shortest, longest = KEY_BYTES
    if not shortest <= len(key) <= longest:
        raise InvalidSigningKey(
            f"{which} has {len(key)} bytes, and it must have {shortest} to {longest} before base64: {_MAKE_ONE}"
        )
    return key
