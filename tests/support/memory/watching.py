"""Watches: what is told of a list from a version on, in order, until the stream is cut."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from alo_operator.errors import ApiError
from tests.support.memory.refusals import as_status, bad_request
from tests.support.memory.selection import selected
from tests.support.memory.server import Server, shown
from tests.support.memory.store import Change, Place

Body = dict[str, Any]

_KNOWN = {"watch", "resourceVersion", "timeoutSeconds", "labelSelector", "fieldSelector", "allowWatchBookmarks"}


class Stream:
    """One open watch. `read` gives the next event, or None where there is none yet; `over` once none will come."""

    def __init__(self, server: Server, place: Place, params: Mapping[str, str]) -> None:
        if set(params) - _KNOWN:
            raise NotImplementedError(f"parameters of a watch that are not modelled: {sorted(set(params) - _KNOWN)}")
        self._server, self._place = server, place
        self._wanted = selected(place.kind, params)
        self._waiting: deque[Body] = deque()
        self._bell: asyncio.Future[None] | None = None
        self.over = False
        self.lost: Callable[[Body], bool] = lambda _: False  # a fault: events that never arrive
        version = params.get("resourceVersion", "")
        if version and not version.isdecimal():
            raise bad_request(f"invalid resource version: {version!r}")
        server.store.told.append(self._take)
        if not int(version or 0):
            for body in server.store.all(place.kind, place.namespace):
                self._add("ADDED", shown(place.kind, body))
            return
        try:
            for change in server.store.since(int(version)):
                self._take(change)
        except ApiError as error:
            self._put({"type": "ERROR", "object": as_status(error)})
            self.cut()

    def read(self) -> Body | None:
        return self._waiting.popleft() if self._waiting else None

    async def wait(self) -> None:
        """Return once there is something to read, or the stream is over."""
        if not self._waiting and not self.over:
            self._bell = asyncio.get_running_loop().create_future()
            try:
                await self._bell
            finally:
                self._bell = None

    def cut(self) -> None:
        """End it, as when a connection breaks: what was told already can still be read."""
        if not self.over:
            self.over = True
            self._server.store.told.remove(self._take)
            self._ring()

    def _take(self, change: Change) -> None:
        place = self._place
        if change.place.kind is not place.kind or place.namespace not in ("", change.place.namespace):
            return
        body = shown(place.kind, change.body)
        before = shown(place.kind, change.before) if change.before else None
        was, is_now = before is not None and self._wanted(before), change.type != "DELETED" and self._wanted(body)
        if was and before is not None and not is_now:
            # What leaves the selection is told of as it was while it belonged to it.
            before["metadata"]["resourceVersion"] = body["metadata"]["resourceVersion"]
            self._put({"type": "DELETED", "object": before})
        elif is_now:
            self._put({"type": "MODIFIED" if was else "ADDED", "object": body})

    def _add(self, kind: str, body: Body) -> None:
        if self._wanted(body):
            self._put({"type": kind, "object": body})

    def _put(self, event: Body) -> None:
        if not self.lost(event):
            self._waiting.append(event)
            self._ring()

    def _ring(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)
