"""What is stored, under which version, and what happened to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.support.memory.documents import copied, same
from tests.support.memory.kinds import Kind
from tests.support.memory.refusals import expired, not_found

Body = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where an object lies; `name` is "" for the whole list, `namespace` "" for that of all namespaces."""

    kind: Kind
    namespace: str
    name: str

    @property
    def key(self) -> str:
        """Its place in the order of lists."""
        return f"{self.namespace}/{self.name}"


class Change(NamedTuple):
    """One write. `body` is the object then, `before` as it was (None: there was none)."""

    version: int
    type: str  # ADDED, MODIFIED or DELETED
    place: Place
    body: Body
    before: Body | None


class Store:
    """Objects by kind and key; what it hands out must not be changed. `told` is called after each change."""

    def __init__(self) -> None:
        self.version = 100
        self.compacted = 0  # changes up to this version are forgotten
        self.changes: list[Change] = []
        self.told: list[Callable[[Change], None]] = []
        self._objects: dict[str, dict[str, Body]] = {}

    def find(self, place: Place) -> Body | None:
        return self._objects.get(place.kind.plural, {}).get(place.key)

    def have(self, place: Place) -> Body:
        """The object. Raises NotFound."""
        found = self.find(place)
        if found is None:
            raise not_found(place.kind.plural, place.name)
        return found

    def all(self, kind: Kind, namespace: str = "") -> list[Body]:
        """The objects of a kind, in the order of lists."""
        found = sorted(self._objects.get(kind.plural, {}).items())
        return [body for key, body in found if not namespace or key.startswith(f"{namespace}/")]

    def put(self, place: Place, body: Body) -> Body:
        """Store an object, new or changed, under a new version; where nothing is changed, nothing is written."""
        before = self.find(place)
        body = copied(body)
        if before is not None:
            body["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
            if same(body, before):
                return before
        body["metadata"]["resourceVersion"] = self._next()
        self._objects.setdefault(place.kind.plural, {})[place.key] = body
        self._tell(Change(self.version, "MODIFIED" if before else "ADDED", place, body, before))
        return body

    def remove(self, place: Place) -> Body:
        """Remove an object; as it was stored last, under the version of its removal."""
        before = self._objects[place.kind.plural].pop(place.key)
        body = copied(before)
        body["metadata"]["resourceVersion"] = self._next()
        self._tell(Change(self.version, "DELETED", place, body, before))
        return body

    def since(self, version: int) -> list[Change]:
        """The changes after `version`. Raises Gone where they are forgotten."""
        if version < self.compacted:
            raise expired(f"too old resource version: {version} ({self.compacted})")
        return [change for change in self.changes if change.version > version]

    def compact(self) -> None:
        """Forget all changes so far."""
        self.compacted = self.version
        self.changes.clear()

    def _next(self) -> str:
        self.version += 1
        return str(self.version)

    def _tell(self, change: Change) -> None:
        self.changes.append(change)
        for listener in list(self.told):
            listener(change)
