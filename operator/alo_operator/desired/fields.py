"""Reading raw JSON objects of the API server without trusting their shape.

Everything below `spec.job`, and every pod, was written by somebody else: a wrong type reads as absent, not as an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

Json = Mapping[str, Any]

_OBJECTS: Final = (dict, Mapping)  # dict first: the question whether one is a Mapping takes ten times as long

# Far beyond any sensible object, and far from where recursion ends.
MAX_DEPTH: Final = 128
# Go's zero time is in year 1; a time near the end of the calendar would overflow with any duration.
_YEARS: Final = (1970, 9000)


def section(body: object, *path: str) -> Json:
    """The object at `path`, or an empty one."""
    for key in path:
        body = body.get(key) if isinstance(body, _OBJECTS) else None
    return body if isinstance(body, _OBJECTS) else {}


def entries(body: object, *path: str) -> Iterator[Json]:
    """The objects in the list at `path`; other members are passed over."""
    found = section(body, *path[:-1]).get(path[-1])
    if isinstance(found, list | tuple):
        yield from (item for item in found if isinstance(item, _OBJECTS))


def text(body: object, *path: str) -> str:
    """The string at `path`, or an empty one."""
    found = section(body, *path[:-1]).get(path[-1])
    return found if isinstance(found, str) else ""


def number(body: object, *path: str) -> int:
    """The whole number at `path`, or 0."""
    found = section(body, *path[:-1]).get(path[-1])
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def moment(body: object, *path: str) -> datetime | None:
    """The RFC 3339 time at `path` in UTC, or None; one with which no sum could be made counts as absent."""
    found = text(body, *path)
    try:
        read = datetime.fromisoformat(found).astimezone(UTC) if found else None
    except (ValueError, OverflowError):
        return None
    return read if read and _YEARS[0] <= read.year < _YEARS[1] else None


def compact(value: object) -> str:
    """`value` as JSON without spaces. Raises RecursionError for what is nested beyond reason."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def compact_size(value: object) -> int:
    """The bytes of the same."""
    return utf8_size(compact(value))


def utf8_size(value: str) -> int:
    """The bytes of `value` in UTF-8; halves of surrogate pairs, which JSON may bring along, count three."""
    return len(value.encode("utf-8", "surrogatepass"))


def too_deep(value: object, limit: int = MAX_DEPTH) -> bool:
    """Whether objects and lists in `value` are nested more than `limit` levels deep."""
    level = [value]
    for _ in range(limit + 1):
        level = [
            item
            for found in level
            if isinstance(found, dict | list)
            for item in (found.values() if isinstance(found, dict) else found)
        ]
        if not level:
            return False
    return True
