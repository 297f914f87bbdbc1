"""Where answers go: what effects tell the cache, so that the next decision rests on what was just written or read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from alo_operator.desired.job_view import JobView
from alo_operator.desired.observed import Notes, OperationView


class Records(Protocol):
    """The part of the cache that effects use; `uid` is an operation's. A view never gives way to an older one."""

    def operation(self, uid: str) -> OperationView | None:
        """The operation as last seen; None once it is gone."""

    def operation_seen(self, body: Mapping[str, Any]) -> bool:
        """Take in an operation; whether that told anything new."""

    def operation_revived(self, body: Mapping[str, Any]) -> None:
        """Take in an operation that was at rest and has something due, whole."""

    def operation_gone(self, uid: str) -> None:
        """The operation does not exist any more."""

    def job_seen(self, view: JobView) -> bool:
        """Take in a Job; whether that told anything new."""

    def job_gone(self, uid: str) -> None:
        """The API server has no Job for this operation (any more)."""

    def template_seen(self, body: Mapping[str, Any]) -> bool:
        """Take in a template; whether that told anything new."""

    def take_turn(self, uid: str) -> bool:
        """Whether the operation may have work now, as far as its template's limit goes; True: it holds its place."""

    def notes(self, uid: str) -> Notes:
        """What this process remembers of the operation."""

    def note(self, uid: str, notes: Notes) -> None:
        """Remember it."""
