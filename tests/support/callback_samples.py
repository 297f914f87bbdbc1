"""The messages that docs/callbacks.md shows: one operation's outcome in both formats, and its headers."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from alo_operator.api.phases import Phase, Promise
from alo_operator.api.spec import Callback, CallbackFormat, SecretKeyRef
from alo_operator.api.status import Attempts, LastAttempt, OperationStatus, Result
from alo_operator.delivery.envelope import Message, Subject, build_message
from alo_operator.delivery.signing import parse_keys, sign

KEY = "whsec_YWxvLW9wZXJhdG9yIHRlc3QgdmVjdG9y"
BEGAN = datetime(2026, 1, 1, 9, 59, 58, tzinfo=UTC)
ENDED = datetime(2026, 1, 1, 10, 0, 3, tzinfo=UTC)
SENT = datetime(2026, 1, 1, 10, 0, 5, tzinfo=UTC)

_VALUE: dict[str, Any] = {"url": "s3://out/cat.png", "width": 800}
_RESULT = json.dumps(_VALUE).encode()
SUBJECT = Subject(
    namespace="media",
    name="resize-7f3c",
    uid="7d2c4b0e-93a1-4a6f-8f6e-0c6f3f1d2a55",
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    metadata={"requestedBy": "billing"},
    template="resize-image",
)
STATUS = OperationStatus(
    observed_generation=1,
    promise=Promise.FULFILLED,
    phase=Phase.SUCCEEDED,
    start_time=BEGAN,
    completion_time=ENDED,
    attempts=Attempts(count=1, last=LastAttempt(pod="resize-7f3c-5e1bdb2f6a-x2x7k", exit_code=0, reason="Completed")),
    result=Result(
        value=_VALUE,
        content_type="application/json",
        bytes=len(_RESULT),
        sha256=hashlib.sha256(_RESULT).hexdigest(),
    ),
)
BILLING = Callback(
    name="billing", url="https://billing.example/alo", secret_ref=SecretKeyRef(name="billing-hook", key="key")
)
AUDIT = Callback(name="audit", url="http://audit.media.svc:8080/events", format=CallbackFormat.CLOUD_EVENTS)


def message(callback: Callback) -> Message:
    """What this callback is sent."""
    return build_message(SUBJECT, callback, STATUS)


def signature() -> str:
    """The header webhook-signature of what `BILLING` is sent at `SENT`."""
    said = message(BILLING)
    return sign(parse_keys(KEY.encode()), said.id, int(SENT.timestamp()), said.body)["webhook-signature"]
