"""What the API server's audit log says was asked of it, and by whom: the tests' measure of writes."""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.api import Api
from tests.support.waiting import wait_for

OPERATOR_USER = "system:serviceaccount:alo-system:alo-operator"
WRITE_VERBS = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True)
class Request:
    """One finished request. `code` is the HTTP status; `name` is empty for lists and unnamed creations, `group` for the
    core group.
    """

    user: str
    verb: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    agent: str
    time: str
    uri: str
    group: str = ""

    @property
    def is_write(self) -> bool:
        """Whether it may have changed what is stored; questions such as access and token reviews do not."""
        return self.verb in WRITE_VERBS and "dryRun=" not in self.uri and not self.resource.endswith("reviews")

    def __str__(self) -> str:
        resource = "/".join(part for part in (self.resource, self.subresource) if part)
        return f"{self.verb} {resource} {self.namespace}/{self.name} {self.code}"


def parse(line: str) -> Request | None:
    """Return the request of one line of the log, or None for a stage other than the final one."""
    event: dict[str, Any] = json.loads(line)
    if event.get("stage") not in {"ResponseComplete", "Panic"}:
        return None
    target = event.get("objectRef") or {}
    return Request(
        user=event.get("impersonatedUser", event.get("user", {})).get("username", ""),
        verb=event.get("verb", ""),
        resource=target.get("resource", ""),
        subresource=target.get("subresource", ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=(event.get("responseStatus") or {}).get("code", 0),
        agent=event.get("userAgent", ""),
        time=event.get("stageTimestamp", ""),
        uri=event.get("requestURI", ""),
        group=target.get("apiGroup", ""),
    )


class AuditLog:
    """The log of one cluster from a mark on; made, it is marked."""

    def __init__(self, path: Path, api: Api) -> None:
        self.path = path
        self.api = api
        self.offset = 0
        self.mark()

    def mark(self) -> None:
        """Forget everything asked so far."""
        self._catch_up()
        self.offset = self.path.stat().st_size

    def requests(
        self,
        *,
        user: str | None = None,
        verb: str | None = None,
        resource: str | None = None,
        namespace: str | None = None,
        name: str | None = None,
        where: Callable[[Request], bool] | None = None,
    ) -> list[Request]:
        """Return the requests finished since the mark, in the log's order, that match all that is given."""
        self._catch_up()
        wanted = {"user": user, "verb": verb, "resource": resource, "namespace": namespace, "name": name}
        asked = {key: value for key, value in wanted.items() if value is not None}
        return [
            request
            for request in map(parse, self._lines())
            if request
            and all(getattr(request, key) == value for key, value in asked.items())
            and (where is None or where(request))
        ]

    def writes(self, user: str = OPERATOR_USER, *, leases: bool = False, **filters: Any) -> list[Request]:
        """Return the writes of `user`, refused ones too; those to Leases only if asked for."""
        return [
            request
            for request in self.requests(user=user, **filters)
            if request.is_write and (leases or request.resource != "leases")
        ]

    def writes_per_operation(
        self,
        operations: Iterable[str],
        owners: Mapping[str, str] | None = None,
        *,
        user: str = OPERATOR_USER,
        namespace: str | None = None,
    ) -> dict[str, list[Request]]:
        """Return each operation's writes, and under "" those that belong to none of them.

        `owners` maps names of Jobs and other owned objects to operations (see `owners_of`); a name it lacks belongs
        to the operation with the longest name that it begins with.
        """
        names = sorted(operations, key=len, reverse=True)
        found: dict[str, list[Request]] = {name: [] for name in [*names, ""]}
        for write in self.writes(user, namespace=namespace):
            found[operation_of(write, names, owners or {})].append(write)
        return found

    def _lines(self) -> list[str]:
        with self.path.open("rb") as log:
            log.seek(self.offset)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]  # the last line may be half written
        return whole.decode().splitlines()

    def _catch_up(self) -> None:
        """Return when the log has everything up to now: when it shows a request made just here."""
        token = f"mark-{uuid.uuid4()}"
        start = self.path.stat().st_size
        self.api.get("namespaces", name=token)

        def seen() -> bool:
            with self.path.open("rb") as log:
                log.seek(start)
                return token.encode() in log.read()

        wait_for(seen, timeout=15, describe=f"{self.path} shows a request just made", interval=0.02)


def operation_of(write: Request, names: list[str], owners: Mapping[str, str]) -> str:
    """Return the operation (of `names`, longest first) that a write belongs to, or ""."""
    if write.resource == "asyncoperations":
        return write.name if write.name in names else ""
    if write.name in owners:
        return owners[write.name] if owners[write.name] in names else ""
    return next((name for name in names if write.name == name or write.name.startswith((f"{name}-", f"{name}."))), "")


def owners_of(objects: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return name -> owning AsyncOperation for those of `objects` that have one."""
    found = {}
    for item in objects:
        for owner in item["metadata"].get("ownerReferences", []):
            if owner["kind"] == "AsyncOperation":
                found[item["metadata"]["name"]] = owner["name"]
    return found
