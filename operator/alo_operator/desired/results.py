"""What a worker gave back, from its bytes to what status says of it."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from alo_operator.api import limits
from alo_operator.api.reports import ReportReason
from alo_operator.api.status import Reported, Result, ResultRef
from alo_operator.desired.fields import Json, section
from alo_operator.errors import ReportRefused

JSON: Final = "application/json"
TEXT: Final = "text/plain"
BINARY: Final = "application/octet-stream"
# What clients say when nobody has told them what they send; curl and wget among them.
UNSAID: Final = frozenset({"", BINARY, "application/x-www-form-urlencoded"})
RESULT_KEY: Final = "result"

_MAX_DEPTH: Final = 64
_INT64: Final = 2**63
_LONGEST_INTEGER: Final = 30  # digits; longer ones are beyond int64 anyway, and costly to read
_NO_INT64: Final = 2**64
# The API server takes requests of 3 MiB; JSON writes some characters with six times their bytes.
_WRITTEN_OUT: Final = 3 * 1024 * 1024 - 64 * 1024


@dataclass(frozen=True, slots=True)
class Handed:
    """A result as it was handed in: `value` is what status may show; `inline` whether it may."""

    raw: bytes
    content_type: str
    value: Any = None
    inline: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()

    def reported(self, attempt: str, ref_name: str) -> Reported:
        """What status says of it; `ref_name`: the ConfigMap that holds what status cannot."""
        return Reported(
            attempt=attempt,
            value=self.value if self.inline else None,
            ref=None if self.inline else ResultRef(kind="ConfigMap", name=ref_name, key=RESULT_KEY),
            bytes=len(self.raw),
            sha256=self.sha256,
            content_type=self.content_type,
        )

    def content(self) -> dict[str, Any]:
        """The fields of a ConfigMap that hold it: readable where it is text, else in base64."""
        try:
            text = self.raw.decode()
        except UnicodeDecodeError:
            text = None
        if text is not None and len(json.dumps(text)) <= _WRITTEN_OUT:
            return {"data": {RESULT_KEY: text}}
        return {"binaryData": {RESULT_KEY: base64.b64encode(self.raw).decode()}}


def read_handed(raw: bytes, declared: str) -> Handed:
    """A result as `declared` (its Content-Type) says it is; where that says nothing, as its bytes look.

    Raises:
        ReportRefused: it is not what it says it is.
    """
    declared = declared.strip()
    media = declared.partition(";")[0].strip().lower()
    small = len(raw) <= limits.INLINE_BYTES
    text = _text(raw)
    if len(declared) > limits.CONTENT_TYPE or not declared.isascii() or not declared.isprintable():
        raise ReportRefused(
            ReportReason.INVALID_REPORT,
            f"the Content-Type is longer than {limits.CONTENT_TYPE} characters or not ASCII",
        )
    if media.startswith("multipart/"):
        said = f"the Content-Type is {media}: send the bytes themselves (with curl: --data-binary @FILE, not -F)"
        raise ReportRefused(ReportReason.INVALID_REPORT, said)
    if media in UNSAID:
        if text is None:
            return Handed(raw, BINARY)
        found = _read(text) if small else _Read(parses=_parses(text))
        if found.parses and (found.storable or not small):
            return Handed(raw, JSON, found.value, small)
        return Handed(raw, TEXT, text, small)
    if media == JSON or media.endswith("+json"):
        found = _read(text) if text is not None else _Read()
        if not found.parses:
            said = f"the Content-Type is {media}, but the body is no JSON: send JSON, or leave the header out"
            raise ReportRefused(ReportReason.INVALID_REPORT, said)
        return Handed(raw, declared, found.value, small and found.storable)
    if media.startswith("text/") and text is not None:
        return Handed(raw, declared, text, small)
    return Handed(raw, declared)


def result_of(reported: Reported, *, partial: bool = False) -> Result:
    """The result that a worker has handed in, for good."""
    return Result(
        value=reported.value,
        ref=reported.ref,
        content_type=reported.content_type,
        bytes=reported.bytes,
        sha256=reported.sha256,
        partial=True if partial else None,
    )


def read_result(message: str) -> Result:
    """A worker's words as a result: the JSON value where they are JSON, else the text itself."""
    raw = as_bytes(message)
    digest = hashlib.sha256(raw).hexdigest()
    found = _read(message)
    if found.storable:
        return Result(value=found.value, content_type=JSON, bytes=len(raw), sha256=digest)
    return Result(value=message, content_type=TEXT, bytes=len(raw), sha256=digest)


def stored_value(config_map: Json, result: Result) -> Any:
    """The value of a result that a ConfigMap holds: read as JSON where its content type says that it is.

    Raises:
        ValueError: it is not there, is no text, or cannot be read.
    """
    kept = section(config_map, "data").get(result.ref.key if result.ref else RESULT_KEY)
    media = (result.content_type or "").partition(";")[0].strip().lower()
    if not isinstance(kept, str):
        raise ValueError(f"it is no text but {media or 'bytes'}")  # noqa: TRY004 - what it is, not how it was called
    if media != JSON and not media.endswith("+json"):
        return kept
    try:
        return json.loads(kept, parse_constant=_refuse_constant, parse_int=_integer)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


@dataclass(frozen=True, slots=True)
class _Read:
    """A text read as JSON: whether it is, and whether the API server keeps it as it is."""

    parses: bool = False
    storable: bool = False
    value: Any = None


def _read(text: str) -> _Read:
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_int=_integer)
    except ValueError:
        return _Read()
    except RecursionError:
        return _Read(parses=True)
    storable = _storable(value, _MAX_DEPTH)
    return _Read(parses=True, storable=storable, value=value if storable else None)


def _parses(text: str) -> bool:
    return _read(text).parses


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else _NO_INT64


def _text(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _storable(value: Any, depth: int) -> bool:
    """Whether the API server keeps `value` as it is; integers beyond int64 and halves of surrogate pairs are lost."""
    if depth == 0:
        return False
    if isinstance(value, str):
        return _is_unicode(value)
    if isinstance(value, dict):
        return all(_is_unicode(key) and _storable(item, depth - 1) for key, item in value.items())
    if isinstance(value, list):
        return all(_storable(item, depth - 1) for item in value)
    if isinstance(value, int):
        return -_INT64 <= value < _INT64
    return value not in (float("inf"), float("-inf"))


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def as_bytes(text: str) -> bytes:
    """The UTF-8 bytes of a text, of halves of surrogate pairs too."""
    return text.encode("utf-8", "surrogatepass")
