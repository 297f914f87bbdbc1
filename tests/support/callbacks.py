"""Callbacks for tests: signing keys, entries of spec.callbacks, and what arrived, verified by the reference library."""

import base64
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.cluster.providers import Cluster
from tests.support.api import Api
from tests.support.gateway_process import Gateways
from tests.support.operations import operation, simulated_job
from tests.support.receivers import Received, Wire
from tests.support.reporting import ReportingStage
from tests.support.stages import NewStage
from tests.support.waiting import wait_for

Object = dict[str, Any]

LABEL = "alo-operator.io/signing-key"
SECRET = "hook"
TOLERANCE = 30  # seconds from the signature to the arrival
LOOPBACK = ("--delivery-allow", "127.0.0.0/8")
SETTLED_TYPES = {
    "Succeeded": "operation.succeeded",
    "Failed": "operation.failed",
    "Cancelled": "operation.cancelled",
    "TimedOut": "operation.timed_out",
}


def signing_key() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def secret(name: str, *keys: str, labelled: bool = True) -> Object:
    """A Secret whose key `key` holds these signing keys, one a line."""
    labels = {LABEL: "true"} if labelled else {}
    return {"metadata": {"name": name, "labels": labels}, "stringData": {"key": "\n".join(keys)}}


def callback(name: str, url: str, *, secret: str | None = SECRET, cloud_events: bool = False) -> Object:
    """An entry of spec.callbacks; without a Secret it has to be a CloudEvents one."""
    entry: Object = {"name": name, "url": url}
    if cloud_events:
        entry["format"] = "CloudEvents"
    return entry | ({"secretRef": {"name": secret, "key": "key"}} if secret else {})


def verified(received: Received, key: str) -> Object:
    """The message as a dict. Raises WebhookVerificationError for one that was not signed with this key, or not when it
    was received; however long ago that is, which the library's own verification would hold against it.
    """
    signed = datetime.fromtimestamp(int(received.headers["webhook-timestamp"]), UTC)
    wanted = Webhook(key).sign(received.id, signed, received.body.decode())
    if wanted not in received.headers.get("webhook-signature", "").split():
        raise WebhookVerificationError("no signature of this key")
    if abs(received.time - signed.timestamp()) > TOLERANCE:
        raise WebhookVerificationError("signed at another time than it was sent")
    return dict(received.json)


def signed_with(received: Received, key: str) -> bool:
    """Whether the message bears a good signature of this key."""
    try:
        verified(received, key)
    except WebhookVerificationError:
        return False
    return True


def problems(received: Received, operation: Object, key: str) -> list[str]:
    """What in a message disagrees with the status of its operation, which has ended."""
    message, status = verified(received, key), operation["status"]
    data, metadata = message["data"], operation["metadata"]
    expected: Object = {
        "operation": {part: metadata[part] for part in ("namespace", "name", "uid")},
        "metadata": operation["spec"].get("metadata", {}),
    }
    same = ("promise", "phase", "startTime", "completionTime", "result", "failure", "cancellation", "attempts")
    expected |= {part: status.get(part) for part in same}
    wrong = [f"{part}: {data.get(part)} is not {want}" for part, want in expected.items() if data.get(part) != want]
    if message["type"].removeprefix("io.alo-operator.") != SETTLED_TYPES[status["phase"]]:
        wrong.append(f"type {message['type']} for phase {status['phase']}")
    return wrong


@dataclass
class TellingStage(ReportingStage):
    """A namespace with a Secret `hook`, whose operator may send to loopback; `key` is the one key in the Secret."""

    key: str

    def ask(self, name: str, *callbacks: Object, seconds: float = 0, **fields: Any) -> None:
        """Create an operation that succeeds after some seconds, with these callbacks."""
        fields.setdefault("job", simulated_job(seconds, message='{"done": true}'))
        self.create(operation(name, callbacks=list(callbacks), **fields))

    def deliveries(self, name: str) -> dict[str, Object]:
        """The deliveries of an operation, by the callback's name."""
        return {entry["name"]: entry for entry in self.status(name).get("deliveries", ())}

    def delivery(self, name: str, state: str, callback: str = "hook", timeout: float = 60.0) -> Object:
        """Return the delivery to one callback once it is in this state."""

        def found() -> Object | None:
            entry = self.deliveries(name).get(callback, {})
            return entry if entry.get("state") == state else None

        entry = wait_for(found, timeout, lambda: f"{name} has told {callback}: {state}; {self.status(name)}")
        assert entry
        return entry

    def tried(self, name: str, callback: str = "hook", timeout: float = 60.0) -> Object:
        """Return the delivery to one callback once an attempt is on record."""

        def found() -> Object | None:
            entry = self.deliveries(name).get(callback, {})
            return entry if entry.get("attempts") else None

        entry = wait_for(found, timeout, lambda: f"{name} has tried to tell {callback}; {self.status(name)}")
        assert entry
        return entry

    def released(self, name: str, timeout: float = 30.0) -> None:
        """Return when an operation is let go."""
        wait_for(
            lambda: not self.operation(name)["metadata"].get("finalizers"),
            timeout,
            lambda: f"{name} is let go; {self.operation(name)}",
        )

    def await_gone(self, name: str, timeout: float = 60.0) -> None:
        wait_for(lambda: self.gone(name), timeout, lambda: f"{name} is gone; {self.operation(name)}")

    def events_of(self, name: str) -> list[tuple[str, str]]:
        """Type and reason of the Events about an operation."""
        found = self.api.list("events", self.namespace, fieldSelector=f"involvedObject.name={name}")
        return sorted((one["type"], one["reason"]) for one in found)


@contextmanager
def telling(
    new_stage: NewStage, cluster: Cluster, folder: Path, arguments: Sequence[str] = (), **settings: Any
) -> Iterator[TellingStage]:
    """A TellingStage with a running operator and gateway; `arguments` are further ones of the operator."""
    gateways = Gateways(cluster, folder)
    with ExitStack() as at_the_end:
        at_the_end.callback(gateways.end)
        gateway = gateways.start()
        words = [*LOOPBACK, "--report-url", gateway.url, *arguments]
        made = at_the_end.enter_context(new_stage(arguments=words, **settings))
        stage = TellingStage(made.api, made.namespace, made.kubectl, made.operators, gateway, signing_key())
        stage.api.create("secrets", secret(SECRET, stage.key), stage.namespace)
        yield stage


class Looking:
    """A behaviour of a receiver: it looks the operation up at the moment it is told, then answers 200."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self.kubeconfig, self.namespace = kubeconfig, namespace
        self.seen: dict[str, Object | None] = {}

    def __call__(self, wire: Wire) -> None:
        received = wire.read()
        name = received.json["data"]["operation"]["name"]
        api = Api(self.kubeconfig)
        try:
            self.seen[name] = api.get("asyncoperations", self.namespace, name)
        finally:
            api.close()
        wire.answer(200)
