"""Random requests, good and bad ones, that only depend on the dice and on how many answers were objects so far."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from alo_operator.effects.cluster import JSON, JSON_PATCH, MERGE_PATCH, METADATA_ONLY
from tests.controlplane.twins import Request
from tests.support.operations import API_VERSION

Object = dict[str, Any]

THEN, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
LABELS: list[Any] = [{"color": "red"}, {"color": "blue"}, {"color": "red", "example.test/size": "1"}, None]
BAD_META: list[Object] = [
    {"labels": {"color": "not a label"}},
    {"labels": {"/": "x"}},
    {"finalizers": ["not a name"]},
    {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": ""}]},
    {"uid": "somebody-else"},
    {"name": "other"},
    {"namespace": "other"},
    {"resourceVersion": "abc"},
    {"resourceVersion": "1"},
]
GOOD_META: list[Object] = [
    *({"labels": labels} for labels in LABELS),
    {"annotations": {"example.test/note": "x"}},
    {"annotations": None},
    {"finalizers": ["example.test/hold"]},
    {"finalizers": ["example.test/hold", "example.test/keep"]},
    {"finalizers": None},
    {"finalizers": None},
    {"generation": 7},
    {"resourceVersion": None},
    {"deletionTimestamp": None},
]
SELECTORS = [
    {},
    {"labelSelector": "color=red"},
    {"labelSelector": "color!=red"},
    {"labelSelector": "color in (red, blue),!example.test/size"},
    {"labelSelector": "color notin (red)"},
    {"labelSelector": "example.test/size"},
    {"labelSelector": "color=("},
    {"fieldSelector": "metadata.name=a"},
    {"fieldSelector": "metadata.name!=a"},
    {"fieldSelector": "spec.nothing=a"},
    {"limit": "1"},
    {"limit": "2", "labelSelector": "color"},
    {"limit": "x"},
    {"continue": "nonsense"},
]
OPERATION_SELECTORS = [
    {"fieldSelector": "status.phase=Pending"},
    {"fieldSelector": "status.promise!=Pending"},
    {"fieldSelector": "spec.templateRef.name=resize"},
]
CALLBACK: Object = {"name": "billing", "url": "https://billing.example/alo", "format": "CloudEvents"}
SPECS: list[Any] = [  # as merge patches
    {"suspend": True},
    {"suspend": False},
    {"cancel": {"reason": "withdrawn"}},
    {"cancel": None},
    {"readyWhen": "Started"},
    {"readyWhen": "Sometimes"},
    {"retention": {"job": "1h"}},
    {"retention": {"job": "1 hour"}},
    {"retention": None},
    {"callbacks": [CALLBACK]},
    {"callbacks": [{**CALLBACK, "url": "https://other.example/"}]},
    {"callbacks": [CALLBACK, CALLBACK]},
    {"callbacks": [{"name": "signed", "url": "https://billing.example/alo"}]},
    {"callbacks": None},
    {"templateRef": {"name": "other"}},
    {"input": {"width": 800}},
    {"input": None},
    {"metadata": {"by": "me"}},
    {"timeouts": {"startToClose": "1h"}},
    {"unknown": 1},
    {"suspend": "yes"},
    {"job": {"spec": {}}},
    None,
]


def condition(kind: str, status: str, moment: str = THEN) -> Object:
    return {"type": kind, "status": status, "reason": "Reason", "message": "x", "lastTransitionTime": moment}


STATUSES: list[Any] = [  # as merge patches
    {"observedGeneration": 1},
    {"observedGeneration": "one"},
    {"phase": "Running", "startTime": THEN},
    {"phase": "Nowhere"},
    {"startTime": "yesterday"},
    {"promise": "Fulfilled", "phase": "Succeeded", "completionTime": THEN, "result": {"value": {"a": [1, None]}}},
    {"promise": "Rejected", "phase": "Failed", "failure": {"type": "WorkerFailed", "reason": "NonZeroExit"}},
    {"promise": "Pending"},
    {"result": {"value": {"a": [1, 2]}}},
    {"result": None},
    {"attempts": {"count": 2}},
    {"conditions": [condition("Completed", "True"), condition("Succeeded", "True")]},
    {"conditions": [condition("Completed", "True", LATER), condition("Ready", "True")]},
    {"conditions": [condition("Completed", "False"), condition("Completed", "True")]},
    {"conditions": None},
    {"deliveries": [{"name": "billing", "state": "Pending", "attempts": 1}]},
    {"unknown": {"x": 1}},
    {"progress": {"done": -1}},
    None,
]
JOB_SPECS: list[Any] = [
    {"suspend": False},
    {"suspend": True},
    {"activeDeadlineSeconds": 1000},
    {"activeDeadlineSeconds": -1},
    {"activeDeadlineSeconds": None},
    {"backoffLimit": 3},
    {"backoffLimit": "three"},
    {"completions": 7},
    {"parallelism": -2},
    {"template": {"spec": {"restartPolicy": "OnFailure"}}},
    {"template": {"metadata": {"labels": {"more": "of-them"}}}},
    {"podReplacementPolicy": "TerminatingOrFailed"},
    {"podFailurePolicy": None},
    {"unknown": 1},
]


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
        body = {"operation": operation, "job": job, "config": config_map}[
            {"asyncoperations": "operation", "jobs": "job", "configmaps": "config"}[plural]
        ](self.random)
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
        return {**owner, "uid": f"<uid:{number}>", "controller": True, "blockOwnerDeletion": self.random.random() < 0.7}


def operation(dice: random.Random) -> Object:
    """An AsyncOperation without metadata, now and then a wrong one."""
    spec: Object = dice.choice([{"templateRef": {"name": "resize"}}, {"job": {"spec": {"template": {"x": [1, None]}}}}])
    if dice.random() < 0.4:
        more = dice.choice(SPECS)
        spec = {**spec, **{name: value for name, value in (more or {}).items() if value is not None}}
    body: Object = {"apiVersion": API_VERSION, "kind": "AsyncOperation", "spec": spec}
    if dice.random() < 0.2:
        body["status"] = dice.choice(STATUSES)
    if dice.random() < 0.1:
        body |= dice.choice([{"kind": "Other"}, {"apiVersion": "v1"}, {"kind": ""}, {"spec": None}, {"more": 1}])
    return body


def job(dice: random.Random) -> Object:
    """A Job that makes no pods, without metadata."""
    container = {"name": "main", "image": dice.choice(("work", "example.test:5000/work:1", "work:latest"))}
    template: Object = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    if dice.random() < 0.3:
        template["metadata"] = {"labels": {"color": "red"}}
    spec: Object = {"template": template, **dice.choice([{"suspend": True}, {"parallelism": 0, "completions": 2}])}
    if dice.random() < 0.4:
        rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
        spec |= {"podFailurePolicy": {"rules": [rule]}, "podReplacementPolicy": "Failed"}
    wrong: list[Object] = [
        {"template": {"spec": {"containers": [container]}}},
        {"template": {"spec": {"restartPolicy": "Never", "containers": []}}},
        {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main"}]}}},
        {"unknown": 1},
        {"backoffLimit": -1},
        {"parallelism": "many"},
    ]
    if dice.random() < 0.2:
        spec |= dice.choice(wrong)
    if "parallelism" in spec and "suspend" in spec:
        del spec["suspend"]
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": spec}


def config_map(dice: random.Random) -> Object:
    """A ConfigMap without metadata."""
    body: Object = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"x": "1"}}
    if dice.random() < 0.3:
        body |= dice.choice([{"immutable": True}, {"unknown": 1}, {"data": {"x": 1}}, {"data": None}, {"kind": "Job"}])
    return body


def watches() -> list[tuple[str, Object]]:
    """Watches of what no controller writes to."""
    queries = [{}, {"labelSelector": "color=red"}, {"labelSelector": "!color"}, {"fieldSelector": "metadata.name=b"}]
    found = [(plural, query) for plural in ("asyncoperations", "configmaps") for query in queries]
    return [*found, ("asyncoperations", {"fieldSelector": "status.phase=Pending"})]
