"""What tests of deliveries begin with: an operation that has ended, whom it concerns, keys as people make them."""

from __future__ import annotations

import base64
from typing import Any

from alo_operator.api.model import format_time
from alo_operator.api.spec import Callback
from alo_operator.api.status import OperationStatus
from alo_operator.delivery.envelope import Subject
from tests.support.builders import UID, at

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
STORED = {"ref": {"kind": "ConfigMap", "name": "alo-resize-1", "key": "result"}, "bytes": 5000, "sha256": "a" * 64}


def make_subject(metadata: dict[str, str] | None = None, traceparent: str = TRACE, template: str = "") -> Subject:
    """media/resize with the builders' uid."""
    return Subject("media", "resize", UID, traceparent, metadata or {}, template)


def make_callback(format_: str = "StandardWebhooks", name: str = "billing") -> Callback:
    return Callback.model_validate({"name": name, "url": "https://billing.example/alo", "format": format_})


def make_status(phase: str = "Succeeded", **fields: Any) -> OperationStatus:
    """A status that has ended a minute past noon, with `fields` in their spelling on the wire."""
    promise = "Fulfilled" if phase == "Succeeded" else "Rejected"
    ended = {"phase": phase, "promise": promise, "completionTime": format_time(at(60)), "observedGeneration": 1}
    return OperationStatus.model_validate(ended | fields)


def make_key(seed: int, length: int = 32) -> str:
    """A signing key as its owner writes it down; one seed, one key."""
    return "whsec_" + base64.b64encode(bytes((seed + n) % 256 for n in range(length))).decode()
