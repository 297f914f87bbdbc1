"""Lists, in pages and of metadata alone."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Final

from alo_operator.effects.cluster import JSON, METADATA_ONLY
from tests.support.memory.kinds import Kind
from tests.support.memory.refusals import bad_request, expired
from tests.support.memory.selection import selected
from tests.support.memory.server import Server, shown
from tests.support.memory.store import Place

Body = dict[str, Any]

_META: Final = {"apiVersion": "meta.k8s.io/v1"}


class Listing:
    """Answers lists. A page's token stands for what was there when the first page was read, until a compaction."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._numbers = itertools.count(1)
        self._rests: dict[str, tuple[Kind, int, list[Body]]] = {}

    def read(self, place: Place, params: Mapping[str, str], accept: str = JSON) -> Body:
        """The list, or a page of it. Raises BadRequest, and Gone for a token older than the last compaction."""
        if accept not in (JSON, METADATA_ONLY):
            raise NotImplementedError(f"answers of the type {accept} are not modelled")
        if params.get("resourceVersion", "0") not in ("", "0"):
            raise NotImplementedError("lists at a version are not modelled")
        wanted, limit = selected(place.kind, params), _limit(params.get("limit", ""))
        version, rest = self._start(place, params.get("continue", ""))
        found = [body for body in (shown(place.kind, body) for body in rest) if wanted(body)]
        page = found[:limit] if limit else found
        meta: Body = {"resourceVersion": str(version)}
        if len(page) < len(found):
            last = _key(page[-1])
            token = f"token-{next(self._numbers)}"
            self._rests[token] = (place.kind, version, [body for body in rest if _key(body) > last])
            meta["continue"] = token
            if not params.get("labelSelector") and not params.get("fieldSelector"):
                meta["remainingItemCount"] = len(found) - len(page)
        if accept == METADATA_ONLY:
            items = [_metadata_only(body) for body in page]
            return {
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": meta,
                "items": items,
            }
        if not place.kind.custom:
            # Built-in kinds do not say in each item what the list has said already.
            page = [{n: v for n, v in body.items() if n not in ("kind", "apiVersion")} for body in page]
        return {
            "kind": f"{place.kind.kind}List",
            "apiVersion": place.kind.api_version,
            "metadata": meta,
            "items": page,
        }

    def forget(self) -> None:
        """What a compaction does to the tokens that were given out."""
        self._rests = {token: (kind, -1, []) for token, (kind, _, _) in self._rests.items()}

    def _start(self, place: Place, token: str) -> tuple[int, list[Body]]:
        if not token:
            store = self._server.store
            return store.version, store.all(place.kind, place.namespace)
        if token not in self._rests:
            raise bad_request("invalid continue token: continue key is not valid")
        kind, version, rest = self._rests[token]
        if version < 0:
            raise expired("The provided continue parameter is too old to display a consistent list result")
        if kind is not place.kind:
            raise NotImplementedError("a token of another kind is not modelled")
        return version, rest


def _limit(text: str) -> int:
    try:
        return max(int(text or 0), 0)
    except ValueError:
        raise bad_request(f"strconv.ParseInt: parsing {text!r}: invalid syntax") from None


def _key(body: Body) -> str:
    return f"{body['metadata'].get('namespace', '')}/{body['metadata']['name']}"


def _metadata_only(body: Body) -> Body:
    return {**_META, "kind": "PartialObjectMetadata", "metadata": body["metadata"]}
