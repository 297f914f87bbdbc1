"""What random requests are made of: metadata, specs, statuses and selectors, good ones and bad ones."""

from __future__ import annotations

import random
from typing import Any

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
