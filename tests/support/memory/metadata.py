"""What is true of the metadata of every object."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from tests.support.memory.kinds import Kind
from tests.support.memory.refusals import bad_request

Body = dict[str, Any]

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"

LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_NAME_PART: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_STANDARD: Final = ("kubernetes", FOREGROUND, ORPHAN)
_OWNER: Final = ("apiVersion", "kind", "name", "uid")


def is_qualified_name(text: str) -> bool:
    """Whether it may be the key of a label: `name` or `prefix.of.dns/name`."""
    prefix, slash, name = text.rpartition("/")
    good = bool(_NAME_PART.fullmatch(name)) and len(name) <= 63
    return good and (not slash or (bool(_SUBDOMAIN.fullmatch(prefix)) and len(prefix) <= 253))


def check_types(given: Any) -> Body:
    """The metadata `given`, without nulls and empty collections. Raises BadRequest where a field is of another type."""
    if not isinstance(given, dict):
        raise bad_request("metadata is no object")
    meta: Body = {
        name: value for name, value in given.items() if value not in (None, {}, []) and name != "managedFields"
    }
    for name in ("labels", "annotations"):
        found = meta.get(name, {})
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise bad_request(f"metadata.{name} is no map of strings")
    finalizers = meta.get("finalizers", [])
    if not isinstance(finalizers, list) or not all(isinstance(one, str) for one in finalizers):
        raise bad_request("metadata.finalizers is no list of strings")
    owners = meta.get("ownerReferences", [])
    if not isinstance(owners, list) or not all(isinstance(one, dict) for one in owners):
        raise bad_request("metadata.ownerReferences is no list of objects")
    for name in ("name", "namespace", "uid", "resourceVersion"):
        if not isinstance(meta.get(name, ""), str):
            raise bad_request(f"metadata.{name} is no string")
    return meta


def problems(kind: Kind, meta: Body) -> Iterator[str]:
    """What is wrong with the metadata of a new object."""
    name = meta.get("name", "")
    if not name:
        yield "metadata.name: Required value: name or generateName is required"
    elif not _SUBDOMAIN.fullmatch(name) or len(name) > 253:
        yield f"metadata.name: Invalid value: {name!r}"
    for key, value in meta.get("labels", {}).items():
        if not is_qualified_name(key) or not LABEL_VALUE.fullmatch(value) or len(value) > 63:
            yield f"metadata.labels: Invalid value: {key}={value}"
    for key in meta.get("annotations", {}):
        if not is_qualified_name(key.lower()):
            yield f"metadata.annotations: Invalid value: {key}"
    yield from _finalizer_problems(kind, meta.get("finalizers", []))
    owners = meta.get("ownerReferences", [])
    for owner in owners:
        if not all(owner.get(field) for field in _OWNER):
            yield "metadata.ownerReferences: Invalid value: apiVersion, kind, name and uid must not be empty"
    if sum(owner.get("controller") is True for owner in owners) > 1:
        yield "metadata.ownerReferences: Invalid value: only one reference can have controller set to true"


def _finalizer_problems(kind: Kind, finalizers: list[str]) -> Iterator[str]:
    for one in finalizers:
        if not is_qualified_name(one) or ("/" not in one and one not in _STANDARD and not kind.custom):
            yield f"metadata.finalizers: Invalid value: {one}"
    if FOREGROUND in finalizers and ORPHAN in finalizers:
        yield "metadata.finalizers: Invalid value: orphan and foregroundDeletion cannot be both set"


def carried_over(new: Body, old: Body) -> Body:
    """The metadata of a changed object, with what a client may leave out or cannot set taken from the old one."""
    kept: Body = {name: old[name] for name in ("name", "namespace", "uid", "creationTimestamp") if name in old}
    meta: Body = {**kept, **new}
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        if name in old:
            meta.setdefault(name, old[name])
    meta.pop("generation", None)
    if "generation" in old:
        meta["generation"] = old["generation"]
    return meta


def update_problems(new: Body, old: Body, *, by_controller: bool) -> Iterator[str]:
    """What is wrong with a change of the metadata, beside what would be wrong in a new object."""
    fixed = ("deletionTimestamp", "deletionGracePeriodSeconds") if not by_controller else ()
    for name in ("uid", "creationTimestamp", *fixed):
        if new.get(name) != old.get(name):
            yield f"metadata.{name}: Invalid value: field is immutable"
    added = set(new.get("finalizers", ())) - set(old.get("finalizers", ()))
    if old.get("deletionTimestamp") and added:
        yield f"metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted: {added}"
