"""An API server in memory, as far as the operator's effects use one, behind the interface of `effects.cluster.Cluster`.

It keeps what decisions rest on: resourceVersions and their conflicts, AlreadyExists, preconditions of deletions,
finalizers, foreground deletion, the status default and the freeze of settled promises. What it does not do: validate
objects, run controllers (tests/model has toy ones), watch over a connection (`events` is what a watch would tell).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from alo_operator.api.model import format_time
from alo_operator.api.names import OPERATION_PLURAL
from alo_operator.effects import clock
from alo_operator.effects.cluster import JSON, JSON_PATCH, REQUEST_TIMEOUT, Body, Cluster
from alo_operator.effects.credentials import Credentials
from alo_operator.errors import AlreadyExists, ApiError, BadRequest, Conflict, NotFound

FOREGROUND: Final = "foregroundDeletion"
_PATH: Final = re.compile(
    r"apis?/(?:[^/]+/)?v[^/]+/(?:namespaces/(?P<namespace>[^/]+)/)?(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>status))?"
)
_FROZEN: Final = (
    "promise",
    "phase",
    "result",
    "failure",
    "startTime",
    "completionTime",
    "specDigest",
    "progress",
    "attempts",
)
_UNSEEN: Final = {"observedGeneration": -1, "promise": "Pending", "phase": "Pending"}

Key = tuple[str, str, str]
"""Plural, namespace, name."""


class MemoryApi(Cluster):
    """One API server. `events` grows by (type, object) with every change; `requests` by (method, path, answer's code).

    `before` is called with each request and may raise instead of it; `after` may raise once it is done, as when the
    answer is lost.
    """

    def __init__(self) -> None:
        super().__init__(lambda: Credentials(server="http://memory.test"))
        self.objects: dict[Key, Body] = {}
        self.events: list[tuple[str, str, Body]] = []
        self.requests: list[tuple[str, str, int]] = []
        self.before: Callable[[str, str], None] = lambda *_: None
        self.after: Callable[[str, str], None] = lambda *_: None
        self._count = 0

    # -- for tests

    def find(self, plural: str, name: str, namespace: str = "media") -> Body | None:
        """A copy of one object, or None."""
        return copy.deepcopy(self.objects.get((plural, namespace, name)))

    def every(self, plural: str) -> Iterator[Body]:
        """Copies of all objects of one kind."""
        for key, body in list(self.objects.items()):
            if key[0] == plural:
                yield copy.deepcopy(body)

    def add(self, plural: str, body: Mapping[str, Any]) -> Body:
        """Create an object, as any client would."""
        meta = {**body["metadata"]}
        meta.setdefault("namespace", "media")
        key = (plural, meta["namespace"], meta["name"])
        if key in self.objects:
            raise AlreadyExists(409, "AlreadyExists", f"{plural} {meta['name']!r} already exists")
        self._count += 1
        created = copy.deepcopy(dict(body))
        created["metadata"] = {
            **copy.deepcopy(meta),
            "uid": f"uid-{self._count}-{plural}",
            "creationTimestamp": _time(),
            "generation": 1,
        }
        if plural == OPERATION_PLURAL:
            created["status"] = dict(_UNSEEN)
        return self._store(key, created, "ADDED")

    def change(self, plural: str, name: str, change: Callable[[Body], None], namespace: str = "media") -> Body:
        """Let `change` edit an object, as another controller would; finalizers that go let a deletion go on."""
        key = (plural, namespace, name)
        new = copy.deepcopy(self._have(key))
        change(new)
        return self._store(key, new, "MODIFIED")

    def remove(self, plural: str, name: str, policy: str = "Background", namespace: str = "media") -> None:
        """Delete an object, as any client would."""
        self._delete((plural, namespace, name), {"propagationPolicy": policy})

    # -- the interface

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeout: float = REQUEST_TIMEOUT,  # noqa: ASYNC109 - the interface's
    ) -> Body:
        """One request, done at once."""
        self.before(method, path)
        try:
            answer = self._do(method, path, dict(params or {}), copy.deepcopy(body), content_type)
        except ApiError as error:
            self.requests.append((method, path, error.status))
            raise
        self.requests.append((method, path, 200))
        self.after(method, path)
        return copy.deepcopy(answer)

    async def close(self) -> None:
        """Nothing is open."""

    # -- inside

    def _do(self, method: str, path: str, params: dict[str, str], body: Any, content_type: str) -> Body:
        match = _PATH.fullmatch(path)
        if match is None:
            raise NotFound(404, "NotFound", f"no such path: {path}")
        plural, namespace, name = match["plural"], match["namespace"] or "", match["name"] or ""
        key = (plural, namespace, name)
        if method == "GET":
            return self._have(key) if name else self._list(plural, namespace, params)
        if method == "POST":
            return self.add(plural, {**body, "metadata": {**body["metadata"], "namespace": namespace}})
        if method == "DELETE":
            return self._delete(key, body or {})
        old = self._have(key)
        if method == "PUT":
            new = body
        elif content_type == JSON_PATCH:
            new = _json_patched(old, body, only="status" if match["sub"] else None)
        else:
            new = _merged(old, body)
        wanted = new["metadata"].get("resourceVersion")
        if wanted and wanted != old["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", "the object has been modified; please apply your changes to the latest")
        return self._store(key, new, "MODIFIED")

    def _have(self, key: Key) -> Body:
        if key not in self.objects:
            raise NotFound(404, "NotFound", f"{key[0]} {key[2]!r} not found")
        return self.objects[key]

    def _list(self, plural: str, namespace: str, params: Mapping[str, str]) -> Body:
        found = [
            copy.deepcopy(body)
            for key, body in sorted(self.objects.items())
            if key[0] == plural and namespace in ("", key[1]) and _selected(body, params)
        ]
        start = int(params.get("continue") or 0)
        end = start + int(params.get("limit") or len(found) or 1)
        more = {"continue": str(end)} if end < len(found) else {}
        return {"kind": "List", "metadata": more, "items": found[start:end]}

    def _store(self, key: Key, new: Body, kind: str) -> Body:
        old = self.objects.get(key)
        if old is not None:
            comparable = {**new, "metadata": {**new["metadata"], "resourceVersion": old["metadata"]["resourceVersion"]}}
            if comparable == old:
                return old
            _check_change(key[0], old, new)
            if new.get("spec") != old.get("spec"):
                new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        self._count += 1
        new["metadata"]["resourceVersion"] = str(self._count)
        if new["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
            self.objects.pop(key, None)
            self.events.append(("DELETED", key[0], copy.deepcopy(new)))
        else:
            self.objects[key] = new
            self.events.append((kind, key[0], copy.deepcopy(new)))
        return new

    def _delete(self, key: Key, options: Mapping[str, Any]) -> Body:
        old = self._have(key)
        for field, wanted in (options.get("preconditions") or {}).items():
            if old["metadata"][field] != wanted:
                raise Conflict(409, "Conflict", f"Precondition failed: {field} is {old['metadata'][field]}")
        if old["metadata"].get("deletionTimestamp"):
            return old
        new = copy.deepcopy(old)
        meta = new["metadata"]
        meta["deletionTimestamp"] = _time()
        meta["generation"] += 1
        if options.get("propagationPolicy") == "Foreground":
            meta["finalizers"] = [*meta.get("finalizers", ()), FOREGROUND]
        return self._store(key, new, "MODIFIED")


def _check_change(plural: str, old: Body, new: Body) -> None:
    added = set(new["metadata"].get("finalizers") or ()) - set(old["metadata"].get("finalizers") or ())
    if old["metadata"].get("deletionTimestamp") and added:
        raise BadRequest(422, "Invalid", "metadata.finalizers: Forbidden: no new finalizers while it is being deleted")
    if plural != OPERATION_PLURAL:
        return
    before, after = old["status"], new["status"]
    if before["promise"] == "Pending":
        return
    moved = [field for field in _FROZEN if before.get(field) != after.get(field)]
    if moved:
        raise BadRequest(422, "Invalid", f"a settled promise never changes: {', '.join(moved)}")


def _selected(body: Body, params: Mapping[str, str]) -> bool:
    labels = body["metadata"].get("labels") or {}
    for term in filter(None, params.get("labelSelector", "").split(",")):
        name, _, value = term.partition("=")
        if labels.get(name) != value:
            return False
    for term in filter(None, params.get("fieldSelector", "").split(",")):
        path, _, value = term.partition("=")
        found: Any = body
        for part in path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if found != value:
            return False
    return True


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(copy.deepcopy(target)) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged


def _json_patched(target: Body, patch: list[Body], *, only: str | None) -> Body:
    """RFC 6902, add, replace and remove of object members; outside `only` just the resourceVersion can be set."""
    new = copy.deepcopy(target)
    for operation in patch:
        *way, last = operation["path"].lstrip("/").split("/")
        if only and way[:1] != [only] and operation["path"] != "/metadata/resourceVersion":
            continue
        parent = new
        for part in way:
            parent = parent[part]
        if operation["op"] != "add" and last not in parent:
            raise BadRequest(422, "Invalid", f"the path {operation['path']} does not exist")
        if operation["op"] == "remove":
            del parent[last]
        else:
            parent[last] = operation["value"]
    return new


def _time() -> str:
    return format_time(clock.now().replace(microsecond=0))
