"""What happened to objects, asked for afterwards: the API server replays its events since a moment.

One etcd counts all resources, so the versions of a pod's and of an operation's deletion say which came first.
"""

import json
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.support.api import Api, path_of


@dataclass(frozen=True)
class Event:
    """One change: `kind` is ADDED, MODIFIED or DELETED, `object` the state after it (before it, for DELETED)."""

    kind: str
    object: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])

    @property
    def version(self) -> int:
        return int(self.object["metadata"]["resourceVersion"])


def moment(api: Api, namespace: str) -> str:
    """Return the resourceVersion of now, for `since`; the API server forgets what is older than five minutes."""
    return str(api.request("GET", path_of("pods", namespace))["metadata"]["resourceVersion"])


def history(api: Api, resource: str, namespace: str, since: str) -> list[Event]:
    """Return the events of all objects of a kind, in order, from `since` until about a second from now."""
    query = urlencode({"watch": "1", "resourceVersion": since, "timeoutSeconds": "1"})
    request = urllib.request.Request(  # noqa: S310 - the cluster's own address
        f"{api.access.server}{path_of(resource, namespace)}?{query}", headers=api.access.headers
    )
    with urllib.request.urlopen(request, context=api.access.context, timeout=api.timeout) as answer:  # noqa: S310
        events = [json.loads(line) for line in answer.read().splitlines()]
    refused = [event["object"] for event in events if event["type"] == "ERROR"]
    assert not refused, f"the events of {resource} since {since} cannot be replayed: {refused}"
    return [Event(event["type"], event["object"]) for event in events]


def deletion_of(events: list[Event], name: str) -> Event:
    """Return the deletion of one object. Raises AssertionError if it was not deleted."""
    found = [event for event in events if event.kind == "DELETED" and event.name == name]
    assert found, f"{name} was not deleted; seen: {[(event.kind, event.name) for event in events]}"
    return found[-1]
