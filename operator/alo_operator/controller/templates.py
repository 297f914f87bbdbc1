"""What this replica knows of templates."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from alo_operator.controller.turns import Turns
from alo_operator.desired.fields import text
from alo_operator.desired.observed import OperationView
from alo_operator.desired.template_view import Key, TemplateView

_REMEMBERED_DELETIONS: Final = 1000


class Templates:
    """Templates by namespace and name, fed by events and reads; a view gives way only to a later one.

    A template that is new, changed or gone wakes the operations of it that have no Job yet, and no others.
    """

    def __init__(self, turns: Turns, wake: Callable[[str, bool], None] = lambda *_: None) -> None:
        self._turns, self._wake = turns, wake
        self._known: dict[Key, TemplateView] = {}
        self._deleted: OrderedDict[str, None] = OrderedDict()  # uids, so that a late read brings none of them back

    def of(self, operation: OperationView) -> TemplateView | None:
        """The template of an operation, as far as it is known."""
        if operation.spec is None or operation.spec.template_ref is None:
            return None
        return self._known.get((operation.namespace, operation.spec.template_ref.name))

    def seen(self, body: Mapping[str, Any]) -> bool:
        """Take in a template; False for what is already known."""
        key = _key(body)
        old = self._known.get(key)
        if text(body, "metadata", "uid") in self._deleted:
            return False
        if old is not None and old.resource_version >= _version(body):
            return False
        self._known[key] = found = TemplateView.from_body(body)
        self._changed(key, found.limit)
        return True

    def gone(self, key: Key, uid: str = "") -> bool:
        """A template does not exist any more; `uid`: of the one that went, as another may have its name already."""
        old = self._known.get(key)
        if old is None or (uid and old.uid != uid):
            return False
        del self._known[key]
        self._deleted[old.uid] = None
        while len(self._deleted) > _REMEMBERED_DELETIONS:
            self._deleted.popitem(last=False)
        self._changed(key, None)
        return True

    def deleted(self, body: Mapping[str, Any]) -> bool:
        """A template was watched going."""
        return self.gone(_key(body), text(body, "metadata", "uid"))

    def versions(self) -> dict[Key, tuple[str, int]]:
        """Uid and resourceVersion known of each template."""
        return {key: (found.uid, found.resource_version) for key, found in self._known.items()}

    def version(self, key: Key) -> int:
        """The resourceVersion known of one template; -1 where none is."""
        found = self._known.get(key)
        return found.resource_version if found else -1

    def _changed(self, key: Key, limit: int | None) -> None:
        self._turns.limit(key, limit)
        for uid in self._turns.without_work(key):
            self._wake(uid, False)


def _key(body: Mapping[str, Any]) -> Key:
    return text(body, "metadata", "namespace"), text(body, "metadata", "name")


def _version(body: Mapping[str, Any]) -> int:
    return int(text(body, "metadata", "resourceVersion") or 0)
