"""The verbs on single objects: get, create, replace, patch."""

from __future__ import annotations

import itertools
from typing import Any, Final

from alo_operator.api.model import format_time
from alo_operator.effects import clock
from alo_operator.effects.cluster import JSON_PATCH, MERGE_PATCH
from alo_operator.errors import BadRequest
from tests.support.memory import batch, custom, metadata
from tests.support.memory.documents import copied, json_patched, merge_patched, same
from tests.support.memory.kinds import JOBS, Kind
from tests.support.memory.refusals import bad_request, conflict, invalid, not_found, refusal, unintelligible
from tests.support.memory.store import Place, Store

Body = dict[str, Any]

APPLY: Final = "application/apply-patch+yaml"
STRATEGIC: Final = "application/strategic-merge-patch+json"


class Server:
    """Objects in namespaces that all exist; in those in `terminating` nothing new can be made."""

    def __init__(self) -> None:
        self.store = Store()
        self.terminating: set[str] = set()
        self._numbers = itertools.count(1)

    def get(self, place: Place) -> Body:
        """The object as it is read. Raises NotFound."""
        return shown(place.kind, self.store.have(place))

    def create(self, place: Place, body: Any, *, strict: bool = False) -> Body:
        """Make an object; `place.name` is not looked at."""
        kind = place.kind
        new = _decoded(kind, body, strict=strict)
        meta = new["metadata"]
        if meta.setdefault("namespace", place.namespace) != place.namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        _check_kind(place, body)
        if "generateName" in meta and not meta.get("name"):
            raise NotImplementedError("generateName is not modelled")
        if place.namespace in self.terminating:
            said = f"{kind.plural} {meta.get('name')!r} is forbidden: namespace {place.namespace} is being terminated"
            raise refusal(403, "Forbidden", said, "NamespaceTerminating")
        version = self._born(kind, new).pop("resourceVersion", None)
        if kind.status:
            new.pop("status", None)
        if kind is JOBS:
            batch.prepare(new)
        problems = [*metadata.problems(kind, meta), *_problems(kind, new, None)]
        if problems:
            raise invalid(kind.plural, meta.get("name", ""), problems)
        if version and version.isdecimal() and int(version):
            raise unintelligible("resourceVersion should not be set on objects to be created")
        return self._stored(Place(kind, place.namespace, meta["name"]), new)

    def put(self, place: Place, body: Body) -> Body:
        """Make an object as it is given, complete or not: there is no judging what it says. Raises AlreadyExists."""
        new = {name: value for name, value in copied(body).items() if name not in ("apiVersion", "kind")}
        meta = new["metadata"]
        meta["namespace"] = place.namespace
        self._born(place.kind, new)
        return self._stored(Place(place.kind, place.namespace, meta["name"]), new)

    def _born(self, kind: Kind, new: Body) -> Body:
        """Give a new object the metadata that only the API server can give."""
        meta: Body = new["metadata"]
        for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
            meta.pop(name, None)
        meta |= {"uid": f"uid-{next(self._numbers)}-{kind.plural}", "creationTimestamp": now()}
        if kind.generation:
            meta["generation"] = 1
        return meta

    def _stored(self, place: Place, new: Body) -> Body:
        if self.store.find(place):
            raise refusal(409, "AlreadyExists", f"{place.kind.plural} {place.name!r} already exists")
        return shown(place.kind, self.store.put(place, new))

    def replace(self, place: Place, body: Any, *, sub: str = "", strict: bool = False) -> Body:
        """PUT an object, or its status."""
        kind = place.kind
        new = _decoded(kind, body, strict=strict)
        _check_address(place, new["metadata"])
        _check_kind(place, body)
        old = self.store.find(place)
        if old is None:
            if not kind.made_by_update or sub:
                raise not_found(kind.plural, place.name)
            if new["metadata"].get("uid"):
                raise conflict(kind.plural, place.name, "Precondition failed: UID in object meta: ")
            new["metadata"].pop("resourceVersion", None)
            return self.create(place, new)
        uid = new["metadata"].get("uid")
        if uid and uid != old["metadata"]["uid"]:
            said = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['metadata']['uid']}"
            raise conflict(kind.plural, place.name, said)
        return self._update(place, new, sub)

    def patch(self, place: Place, patch: Any, how: str, *, sub: str = "", strict: bool = False) -> Body:
        """PATCH an object, or its status; `how` is the media type."""
        kind = place.kind
        if how == APPLY or (how == STRATEGIC and not kind.custom):
            raise NotImplementedError(f"patches of type {how} are not modelled")
        if how not in (JSON_PATCH, MERGE_PATCH):
            raise refusal(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {how}")
        old = shown(kind, self.store.have(place))
        patched = json_patched(old, patch) if how == JSON_PATCH else merge_patched(old, patch)
        if not isinstance(patched.get("metadata"), dict) or not patched["metadata"].get("name"):
            raise bad_request(f"the name of the object ({place.name} based on URL) was undeterminable")
        try:
            new = _decoded(kind, patched, strict=strict)
        except BadRequest as error:
            # What a patch makes of an object is judged as the patch's fault.
            raise invalid(kind.plural, place.name, [f"patch: Invalid value: {error.message}"]) from error
        _check_address(place, new["metadata"])
        _check_kind(place, patched)
        return self._update(place, new, sub)

    def change(self, place: Place, new: Body) -> Body:
        """Write object and status at once, at whatever version: what a controller of the cluster has done to it."""
        old = read(place.kind, self.store.have(place))
        new["metadata"] = metadata.check_types(new["metadata"])
        return self._commit(place, new, old, by_controller=True)

    def _update(self, place: Place, new: Body, sub: str) -> Body:
        kind, old = place.kind, read(place.kind, self.store.have(place))
        version = new["metadata"].get("resourceVersion", "")
        if version and not version.isdecimal():
            raise unintelligible(f"strconv.ParseUint: parsing {version!r}: invalid syntax")
        if not int(version or 0):
            if not kind.unconditional:
                said = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
                raise invalid(kind.plural, place.name, [said])
        elif version != old["metadata"]["resourceVersion"]:
            raise conflict(kind.plural, place.name, "the object has been modified; please apply your changes to it")
        if sub:
            if not kind.custom:
                raise NotImplementedError(f"the status of {kind.plural} is written by controllers: use `change`")
            status = {"status": new["status"]} if "status" in new else {}
            new = {name: value for name, value in copied(old).items() if name != "status"} | status
        elif kind.status:
            new.pop("status", None)
            if "status" in old:
                new["status"] = copied(old["status"])
        return self._commit(place, new, old)

    def _commit(self, place: Place, new: Body, old: Body, *, by_controller: bool = False) -> Body:
        kind = place.kind
        meta = new["metadata"] = metadata.carried_over(new["metadata"], old["metadata"])
        # Custom resources count every change outside metadata and status, which after pruning is their spec.
        if kind.generation and not same(_work(kind, new), _work(kind, old)):
            meta["generation"] += 1
        problems = [] if by_controller else list(metadata.problems(kind, meta))
        problems += metadata.update_problems(meta, old["metadata"], by_controller=by_controller)
        if by_controller and kind.custom:
            problems += custom.broken_rules(kind, new, shown(kind, old))
        elif not by_controller:
            problems += _problems(kind, new, shown(kind, old))
        if problems:
            raise invalid(kind.plural, place.name, problems)
        if meta.get("deletionTimestamp") and not meta.get("finalizers") and not meta.get("deletionGracePeriodSeconds"):
            self.store.remove(place)
            # The answer to what let it go is the object as it would have been.
            new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
            return shown(kind, new)
        return shown(kind, self.store.put(place, new))


def shown(kind: Kind, stored: Body) -> Body:
    """A copy of a stored object as it is read, with its kind."""
    return {"apiVersion": kind.api_version, "kind": kind.kind, **copied(read(kind, stored))}


def read(kind: Kind, stored: Body) -> Body:
    """What is stored with the defaults of a CRD, which are filled in each time it is read."""
    return custom.shown(kind, stored) if kind.custom else stored


def now() -> str:
    """The time in whole seconds, as metadata has it."""
    return format_time(clock.now().replace(microsecond=0))


def _decoded(kind: Kind, body: Any, *, strict: bool) -> Body:
    if not isinstance(body, dict):
        raise bad_request("the object provided is unrecognized: it is no object")
    given = (body.get("apiVersion"), body.get("kind"))
    # Another kind is refused by `_check_kind`, later than other things are.
    other = kind.custom and given[0] == kind.api_version and given[1] not in (None, "", kind.kind)
    if given != (kind.api_version, kind.kind) and (kind.custom or any(given)) and not other:
        raise bad_request(f"{given[1]} in version {given[0]} cannot be handled as a {kind.kind}")
    body = {**copied(body), "metadata": metadata.check_types(body.get("metadata") or {})}
    for name in ("apiVersion", "kind"):
        body.pop(name, None)
    if kind.custom:
        body = custom.decoded(
            kind, {**body, "apiVersion": kind.api_version, "kind": kind.kind}, strict=strict and not other
        )
        return {name: value for name, value in body.items() if name not in ("apiVersion", "kind")}
    unknown = sorted(set(body) - {"metadata", *kind.fields}) if kind.fields else []
    if unknown and strict:
        raise bad_request(f"strict decoding error: unknown field {', '.join(unknown)}")
    body = {name: value for name, value in body.items() if name not in unknown and value is not None}
    if kind is JOBS:
        return batch.decoded(body, strict=strict)
    if kind.plural == "configmaps":
        return _config_map(body)
    return dict(body)


def _check_kind(place: Place, body: Any) -> None:
    if place.kind.custom and body.get("kind") != place.kind.kind:
        raise invalid(place.kind.plural, place.name, [f"kind: Invalid value: must be {place.kind.kind}"])


def _config_map(body: Body) -> Body:
    for name in ("data", "binaryData"):
        found = body.get(name, {})
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise bad_request(f"cannot unmarshal {name} into a map of strings")
        if not found:
            body.pop(name, None)
    if not isinstance(body.get("immutable", False), bool):
        raise bad_request("cannot unmarshal immutable into a boolean")
    return body


def _check_address(place: Place, meta: Body) -> None:
    for name, wanted in (("name", place.name), ("namespace", place.namespace)):
        if meta.setdefault(name, wanted) != wanted:
            raise bad_request(f"the {name} of the object ({meta[name]}) does not match the one on the URL ({wanted})")


def _work(kind: Kind, body: Body) -> Any:
    return body.get("spec") if kind.status else {name: body.get(name) for name in kind.fields}


def _problems(kind: Kind, new: Body, old: Body | None) -> list[str]:
    if kind.custom:
        return list(custom.problems(kind, {**new, "apiVersion": kind.api_version, "kind": kind.kind}, old))
    if kind is JOBS:
        return list(batch.problems(new, old))
    if kind.plural == "configmaps" and old is not None and old.get("immutable"):
        fixed = ("data", "binaryData", "immutable")
        return [f"{name}: Forbidden: field is immutable" for name in fixed if not same(new.get(name), old.get(name))]
    return []
