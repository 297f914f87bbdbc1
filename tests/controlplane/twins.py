"""The real API server and the one in memory, asked the same; what both say, in a form that can be compared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from alo_operator.effects.cluster import JSON, MERGE_PATCH
from alo_operator.errors import ApiError as MemoryRefusal
from tests.support.api import Api, ApiError, path_of
from tests.support.memory.garbage import GarbageCollector
from tests.support.memory.job_controller import JobController
from tests.support.memory_api import MemoryApi
from tests.support.waiting import NotInTime, wait_for

Object = dict[str, Any]

KINDS = ("asyncoperations", "jobs", "configmaps")
ROOT = "kube-root-ca.crt"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_HIDDEN = ("managedFields", "continue", "selfLink")
_REMEMBERED = re.compile(r"<(uid|version|list):(\d+)>")


@dataclass
class Request:
    """One request. `<uid:3>` and `<version:3>` in it stand for those of the remembered answer number 3.

    `based_on` is the number of a remembered answer that the body is merged into, as a client changes what it has read.
    """

    method: str
    plural: str
    name: str = ""
    sub: str = ""
    body: Any = None
    based_on: int | None = None
    how: str = JSON
    query: Mapping[str, str] = field(default_factory=dict)
    accept: str = JSON

    def __str__(self) -> str:
        more = f" on {self.based_on}" if self.based_on is not None else ""
        place = "/".join(filter(None, (self.plural, self.name, self.sub)))
        return f"{self.method} {place} {dict(self.query) or ''} {json.dumps(self.body)}{more} {self.how}"


class Side:
    """One of the two. Uids, versions and times are this side's own, so they are told apart by when they first came."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.remembered: list[Object] = []
        self._seen: dict[str, str] = {}

    def send(self, request: Request, body: Any, path: str, query: Mapping[str, str]) -> tuple[int, Object]:
        """Status and body of the answer."""
        raise NotImplementedError

    def ask(self, request: Request) -> tuple[int, Object]:
        """Send a request; the answer as it came. An object that is answered with is remembered."""
        body = self._filled(request.body)
        if request.based_on is not None:
            body = _changed(self.remembered[request.based_on], body)
            body["metadata"] = {name: part for name, part in body["metadata"].items() if name != "managedFields"}
        path = path_of(request.plural, self.namespace, request.name or None, request.sub or None)
        return self.send(request, body, path, {key: self._filled(value) for key, value in request.query.items()})

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._filled(inner) for inner in value]
        if isinstance(value, str) and (match := _REMEMBERED.fullmatch(value)):
            meta = self.remembered[int(match[2])]["metadata"]
            return meta["uid"] if match[1] == "uid" else meta["resourceVersion"]
        return value

    def plain(self, value: Any, key: str = "") -> Any:
        """What was answered, without what must differ."""
        if isinstance(value, dict):
            if "uid" in value:
                uid = self._name(str(value["uid"]), "uid")
                if "resourceVersion" in value:
                    self._name(str(value["resourceVersion"]), f"version of {uid},")
            # Metadata first: it says whose uid is whose.
            parts = sorted(value.items(), key=lambda part: part[0] != "metadata")
            if "items" in value:
                # Of a list the version is that of the whole cluster.
                parts = [("items", value["items"]), ("more", value["metadata"].get("remainingItemCount"))]
            return {name: self.plain(inner, name) for name, inner in parts if name not in _HIDDEN}
        if isinstance(value, list):
            return [self.plain(inner) for inner in value]
        if not isinstance(value, str):
            return value
        if _TIME.fullmatch(value) and not key.startswith("test"):
            return "a time"
        return self._seen.get(value, value)

    def _name(self, value: str, kind: str) -> str:
        if value not in self._seen:
            self._seen[value] = f"{kind} {sum(name.startswith(kind) for name in self._seen.values())}"
        return self._seen[value]

    def state(self) -> Object:
        """All objects, but for their versions: between two looks controllers may have written more or less often."""
        found: Object = {}
        for plural in KINDS:
            _, answer = self.ask(Request("GET", plural))
            for item in answer["items"]:
                if _is_root(item):
                    continue
                item["metadata"].pop("resourceVersion")
                plain = self.plain({name: part for name, part in item.items() if name not in ("kind", "apiVersion")})
                conditions = plain.get("status", {}).get("conditions", ()) if plural == "jobs" else ()
                if conditions:
                    plain["status"]["conditions"] = sorted(conditions, key=lambda one: one["type"])
                found[f"{plural}/{item['metadata']['name']}"] = plain
        return found


class RealSide(Side):
    def __init__(self, api: Api, namespace: str) -> None:
        super().__init__(namespace)
        self._api = api

    def send(self, request: Request, body: Any, path: str, query: Mapping[str, str]) -> tuple[int, Object]:
        self._api.access.headers["Accept"] = request.accept
        try:
            return 200, self._api.request(request.method, path, body, query=dict(query), content_type=request.how)
        except ApiError as error:
            return error.status, error.body
        finally:
            self._api.access.headers["Accept"] = JSON

    def events(self, plural: str, query: Mapping[str, str]) -> list[Object]:
        """What a watch of one second tells."""
        api = Api.__new__(Api)
        api.access, api.timeout, api._connection = self._api.access, 30.0, None
        target = path_of(plural, self.namespace) + "?" + urlencode({"watch": "1", "timeoutSeconds": "1", **query})
        try:
            answer = api._send("GET", target, None, api.access.headers)
            return [json.loads(line) for line in answer.read().splitlines()]
        finally:
            api.close()


