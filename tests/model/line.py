"""The way from one operator process to the API server, where requests can be held up, lost or answered too late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from alo_operator.api.names import LABEL_OPERATION_UID, OPERATION_KIND, OPERATION_PLURAL
from alo_operator.effects.cluster import JSON, METADATA_ONLY, REQUEST_TIMEOUT, Body, Cluster
from alo_operator.effects.credentials import Credentials
from alo_operator.errors import ApiUnreachable, BadRequest, ServerBusy
from tests.model.faults import Fault
from tests.model.receivers import SECRET, secret
from tests.model.world import World

LEASES: Final = "leases"


@dataclass(frozen=True)
class Request:
    """One request as it was sent; `about` is the uid of the operation that it serves, "" where it is of none."""

    method: str
    path: str
    about: str
    body: Any

    @property
    def writes(self) -> bool:
        """Whether it changes anything but the Lease."""
        return self.method != "GET" and LEASES not in self.path

    @property
    def of_a_pass(self) -> bool:
        """Whether it serves one operation, rather than the Lease or the resync."""
        return bool(self.about)


class Line(Cluster):
    """A connection; `crash` ends the process at its end, `sending` is told of each request before it goes out,
    `refused` of each answer 422.

    While `held`, requests wait in `waiting` until they are let through or time out.
    """

    def __init__(
        self,
        world: World,
        crash: Callable[[], None],
        sending: Callable[[Request], None],
        refused: Callable[[Request, str], None],
    ) -> None:
        super().__init__(lambda: Credentials(server="http://memory.test"))
        self._refused = refused
        self.world, self._crash, self._sending = world, crash, sending
        self.held = False
        self.dead = False
        self.waiting: list[asyncio.Future[None]] = []
        self.fates: dict[int, Fault] = {}  # by the number of the request of a pass, counted from 0
        self.struck: list[Fault] = []
        self.count = 0
        self.overtake: Callable[[], None] = lambda: None
        self._listening: dict[asyncio.Event, None] = {}
        self._cut = 0

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
        request = Request(method, path, self._about(path, params, body), body)
        fault = self.fate() if request.of_a_pass and accept != METADATA_ONLY else None
        self._sending(request)
        if fault is Fault.CRASH_BEFORE:
            await self.end()
        await self.go(timeout, hangs=fault is Fault.HANGS)
        if fault is Fault.UNREACHABLE:
            raise ApiUnreachable("no answer")
        if fault is Fault.THROTTLED:
            raise ServerBusy(429, "TooManyRequests", "later", retry_after=2.0)
        if fault is Fault.BROKEN:
            raise ServerBusy(500, "InternalError", "etcdserver: request timed out")
        if fault is Fault.TOUCHED:
            self.world.touch(request.about)
        if path.endswith(f"/secrets/{SECRET}"):
            return secret()
        self.world.admit(method, path, body)
        try:
            answer = await self.world.api.request(
                method, path, params=params, body=body, content_type=content_type, accept=accept, timeout=timeout
            )
        except BadRequest as error:
            self._refused(request, error.message)
            raise
        if fault is Fault.CRASH_AFTER:
            await self.end()
        if fault is Fault.LOST_ANSWER:
            raise ApiUnreachable("the answer was lost")
        if fault is Fault.OVERTAKEN:
            self.overtake()
        return answer

    def fate(self) -> Fault | None:
        """What the next request of a pass meets."""
        fault = self.fates.pop(self.count, None)
        self.count += 1
        if fault:
            self.struck.append(fault)
        return fault

    async def watch(
        self, path: str, params: Mapping[str, str], *, patience: float, opened: asyncio.Event
    ) -> AsyncIterator[Body]:
        """Events of one kind that have the label; begins with all that is there."""
        await self.go(REQUEST_TIMEOUT)
        plural, (_, _, wanted) = path.rpartition("/")[2], params["labelSelector"].partition("=")
        cut, news = self._cut, asyncio.Event()
        position = len(self.world.api.events)
        for body in self.world.every(plural):
            if body["metadata"]["labels"].get(LABEL_OPERATION_UID) == wanted:
                yield {"type": "ADDED", "object": body}
        opened.set()
        self._listening[news] = None
        try:
            async with asyncio.timeout(patience):
                while True:
                    events, position = self.world.api.events[position:], len(self.world.api.events)
                    for kind, what, body in events:
                        if what == plural and body["metadata"].get("labels", {}).get(LABEL_OPERATION_UID) == wanted:
                            yield {"type": kind, "object": body}
                    news.clear()
                    await news.wait()
                    if self._cut != cut:
                        raise ApiUnreachable("the watch was cut")
        except TimeoutError as error:
            raise ApiUnreachable("the watch timed out") from error
        finally:
            self._listening.pop(news, None)

    async def close(self) -> None:
        """Nothing is open."""

    def tell(self) -> None:
        """Let open watches see what has happened."""
        for news in self._listening:
            news.set()

    def cut(self) -> None:
        """All open watches end."""
        self._cut += 1
        self.tell()

    def let_through(self, which: int) -> None:
        """One of the requests held up goes on."""
        waiting = [future for future in self.waiting if not future.done()]
        if waiting:
            waiting[which % len(waiting)].set_result(None)

    def release(self) -> None:
        """Nothing is held up any more."""
        self.held = False
        for future in self.waiting:
            if not future.done():
                future.set_result(None)

    async def go(self, patience: float, *, hangs: bool = False) -> None:
        """On its way; returns once it has arrived. Raises ApiUnreachable where that takes longer than `patience`."""
        if self.dead:
            await self.end()
        if not self.held and not hangs:
            await asyncio.sleep(0)  # others may go first
            return
        waiting = asyncio.get_running_loop().create_future()
        if not hangs:
            self.waiting.append(waiting)
        try:
            await asyncio.wait_for(waiting, patience)
        except TimeoutError as error:
            raise ApiUnreachable(f"no answer within {patience:.0f} seconds") from error
        finally:
            if not hangs:
                self.waiting.remove(waiting)

    async def end(self) -> None:
        """The process ends here and now; what it was doing is never finished."""
        if self.dead:
            raise asyncio.CancelledError
        self.dead = True
        self._crash()
        await asyncio.get_running_loop().create_future()

    def _about(self, path: str, params: Mapping[str, str] | None, body: Any) -> str:
        if path.endswith("/pods"):
            return (params or {}).get("labelSelector", "").partition("=")[2]
        if path.endswith("/jobs") and body:
            return str(body["metadata"]["labels"][LABEL_OPERATION_UID])
        if path.endswith("/events") and body:
            involved = body["involvedObject"]
            return str(involved["uid"]) if involved["kind"] == OPERATION_KIND else ""
        kind, _, name = path.removesuffix("/status").rpartition("/")
        if kind.endswith(f"/{OPERATION_PLURAL}"):
            return self.world.uid_of(name)
        if kind.endswith("/jobs"):
            job = self.world.api.find("jobs", name)
            return str(job["metadata"]["labels"].get(LABEL_OPERATION_UID, "")) if job else f"owner of {name}"
        return ""
