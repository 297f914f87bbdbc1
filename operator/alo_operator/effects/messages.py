"""The message and headers of one attempt to tell a callback, with what the API server keeps for it."""

from __future__ import annotations

import hashlib
from typing import Any

from alo_operator.api.spec import Callback
from alo_operator.delivery.envelope import ABSENT, Message, Subject, build_message, trace_context
from alo_operator.delivery.signing import sign
from alo_operator.desired.fields import section
from alo_operator.desired.observed import OperationView
from alo_operator.desired.results import stored_value
from alo_operator.effects import clock, paths
from alo_operator.effects.cluster import Cluster
from alo_operator.effects.signing_keys import SigningKeys
from alo_operator.errors import Forbidden, NotFound


class Messages:
    """Builds messages; results of up to `inline_limit` bytes that a ConfigMap holds are sent as values."""

    def __init__(self, cluster: Cluster, keys: SigningKeys, inline_limit: int) -> None:
        self._cluster, self._keys, self._inline_limit = cluster, keys, inline_limit

    async def build(self, operation: OperationView, callback: Callback) -> tuple[Message, dict[str, str]]:
        """What to send now, signed at this moment.

        Raises NoSigningKey, and ApiError and ApiUnreachable where the API server could not be asked.
        """
        spec = operation.spec
        keys: tuple[bytes, ...] = ()
        if callback.secret_ref:
            keys = await self._keys.keys(operation.namespace, callback.secret_ref)
        subject = Subject(
            namespace=operation.namespace,
            name=operation.name,
            uid=operation.uid,
            traceparent=operation.traceparent,
            metadata=(spec and spec.metadata) or {},
            template=spec.template_ref.name if spec and spec.template_ref else "",
        )
        message = build_message(subject, callback, operation.status, await self._value(operation))
        headers = {"Content-Type": message.content_type}
        headers |= sign(keys, message.id, int(clock.now().timestamp()), message.body)
        if trace := trace_context(operation.traceparent):
            headers["traceparent"] = trace
        return message, headers

    async def _value(self, operation: OperationView) -> Any:
        """The value of a result that a ConfigMap holds, where it is to be sent and is what status says of it."""
        result = operation.status.result
        if not result or not result.ref or (result.bytes or 0) > self._inline_limit:
            return ABSENT
        try:
            kept = await self._cluster.get(paths.config_map(operation.namespace, result.ref.name))
            words = section(kept, "data").get(result.ref.key)
            if not isinstance(words, str) or hashlib.sha256(words.encode()).hexdigest() != result.sha256:
                return ABSENT  # bytes that are no text, or not those that were handed in
            return stored_value(kept, result)
        except (NotFound, Forbidden, ValueError):
            return ABSENT
