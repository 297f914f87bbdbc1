"""An API server in memory, as far as this project uses one, behind the interface of `effects.cluster.Cluster`.

It is compared with the real one, request by request, in tests/controlplane/test_memory_api.py. It knows:
- our two kinds (schema, defaults and rules of their CRDs), Jobs, pods, ConfigMaps, Events and Leases;
- resourceVersions and their conflicts, generation, the status subresource, merge and JSON patches, strict decoding;
- deletion: preconditions, policies, finalizers, and the grace of pods that a node runs;
- lists with selectors, in pages, of metadata alone; watches from a version on, compaction, cut and lost streams.

What it does not model is refused with NotImplementedError: other kinds and media types, server-side apply, strategic
merge patches, dry runs, deleting whole collections, lists at a version, generateName, selectors of a Job chosen by the
client. Without being refused: there are no managedFields and no bookmarks, every namespace exists and nobody is
unauthorized, validation inside a pod's containers and volumes ends at names and images, and the status of Jobs and pods
is what whoever calls `change` writes. Controllers are in tests/support/memory: job_controller, garbage and nodes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Final

from alo_operator.effects.cluster import JSON, REQUEST_TIMEOUT, Body, Cluster
from alo_operator.effects.credentials import Credentials
from alo_operator.effects.signing_keys import METADATA_OF_ONE
from alo_operator.errors import ApiError, ApiUnreachable
from tests.support.memory.deletion import delete
from tests.support.memory.documents import copied
from tests.support.memory.kinds import kind_of
from tests.support.memory.listing import Listing
from tests.support.memory.metadata import FOREGROUND
from tests.support.memory.refusals import bad_request, not_found
from tests.support.memory.server import Server, shown
from tests.support.memory.store import Change, Place
from tests.support.memory.watching import Stream

__all__ = ["FOREGROUND", "MemoryApi"]

HOME: Final = "media"
_PATH: Final = re.compile(
    r"apis?/(?P<version>(?:[^/]+/)?v[^/]+)/(?:namespaces/(?P<namespace>[^/]+)/)?"
    r"(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?"
)
_PARAMS: Final = {"fieldManager", "fieldValidation", "labelSelector", "fieldSelector", "limit", "continue"} | {
    "resourceVersion"
}


Key = tuple[str, str, str]
"""Plural, namespace, name."""


class MemoryApi(Cluster):
    """One API server. `events` grows by (type, plural, object) with every change; `requests` by (method, path, code).

    `objects` and what is in `events` are to be read, and never to be changed; `find` and `every` give copies.

    `before` is called with each request through the interface and may raise instead of it; `after` may raise once it
    is done, as when the answer is lost. What tests ask for themselves meets neither and is not in `requests`.
    """

    def __init__(self) -> None:
        super().__init__(lambda: Credentials(server="http://memory.test"))
        self.server = Server()
        self.objects: dict[Key, Body] = {}
        self.events: list[tuple[str, str, Body]] = []
        self.requests: list[tuple[str, str, int]] = []
        self.before: Callable[[str, str], None] = lambda *_: None
        self.after: Callable[[str, str], None] = lambda *_: None
        self.lost: Callable[[Body], bool] = lambda _: False
        self.streams: list[Stream] = []
        self._listing = Listing(self.server)
        self.server.store.told.append(self._note)

    # -- for tests

    def find(self, plural: str, name: str, namespace: str = HOME) -> Body | None:
        """A copy of one object, or None."""
        return copied(self.objects.get((kind_of(plural).plural, namespace, name)))

    def every(self, plural: str) -> Iterator[Body]:
        """Copies of all objects of one kind."""
        kind = kind_of(plural)
        for key, body in list(self.objects.items()):
            if key[0] == kind.plural:
                yield copied(body)

    def add(self, plural: str, body: Mapping[str, Any], namespace: str = HOME) -> Body:
        """Create an object: of our kinds as a client does, of others just as it is given, status and all."""
        kind = kind_of(plural)
        body = {"apiVersion": kind.api_version, "kind": kind.kind, **copied(dict(body))}
        meta = {name: value for name, value in body["metadata"].items() if name != "resourceVersion"}
        place, body = Place(kind, meta.get("namespace", namespace), ""), {**body, "metadata": meta}
        return copied(self.server.create(place, body) if kind.custom else self.server.put(place, body))

    def change(self, plural: str, name: str, change: Callable[[Body], None], namespace: str = HOME) -> Body:
        """Let `change` edit object and status at once, as a controller would; finalizers that go let a deletion go on.

        It may write what the schema does not know, as another version would; the rules of a CRD are kept here too.
        """
        place = Place(kind_of(plural), namespace, name)
        new = self.server.get(place)
        change(new)
        return copied(self.server.change(place, {n: v for n, v in new.items() if n not in ("apiVersion", "kind")}))

    def remove(self, plural: str, name: str, policy: str | None = "Background", namespace: str = HOME) -> None:
        """Delete an object, as any client would."""
        delete(self.server, Place(kind_of(plural), namespace, name), {"propagationPolicy": policy})

    def compact(self) -> None:
        """Forget the past: pages and watches from before now are gone."""
        self.server.store.compact()
        self._listing.forget()

    def cut_watches(self) -> None:
        """End all open watches."""
        for stream in self.streams:
            stream.cut()
        self.streams.clear()

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Body:
        """One request of anybody's, without `before`, `after` and `requests`. Raises ApiError."""
        params = dict(params or {})
        place, sub = _address(path)
        if unknown := set(params) - _PARAMS:
            raise NotImplementedError(f"parameters that are not modelled: {sorted(unknown)}")
        strict = params.get("fieldValidation") == "Strict"
        if sub not in ("", "status") or (sub and not place.kind.status):
            raise NotImplementedError(f"{path}: this subresource is not modelled")
        if method == "GET":
            return _one(self.server.get(place), accept) if place.name else self._listing.read(place, params, accept)
        if method == "POST" and not place.name:
            return self.server.create(place, body, strict=strict)
        if method == "PUT" and place.name:
            return self.server.replace(place, body, sub=sub, strict=strict)
        if method == "PATCH" and place.name:
            return self.server.patch(place, body, content_type, sub=sub, strict=strict)
        if method == "DELETE" and place.name and not sub:
            return delete(self.server, place, body)
        raise NotImplementedError(f"{method} {path} is not modelled")

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
            answer = self.ask(method, path, params=params, body=body, content_type=content_type, accept=accept)
        except ApiError as error:
            self.requests.append((method, path, error.status))
            raise
        self.requests.append((method, path, 200))
        self.after(method, path)
        return copied(answer)

    async def watch(
        self, path: str, params: Mapping[str, str], *, patience: float, opened: asyncio.Event
    ) -> AsyncIterator[Body]:
        """Events from a version on, or from what is there, until the stream is cut or its time is over."""
        self.before("WATCH", path)
        stream = self.open(path, params)
        opened.set()
        ends = asyncio.get_running_loop().time() + min(patience, float(params.get("timeoutSeconds", patience)))
        try:
            while True:
                while (event := stream.read()) is not None:
                    yield event
                if stream.over:
                    return
                await asyncio.wait_for(stream.wait(), ends - asyncio.get_running_loop().time())
        except TimeoutError as error:
            if patience < float(params.get("timeoutSeconds", "inf")):
                raise ApiUnreachable(f"watch {path}: TimeoutError") from error
        finally:
            stream.cut()

    async def close(self) -> None:
        """Nothing is open."""

    # -- inside

    def open(self, path: str, params: Mapping[str, str]) -> Stream:
        """A watch to be read by hand. Raises ApiError."""
        place, _ = _address(path)
        if place.name:
            raise NotImplementedError(f"{path}: a watch of one object is not modelled; use a field selector")
        stream = Stream(self.server, place, {name: value for name, value in params.items() if name != "fieldManager"})
        stream.lost = lambda event: self.lost(event)  # noqa: PLW0108 - as it is set then
        self.streams = [one for one in self.streams if not one.over] + [stream]
        return stream

    def _note(self, change: Change) -> None:
        kind, body = change.place.kind, shown(change.place.kind, change.body)
        key = (kind.plural, change.place.namespace, change.place.name)
        self.events.append((change.type, kind.plural, body))
        if change.type == "DELETED":
            del self.objects[key]
        else:
            self.objects[key] = body


def _one(body: Body, accept: str) -> Body:
    if accept == METADATA_OF_ONE:
        return {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": body["metadata"]}
    return body


def _address(path: str) -> tuple[Place, str]:
    match = _PATH.fullmatch(path.lstrip("/"))
    if match is None:
        raise bad_request(f"no such path: {path}")
    kind = kind_of(match["plural"])
    if match["version"] != kind.api_version:
        raise not_found("path", path)
    return Place(kind, match["namespace"] or "", match["name"] or ""), match["sub"] or ""
