"""Digests over what users wrote."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import rfc8785

from alo_operator.desired.fields import Json, too_deep

DEFINING_FIELDS: Final = ("templateRef", "job", "input", "metadata", "timeouts")
_SAFE_INTEGER: Final = 2**53


def spec_digest(raw_spec: Json) -> str | None:
    """`v1:sha256:<hex>` over the canonical JSON (RFC 8785) of the five fields that define the work, as stored.

    None for what has no canonical form (nested beyond MAX_DEPTH, beyond any double, half a character): none of it can
    run.
    """
    return canonical_digest({key: raw_spec[key] for key in DEFINING_FIELDS if key in raw_spec})


def canonical_digest(value: Json) -> str | None:
    """`v1:sha256:<hex>` over the canonical JSON (RFC 8785) of `value`; None where it has no such form."""
    if too_deep(value):
        return None
    try:
        canonical = rfc8785.dumps(_as_doubles(value))
    except (rfc8785.CanonicalizationError, OverflowError):
        return None
    return "v1:sha256:" + hashlib.sha256(canonical).hexdigest()


def short_hash(text: str, length: int = 10) -> str:
    """The first `length` hexadecimal digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _as_doubles(value: Any) -> Any:
    # RFC 8785 knows only doubles; an integer beyond their exact range takes part as the double it would be read as.
    if isinstance(value, dict):
        return {key: _as_doubles(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_doubles(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _SAFE_INTEGER:
        return float(value)
    return value