class MemorySide(Side):
    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        self.memory = MemoryApi()
        self.jobs, self.garbage = JobController(self.memory.server), GarbageCollector(self.memory.server)

    def send(self, request: Request, body: Any, path: str, query: Mapping[str, str]) -> tuple[int, Object]:
        try:
            return 200, self.memory.ask(
                request.method, path, params=query, body=body, content_type=request.how, accept=request.accept
            )
        except MemoryRefusal as error:
            return error.status, {"reason": error.reason, "message": error.message}

    def events(self, plural: str, query: Mapping[str, str]) -> list[Object]:
        stream, found = self.memory.open(path_of(plural, self.namespace), query), []
        while (event := stream.read()) is not None:
            found.append(event)
        stream.cut()
        return found

    def rest(self) -> None:
        """Let the controllers do all that is due."""
        version = -1
        while version != self.memory.server.store.version:
            version = self.memory.server.store.version
            self.jobs.work()
            self.garbage.collect()


class Twins:
    """Both of them. `done` is the story so far, for whoever has to find out what went wrong."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.real, self.memory = RealSide(api, namespace), MemorySide(namespace)
        wait_for(
            lambda: api.get("configmaps", namespace, ROOT), 30, "the namespace has the ConfigMap of all namespaces"
        )
        self.memory.memory.add("configmaps", {"metadata": {"name": ROOT, "namespace": namespace}})
        self.done: list[str] = []

    def ask(self, request: Request) -> tuple[int, Object]:
        """Ask both, and compare what they say. The real answer."""
        status, answer = self.real.ask(request)
        try:
            other_status, other = self.memory.ask(request)
        except NotImplementedError as error:
            raise AssertionError(f"{request}: {error}; the real one says {status}") from error
        said = (status, answer.get("reason") if status >= 400 else None)
        other_said = (other_status, other.get("reason") or None if other_status >= 400 else None)
        self.done.append(f"{len(self.done)}: {request} -> {said}")
        detail = f"{answer.get('message')!r} and {other.get('message')!r}" if said != other_said else ""
        assert said == other_said, self._told(f"{request} gets {said} and in memory {other_said}: {detail}")
        if status < 400:
            _drop_root(answer)
            _drop_root(other)
            plain, other_plain = self.real.plain(answer), self.memory.plain(other)
            assert plain == other_plain, self._told(f"{request}:\n{_difference(plain, other_plain)}")
            if "uid" in answer.get("metadata", {}):
                self.real.remembered.append(answer)
                self.memory.remembered.append(other)
        return status, answer

    def rest(self) -> None:
        """Let the controllers of both do all that is due, and compare what there is then."""
        self.memory.rest()
        wanted = self.memory.state()
        try:
            wait_for(lambda: self.real.state() == wanted, 60.0, "the cluster comes to the same state", 0.02)
        except NotInTime as error:
            raise AssertionError(self._told(_difference(self.real.state(), wanted))) from error

    def let_go(self) -> None:
        """Take all finalizers away, so that the namespace can be deleted."""
        for plural in KINDS:
            for item in self.real.ask(Request("GET", plural))[1]["items"]:
                name, body = item["metadata"]["name"], {"metadata": {"finalizers": None}}
                if item["metadata"].get("finalizers"):
                    self.real.ask(Request("PATCH", plural, name, body=body, how=MERGE_PATCH))

    def watch(self, watches: list[tuple[str, Mapping[str, str]]]) -> None:
        """Open watches on both sides, which have been at rest, and compare what they tell of the past."""
        filled = [(plural, dict(query)) for plural, query in watches]

        def told(place: int) -> list[Object]:
            plural, query = filled[place]
            return self.real.events(plural, {key: self.real._filled(value) for key, value in query.items()})

        with ThreadPoolExecutor(len(filled)) as pool:
            real = list(pool.map(told, range(len(filled))))
        for (plural, query), told_really in zip(filled, real, strict=True):
            other = self.memory.events(plural, {key: self.memory._filled(value) for key, value in query.items()})
            events = [event for event in told_really if not _is_root(event["object"])]
            plain, other_plain = self.real.plain(events), self.memory.plain(other)
            assert plain == other_plain, self._told(f"watch {plural} {query}:\n{_difference(plain, other_plain)}")

    def _told(self, problem: str) -> str:
        story = "\n".join(self.done[-12:])
        return f"{problem}\nafter\n{story}"


def _changed(base: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result: Object = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _changed(result.get(key, {}), value)
    return result


def _is_root(body: Object) -> bool:
    """Whether it is the ConfigMap that Kubernetes puts into every namespace."""
    return bool(body.get("metadata", {}).get("name") == ROOT)


def _drop_root(answer: Object) -> None:
    if "items" in answer:
        answer["items"] = [item for item in answer["items"] or () if not _is_root(item)]


def _difference(real: Any, memory: Any, path: str = "") -> str:
    """Where two documents differ, one line each."""
    if isinstance(real, dict) and isinstance(memory, dict):
        keys = sorted(real.keys() | memory.keys())
        lines = [_difference(real.get(key, "absent"), memory.get(key, "absent"), f"{path}.{key}") for key in keys]
        return "\n".join(filter(None, lines))
    if isinstance(real, list) and isinstance(memory, list) and len(real) == len(memory):
        pairs = enumerate(zip(real, memory, strict=True))
        return "\n".join(filter(None, (_difference(*pair, f"{path}[{place}]") for place, pair in pairs)))
    return "" if real == memory else f"{path}: {json.dumps(real)} and in memory {json.dumps(memory)}"
