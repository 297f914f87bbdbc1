"""Random requests, good and bad ones, that only depend on the dice and on how many answers were objects so far."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from alo_operator.effects.cluster import JSON, JSON_PATCH, MERGE_PATCH, METADATA_ONLY
from tests.controlplane.random_bodies import (
    BAD_META,
    GOOD_META,
    JOB_SPECS,
    LABELS,
    OPERATION_SELECTORS,
    SELECTORS,
    SPECS,
    STATUSES,
    condition,
    config_map,
    job,
    operation,
)
from tests.controlplane.twins import Request
from tests.support.operations import API_VERSION

Object = dict[str, Any]


class Dice:
    """What to ask next. `answers` is how many objects were remembered; `named` their kinds and names."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.named: list[tuple[str, str]] = []

    def next(self) -> Request:
        """A request."""
        pick = self.random.choice
        plural = pick(("asyncoperations", "asyncoperations", "asyncoperations", "jobs", "configmaps"))
        often: list[tuple[Callable[[str], Request], int]] = [(self.create, 4), (self.patch, 8), (self.put, 5)]
        often += [(self.delete, 2), (self.look, 2), (self.get, 1)]
        if plural == "asyncoperations":
            often.append((self.write_status, 8))
        verbs = [verb for verb, times in often for _ in range(times)]
        return pick(verbs)(plural)

    def name(self) -> str:
        return self.random.choice("abc")

    def get(self, plural: str) -> Request:
        return Request("GET", plural, self.name())

    def look(self, plural: str) -> Request:
        more = OPERATION_SELECTORS if plural == "asyncoperations" else []
        accept = self.random.choice((JSON, JSON, METADATA_ONLY))
        return Request("GET", plural, query=self.random.choice(SELECTORS + more), accept=accept)

    def create(self, plural: str) -> Request:
        meta: Object = {"name": self.name()}
        if self.random.random() < 0.5:
            meta |= self.random.choice(
                [{"labels": LABELS[0]}, {"labels": LABELS[2]}, {"finalizers": ["example.test/hold"]}]
            )
        if self.random.random() < 0.15:
            meta |= self.random.choice([*BAD_META, {"name": ""}, {"name": "Upper"}, {"name": "dotted.name"}])
        if plural == "jobs" and (owners := self._known("asyncoperations")) and self.random.random() < 0.6:
            meta["ownerReferences"] = [self._owner(self.random.choice(owners))]
        strict = {"fieldValidation": "Strict"} if self.random.random() < 0.3 else {}
        make = {"asyncoperations": operation, "jobs": job, "configmaps": config_map}[plural]
        body = make(self.random)
        return Request("POST", plural, body={**body, "metadata": meta}, query=strict)

    def patch(self, plural: str) -> Request:
        if self.random.random() < 0.2:
            return self.json_patch(plural, "")
        body: Object = {}
        if self.random.random() < 0.6:
            body["metadata"] = self._meta()
        if plural == "configmaps":
            body |= self.random.choice([{"data": {"x": "2"}}, {"data": {"x": None}}, {"immutable": True}, {}])
        else:
            body["spec"] = self.random.choice(SPECS if plural == "asyncoperations" else JOB_SPECS)
        if self.random.random() < 0.05:
            strange: list[Any] = [[], {"kind": "Other"}, {"metadata": None}, {"data": {"x": 5}}]
            body = self.random.choice(strange)
        strict = {"fieldValidation": "Strict"} if self.random.random() < 0.2 else {}
        return Request("PATCH", plural, self.name(), body=body, how=MERGE_PATCH, query=strict)

    def write_status(self, plural: str) -> Request:
        way = self.random.random()
        status = self.random.choice(STATUSES)
        if way < 0.25:
            return self.json_patch(plural, "status")
        if way < 0.5 and (known := self._known(plural)):
            number = self._recent(known)
            return Request("PUT", plural, self.named[number][1], "status", body={"status": status}, based_on=number)
        # Other metadata is ignored here, but leaves its trace in managedFields.
        meta = {"metadata": self.random.choice(BAD_META[4:])} if self.random.random() < 0.2 else {}
        return Request("PATCH", plural, self.name(), "status", body={"status": status, **meta}, how=MERGE_PATCH)

    def json_patch(self, plural: str, sub: str) -> Request:
        operations: list[Object] = []
        if known := self._known(plural):
            number = self._recent(known)
            name = self.named[number][1]
            if self.random.random() < 0.7:
                at = self.random.choice(("replace", "test"))
                operations.append({"op": at, "path": "/metadata/resourceVersion", "value": f"<version:{number}>"})
        else:
            name = self.name()
        choices: list[Object] = [
            {"op": "add", "path": "/metadata/labels", "value": {"color": "blue"}},
            {"op": "add", "path": "/metadata/labels/color", "value": "red"},
            {"op": "remove", "path": "/metadata/labels"},
            {"op": "remove", "path": "/metadata/finalizers/0"},
            {"op": "add", "path": "/metadata/finalizers/-", "value": "example.test/more"},
            {"op": "replace", "path": "/spec/suspend", "value": True},
            {"op": "test", "path": "/spec/suspend", "value": False},
            {"op": "replace", "path": "/spec/nothing/here", "value": 1},
            {"op": "bogus", "path": "/spec"},
        ]
        if sub:
            choices = [
                {"op": "add", "path": "/status/phase", "value": "Running"},
                {"op": "replace", "path": "/status/observedGeneration", "value": 3},
                {"op": "add", "path": "/status/attempts", "value": {"count": 1}},
                {"op": "remove", "path": "/status/attempts"},
                {"op": "remove", "path": "/status"},
                {"op": "add", "path": "/status/conditions", "value": [condition("Ready", "True")]},
                {"op": "add", "path": "/status/conditions/-", "value": condition("Completed", "True")},
                {"op": "replace", "path": "/status", "value": {"promise": "Fulfilled", "phase": "Succeeded"}},
            ]
        operations += self.random.sample(choices, self.random.randint(0, 2))
        return Request("PATCH", plural, name, sub, body=operations, how=JSON_PATCH)

    def put(self, plural: str) -> Request:
        """A client writes back what it has read, changed, and perhaps too late."""
        known = self._known(plural)
        if not known:
            return self.create(plural)
        number = self._recent(known)
        body: Object = {"metadata": self._meta()} if self.random.random() < 0.5 else {}
        if plural == "configmaps":
            body |= self.random.choice([{"data": {"x": "3"}}, {"data": {"y": "4"}}, {"data": None}, {}])
        else:
            spec = self.random.choice(SPECS if plural == "asyncoperations" else JOB_SPECS)
            body |= {"spec": spec} if spec is not None else {}
        if plural == "asyncoperations" and self.random.random() < 0.3:
            # One of wrong types is ignored too, but takes managedFields with it.
            body["status"] = self.random.choice([STATUSES[0], *STATUSES[2:]])
        return Request("PUT", plural, self.named[number][1], body=body, based_on=number)

    def delete(self, plural: str) -> Request:
        options: Object = {}
        policy = self.random.choice((None, "Background", "Foreground", "Orphan", "Sometimes"))
        if policy:
            options["propagationPolicy"] = policy
        name = self.name()
        if (known := self._known(plural)) and self.random.random() < 0.5:
            number = self._recent(known)
            name = self.named[number][1]
            field, kind = self.random.choice((("uid", "uid"), ("resourceVersion", "version")))
            options["preconditions"] = {field: f"<{kind}:{number}>"}
        return Request("DELETE", plural, name, body=options or None)

    def _meta(self) -> Object:
        return self.random.choice(BAD_META if self.random.random() < 0.15 else GOOD_META)

    def _known(self, plural: str) -> list[int]:
        return [number for number, (kind, _) in enumerate(self.named) if kind == plural]

    def _recent(self, known: list[int]) -> int:
        return self.random.choice(known[-4:] if self.random.random() < 0.8 else known)

    def _owner(self, number: int) -> Object:
        owner = {"apiVersion": API_VERSION, "kind": "AsyncOperation", "name": self.named[number][1]}
        return {**owner, "uid": f"<uid:{number}>", "controller": True, "blockOwnerDeletion": True}


def watches() -> list[tuple[str, Object]]:
    """Watches of what no controller writes to."""
    queries = [{}, {"labelSelector": "color=red"}, {"labelSelector": "!color"}, {"fieldSelector": "metadata.name=b"}]
    found = [(plural, query) for plural in ("asyncoperations", "configmaps") for query in queries]
    return [*found, ("asyncoperations", {"fieldSelector": "status.phase=Pending"})]
