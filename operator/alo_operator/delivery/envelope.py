"""The message that tells a callback how an operation ended: its id, its shape in both formats, its bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from alo_operator.api.model import format_time, to_wire
from alo_operator.api.names import API_VERSION, OPERATION_PLURAL
from alo_operator.api.phases import Phase
from alo_operator.api.spec import Callback, CallbackFormat
from alo_operator.api.status import OperationStatus

ABSENT: Final[Any] = object()
"""Stands for "no value": None is a value, JSON's null."""

JSON: Final = "application/json"
CLOUD_EVENT: Final = "application/cloudevents+json"
TYPE_PREFIX: Final = "operation."
CLOUD_EVENT_PREFIX: Final = "io.alo-operator."

OUTCOMES: Final[Mapping[Phase, str]] = {
    Phase.SUCCEEDED: "succeeded",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "cancelled",
    Phase.TIMED_OUT: "timed_out",
}
"""The last word of a message's type, for each phase an operation can end in."""

_TRACE: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_INT64: Final = 2**63


@dataclass(frozen=True, slots=True)
class Subject:
    """The operation a message is about.

    `traceparent` is the annotation of that name as somebody wrote it, "" for none; `template` the name of its
    OperationTemplate, "" for none; `metadata` the caller's own words.
    """

    namespace: str
    name: str
    uid: str
    traceparent: str
    metadata: Mapping[str, str]
    template: str


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent, the same at every attempt; the signature and the time of the attempt come with each."""

    id: str
    content_type: str
    body: bytes


def message_id(uid: str, callback: str, phase: Phase) -> str:
    """`<uid>_<callback>_<outcome>`: one for each callback and outcome of an operation, at every attempt and redelivery.

    It has no dots, as dots part what is signed.

    Raises:
        ValueError: the phase is not one an operation ends in.
    """
    return f"{uid}_{callback}_{_outcome(phase).replace('_', '')}"


def trace_context(text: str) -> str:
    """`text` where it is a W3C traceparent, else "": whoever may annotate an operation may have written anything."""
    return text if _TRACE.fullmatch(text) else ""


def build_message(subject: Subject, callback: Callback, status: OperationStatus, inlined: Any = ABSENT) -> Message:
    """How the operation ended, for one callback, in its format. The same arguments give the same bytes.

    `inlined`: the value of a result that a ConfigMap holds; it is sent in place of the reference. Where JSON cannot
    carry it to every receiver as it is (NaN, half a character, an integer beyond 64 bits, nesting past all measure),
    the reference is sent. It changes nothing where the result is in status itself, or where there is none.

    Raises:
        ValueError: the operation has not ended.
    """
    identity = message_id(subject.uid, callback.name, status.phase)
    data = _data(subject, status)
    if callback.format is CallbackFormat.CLOUD_EVENTS:
        content_type, parts = CLOUD_EVENT, _cloud_event(subject, identity, status)
    else:
        content_type, parts = JSON, _webhook(status)
    return Message(identity, content_type, _body(parts, data, status, inlined))


def _webhook(status: OperationStatus) -> dict[str, Any]:
    return {"type": TYPE_PREFIX + _outcome(status.phase)} | _time("timestamp", status)


def _cloud_event(subject: Subject, identity: str, status: OperationStatus) -> dict[str, Any]:
    event = {
        "specversion": "1.0",
        "id": identity,
        "source": f"/apis/{API_VERSION}/namespaces/{subject.namespace}/{OPERATION_PLURAL}",
        "type": CLOUD_EVENT_PREFIX + TYPE_PREFIX + _outcome(status.phase),
        "subject": subject.name,
        "datacontenttype": JSON,
        "operationuid": subject.uid,
    }
    trace = trace_context(subject.traceparent)
    return event | _time("time", status) | ({"traceparent": trace} if trace else {})


def _body(parts: dict[str, Any], data: dict[str, Any], status: OperationStatus, inlined: Any) -> bytes:
    kept = status.result is not None and status.result.ref is not None
    if kept and inlined is not ABSENT and _carries(inlined):
        try:
            return _write(parts | {"data": data | {"result": _with_value(data["result"], inlined)}})
        except (ValueError, RecursionError):
            pass  # the reference it is
    return _write(parts | {"data": data})


def _time(key: str, status: OperationStatus) -> dict[str, str]:
    return {key: format_time(status.completion_time)} if status.completion_time else {}


def _data(subject: Subject, status: OperationStatus) -> dict[str, Any]:
    shown = OperationStatus(
        promise=status.promise,
        phase=status.phase,
        start_time=status.start_time,
        completion_time=status.completion_time,
        result=status.result,
        failure=status.failure,
        cancellation=status.cancellation if _cancelled(status) else None,
        attempts=status.attempts,
    )
    data = to_wire(shown)
    del data["observedGeneration"]
    data["operation"] = {"namespace": subject.namespace, "name": subject.name, "uid": subject.uid}
    data["metadata"] = dict(subject.metadata)
    if subject.template:
        data["template"] = subject.template
    return data


def _cancelled(status: OperationStatus) -> bool:
    """Whether the cancellation on record had any effect.

    One that came too late may be recorded after the first attempt, and every attempt is to send the same bytes.
    """
    if status.phase in (Phase.CANCELLED, Phase.TIMED_OUT):
        return True
    return status.cancellation is not None and status.cancellation.deliver_time is not None


def _with_value(result: dict[str, Any], value: Any) -> dict[str, Any]:
    return {key: found for key, found in result.items() if key != "ref"} | {"value": value}


def _carries(value: Any) -> bool:
    """Whether every receiver reads the integers in `value` as they are."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)
        elif isinstance(found, int) and not -_INT64 <= found < _INT64:
            return False
    return True


def _write(body: dict[str, Any]) -> bytes:
    # Keys in order, whoever read the object in whichever: every attempt sends the same bytes.
    return json.dumps(body, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()


def _outcome(phase: Phase) -> str:
    if phase not in OUTCOMES:
        raise ValueError(f"an operation that is {phase.value} has no outcome to tell")
    return OUTCOMES[phase]
