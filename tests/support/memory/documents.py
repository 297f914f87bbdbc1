"""JSON documents: copies, equality, and the two kinds of patch that are understood."""

from __future__ import annotations

import json
from typing import Any, TypeVar, cast

from tests.support.memory.refusals import bad_request, refusal

Body = dict[str, Any]
T = TypeVar("T")


def copied(value: T) -> T:
    """A deep copy of JSON."""
    return cast("T", _copied(value))


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def same(one: Any, other: Any) -> bool:
    """Whether both are the same JSON; unlike in Python, true is not 1."""
    return one is other or (one == other and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396: `target` with `patch` merged in; null removes."""
    if not isinstance(patch, dict):
        return copied(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def merge_patched(target: Body, patch: Any) -> Body:
    """`target` after a merge patch. Raises BadRequest for a patch that is no object."""
    if not isinstance(patch, dict):
        raise bad_request("error decoding patch: cannot unmarshal it into an object")
    return dict(merged(copied(target), patch))


def json_patched(target: Body, patch: Any) -> Body:
    """RFC 6902 as the API server understands it, where what is not there can be replaced too.

    Raises BadRequest (400 for what is no list of operations, 422 for one that cannot be done). The operations move and
    copy are not modelled.
    """
    if not isinstance(patch, list) or not all(isinstance(operation, dict) for operation in patch):
        raise bad_request("error decoding patch: cannot unmarshal it into a list of operations")
    document: Any = copied(target)
    for operation in patch:
        kind, path = operation.get("op"), operation.get("path")
        if kind in ("move", "copy"):
            raise NotImplementedError(f"the JSON patch operation {kind} is not modelled")
        if kind not in ("add", "replace", "remove", "test") or not isinstance(path, str) or not path.startswith("/"):
            raise _impossible()
        *way, last = (part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/"))
        try:
            parent: Any = document
            for part in way:
                parent = parent[int(part)] if isinstance(parent, list) else parent[part]
            _operate(kind, parent, last, operation)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise _impossible() from error
    return dict(document)


def _operate(kind: str, parent: Any, last: str, operation: Body) -> None:
    if kind == "test":
        found = parent[int(last)] if isinstance(parent, list) else parent[last]
        if not same(found, operation.get("value")):
            raise _impossible()
    elif isinstance(parent, list):
        _operate_on_list(kind, parent, last, operation)
    elif not isinstance(parent, dict):
        raise TypeError(f"neither object nor list: {parent!r}")
    elif kind == "remove":
        del parent[last]
    else:
        parent[last] = copied(operation.get("value"))


def _operate_on_list(kind: str, parent: list[Any], last: str, operation: Body) -> None:
    place = len(parent) if last == "-" and kind == "add" else int(last)
    if place < 0 or place > len(parent) - (kind != "add"):
        raise IndexError(last)
    if kind == "remove":
        del parent[place]
    elif kind == "add":
        parent.insert(place, copied(operation.get("value")))
    else:
        parent[place] = copied(operation.get("value"))


def _impossible() -> Exception:
    return refusal(422, "Invalid", "the server rejected our request due to an error in our request")
