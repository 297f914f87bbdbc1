"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.support.memory.kinds import Kind
from tests.support.memory.metadata import LABEL_VALUE, is_qualified_name
from tests.support.memory.refusals import bad_request

Body = dict[str, Any]
Test = Callable[[Body], bool]

_TERMS: Final = re.compile(r",(?![^(]*\))")
_SET: Final = re.compile(r"(?P<key>[^\s!=<>()]+)\s+(?P<how>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUAL: Final = re.compile(r"(?P<key>[^\s!=<>()]+)\s*(?P<how>==|=|!=)\s*(?P<value>[^\s!=<>()]*)")
_EXISTS: Final = re.compile(r"(?P<not>!?)\s*(?P<key>[^\s!=<>()]+)")


def selected(kind: Kind, params: Mapping[str, str]) -> Test:
    """What an object must fulfil to be listed or watched. Raises BadRequest for selectors that are none."""
    tests = [_label_test(term.strip()) for term in _split(params.get("labelSelector", ""))]
    tests += [_field_test(kind, term) for term in _split(params.get("fieldSelector", ""))]
    return lambda body: all(test(body) for test in tests)


def _split(selector: str) -> list[str]:
    return [term for term in _TERMS.split(selector) if term]


def _label_test(term: str) -> Test:
    if match := _SET.fullmatch(term):
        values = {value.strip() for value in match["values"].split(",")}
        return _one_of(match["key"], values, wanted=match["how"] == "in")
    if match := _EQUAL.fullmatch(term):
        return _one_of(match["key"], {match["value"]}, wanted=match["how"] != "!=")
    if match := _EXISTS.fullmatch(term):
        key, wanted = _key(match["key"]), not match["not"]
        return lambda body: (key in _labels(body)) is wanted
    if re.search(r"[<>]", term):
        raise NotImplementedError(f"label selectors with < and > are not modelled: {term}")
    raise bad_request(f"unable to parse requirement: {term!r}")


def _one_of(key: str, values: set[str], *, wanted: bool) -> Test:
    _key(key)
    if not all(LABEL_VALUE.fullmatch(value) and len(value) <= 63 for value in values):
        raise bad_request(f"unable to parse requirement: {values} cannot be values of a label")
    # What has no such label is not equal to anything either.
    return lambda body: (_labels(body).get(key) in values) is wanted


def _key(key: str) -> str:
    if not is_qualified_name(key):
        raise bad_request(f"unable to parse requirement: {key!r} cannot be a label")
    return key


def _labels(body: Body) -> Mapping[str, str]:
    return body["metadata"].get("labels") or {}


def _field_test(kind: Kind, term: str) -> Test:
    name, how, value = re.split(r"(==|!=|=)", term, maxsplit=1) if "=" in term else (term, "", "")
    if not how:
        raise bad_request(f"invalid field selector: {term!r}")
    if name not in ("metadata.name", "metadata.namespace", *kind.selectable):
        raise bad_request(f"field label not supported: {name}")
    way = name.split(".")
    return lambda body: (_at(body, way) == value) is (how != "!=")


def _at(body: Any, way: list[str]) -> str:
    for part in way:
        body = body.get(part) if isinstance(body, dict) else None
    return "" if body is None else str(body)
