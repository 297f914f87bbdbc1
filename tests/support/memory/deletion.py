"""Deletion: policies, preconditions, finalizers, and the grace of pods."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from alo_operator.api.model import format_time
from alo_operator.effects import clock
from tests.support.memory.documents import copied
from tests.support.memory.kinds import PODS
from tests.support.memory.metadata import FOREGROUND, ORPHAN
from tests.support.memory.refusals import conflict, invalid
from tests.support.memory.server import Server, now, read, shown
from tests.support.memory.store import Place

Body = dict[str, Any]

_POLICIES = (None, "Background", "Foreground", "Orphan")
_OPTIONS = {"kind", "apiVersion", "propagationPolicy", "preconditions", "gracePeriodSeconds"}


def delete(server: Server, place: Place, options: Mapping[str, Any] | None = None) -> Body:
    """DELETE an object with DeleteOptions; the object where it stays for now, else a Status. Raises ApiError."""
    options = {name: value for name, value in (options or {}).items() if value is not None}
    if set(options) - _OPTIONS:
        raise NotImplementedError(f"options of a deletion that are not modelled: {sorted(set(options) - _OPTIONS)}")
    policy = options.get("propagationPolicy")
    if policy not in _POLICIES:
        raise invalid("DeleteOptions", "", [f"propagationPolicy: Unsupported value: {policy}"])
    old = read(place.kind, server.store.have(place))
    _check(place, old["metadata"], options.get("preconditions") or {})
    new = copied(old)
    meta = new["metadata"]
    grace = _grace(place, old, options.get("gracePeriodSeconds"))
    if "deletionTimestamp" in meta and grace >= meta.get("deletionGracePeriodSeconds", 0) > 0:
        return shown(place.kind, old)
    _put_finalizers(meta, _collector_finalizers(meta.get("finalizers", []), policy, orphans=place.kind.orphans))
    if grace or "finalizers" in meta:
        _mark(meta, grace)
        return shown(place.kind, server.store.put(place, new))
    gone = server.store.remove(place)
    if place.kind is PODS:
        return shown(place.kind, gone)
    group = place.kind.api_version.partition("/")[0] if not place.kind.in_core else ""
    details = {"name": place.name, "group": group, "kind": place.kind.plural, "uid": old["metadata"]["uid"]}
    details = {name: value for name, value in details.items() if value}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _check(place: Place, meta: Body, preconditions: Mapping[str, str]) -> None:
    for field in ("uid", "resourceVersion"):
        wanted = preconditions.get(field)
        if wanted is not None and wanted != meta[field]:
            said = f"the {field} in the precondition ({wanted}) does not match that in record ({meta[field]})"
            raise conflict(place.kind.plural, place.name, said)


def _collector_finalizers(finalizers: list[str], policy: str | None, *, orphans: bool) -> list[str]:
    """The finalizers with the one that the policy asks for; without a policy what is there counts, then the kind's."""
    wanted = {"Background": None, "Foreground": FOREGROUND, "Orphan": ORPHAN}.get(policy or "", "")
    if wanted == "":
        kept = [one for one in finalizers if one in (ORPHAN, FOREGROUND)]
        wanted = kept[0] if kept else ORPHAN if orphans else None
    others = [one for one in finalizers if one not in (ORPHAN, FOREGROUND)]
    return [*others, wanted] if wanted else others


def _put_finalizers(meta: Body, finalizers: list[str]) -> None:
    if finalizers:
        meta["finalizers"] = finalizers
    else:
        meta.pop("finalizers", None)


def _mark(meta: Body, grace: int) -> None:
    if "deletionTimestamp" not in meta and "generation" in meta:
        meta["generation"] += 1
    due = format_time((clock.now() + timedelta(seconds=grace)).replace(microsecond=0)) if grace else now()
    if "deletionTimestamp" not in meta or datetime.fromisoformat(due) < datetime.fromisoformat(
        meta["deletionTimestamp"]
    ):
        meta["deletionTimestamp"] = due
    meta["deletionGracePeriodSeconds"] = grace


def _grace(place: Place, pod: Body, asked: Any) -> int:
    """Seconds that a pod has left: none where no kubelet runs it any more or yet, and none for other kinds."""
    status = pod.get("status", {})
    if place.kind is not PODS or not pod["spec"].get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    return int(pod["spec"].get("terminationGracePeriodSeconds", 30) if asked is None else asked)
