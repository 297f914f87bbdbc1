"""The garbage collector: what belongs to something deleted goes, and what waits for that is let go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from alo_operator.errors import ApiError
from tests.support.memory.deletion import delete
from tests.support.memory.documents import copied
from tests.support.memory.kinds import KINDS
from tests.support.memory.metadata import FOREGROUND, ORPHAN
from tests.support.memory.server import Server
from tests.support.memory.store import Place

Body = dict[str, Any]


class GarbageCollector:
    """Acts only when asked to; `step` is one action, `collect` all that are due."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def collect(self) -> None:
        """Act until nothing is due."""
        while self.step():
            pass

    def step(self) -> bool:
        """Do the first thing that is due, in the order of kinds and names; False where nothing is."""
        return any(self._act(place, body) for place, body in list(self._objects()))

    def _act(self, place: Place, body: Body) -> bool:
        meta = body["metadata"]
        finalizers = meta.get("finalizers", [])
        if ORPHAN in finalizers and "deletionTimestamp" in meta:
            for dependent, found in list(self._dependents(meta["uid"])):
                self._disown(dependent, found, {meta["uid"]})
            return self._let_go(place, ORPHAN)
        if FOREGROUND in finalizers and "deletionTimestamp" in meta:
            return self._foreground(place, meta["uid"])
        if "deletionTimestamp" in meta:
            return False
        return self._owned(place, body)

    def _foreground(self, place: Place, uid: str) -> bool:
        dependents = list(self._dependents(uid))
        # Each dependent is looked at first, as an object of an owner that waits; the real one races here with itself.
        if any(self._owned(*found) for found in dependents if "deletionTimestamp" not in found[1]["metadata"]):
            return True
        blocked = any(_owner(body, uid).get("blockOwnerDeletion") for _, body in dependents)
        return not blocked and self._let_go(place, FOREGROUND)

    def _owned(self, place: Place, body: Body) -> bool:
        """What is due for an object because of its owners."""
        meta = body["metadata"]
        owners = {owner["uid"]: self._owner_state(place, owner) for owner in meta.get("ownerReferences", ())}
        if not owners:
            return False
        if "solid" in owners.values():
            lost = {uid for uid, state in owners.items() if state != "solid"}
            if lost:
                self._disown(place, body, lost)
            return bool(lost)
        policy = "Background"
        if "waiting" in owners.values() and any(True for _ in self._dependents(meta["uid"])):
            policy = "Foreground"
        for finalizer, wanted in ((ORPHAN, "Orphan"), (FOREGROUND, "Foreground")):
            if finalizer in meta.get("finalizers", ()):
                policy = wanted
        try:
            delete(self._server, place, {"propagationPolicy": policy, "preconditions": {"uid": meta["uid"]}})
        except ApiError:
            return False
        return True

    def _owner_state(self, place: Place, owner: Body) -> str:
        """solid (it is there), waiting (it is being deleted in the foreground), or gone."""
        for other, found in self._objects():
            meta = found["metadata"]
            if meta["uid"] == owner["uid"] and other.namespace == place.namespace:
                waits = "deletionTimestamp" in meta and FOREGROUND in meta.get("finalizers", ())
                return "waiting" if waits else "solid"
        return "gone"

    def _let_go(self, place: Place, finalizer: str) -> bool:
        new = copied(self._server.store.have(place))
        new["metadata"]["finalizers"].remove(finalizer)
        self._server.change(place, new)
        return True

    def _disown(self, place: Place, body: Body, uids: set[str]) -> None:
        new = copied(body)
        kept = [owner for owner in new["metadata"]["ownerReferences"] if owner["uid"] not in uids]
        new["metadata"]["ownerReferences"] = kept
        self._server.change(place, new)

    def _dependents(self, uid: str) -> Iterator[tuple[Place, Body]]:
        return ((place, body) for place, body in self._objects() if _owner(body, uid))

    def _objects(self) -> Iterator[tuple[Place, Body]]:
        for kind in KINDS.values():
            for body in self._server.store.all(kind):
                yield Place(kind, body["metadata"]["namespace"], body["metadata"]["name"]), body


def _owner(body: Body, uid: str) -> Body:
    owners = body["metadata"].get("ownerReferences", ())
    return next((owner for owner in owners if owner["uid"] == uid), {})
