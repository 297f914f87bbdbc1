"""Jobs as the API server takes, completes and checks them, as far as this project uses them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tests.support.memory.documents import copied, same
from tests.support.memory.refusals import bad_request

Body = dict[str, Any]

TRACKING: Final = "batch.kubernetes.io/job-tracking"
CONTROLLER_UID: Final = "batch.kubernetes.io/controller-uid"
JOB_NAME: Final = "batch.kubernetes.io/job-name"

_COUNTS: Final = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
_KNOWN: Final = {
    *_COUNTS,
    *("selector", "manualSelector", "template", "completionMode", "suspend", "podFailurePolicy"),
    "podReplacementPolicy",
}
_NOT_MODELLED: Final = {"successPolicy", "backoffLimitPerIndex", "maxFailedIndexes", "managedBy"}
_IMMUTABLE: Final = ("completions", "selector", "manualSelector", "completionMode", "podFailurePolicy")
_SCHEDULING: Final = ("nodeSelector", "affinity", "tolerations", "schedulingGates")
_POD: Final = {
    *("containers", "initContainers", "volumes", "restartPolicy", "terminationGracePeriodSeconds", "nodeSelector"),
    *("activeDeadlineSeconds", "serviceAccountName", "automountServiceAccountToken", "securityContext", "affinity"),
    *("tolerations", "schedulerName", "priorityClassName", "dnsPolicy", "imagePullSecrets", "hostNetwork", "nodeName"),
    *("enableServiceLinks", "schedulingGates", "topologySpreadConstraints", "runtimeClassName", "serviceAccount"),
}


def decoded(body: Body, *, strict: bool) -> Body:
    """A Job as it was sent, with the defaults of its spec.

    Raises BadRequest for wrong types, and for unknown fields if `strict`. Fields of a pod's spec are checked at its top
    only; what is inside containers and volumes is taken as it is.
    """
    body = {name: value for name, value in body.items() if value is not None}
    spec = _section(body, "spec")
    if not_modelled := _NOT_MODELLED & set(spec):
        raise NotImplementedError(f"Jobs with {sorted(not_modelled)} are not modelled")
    unknown = [f"spec.{name}" for name in set(spec) - _KNOWN]
    template = _section(spec, "template")
    unknown += [f"spec.template.{name}" for name in set(template) - {"metadata", "spec"}]
    pod = _section(template, "spec")
    unknown += [f"spec.template.spec.{name}" for name in set(pod) - _POD]
    if unknown and strict:
        raise bad_request(f"strict decoding error: unknown field {', '.join(sorted(unknown))}")
    for name in _COUNTS:
        if type(spec.get(name, 0)) is not int:
            raise bad_request(f"cannot unmarshal spec.{name} into an integer")
    if type(spec.get("suspend", False)) is not bool:
        raise bad_request("cannot unmarshal spec.suspend into a boolean")
    spec = {name: value for name, value in spec.items() if name in _KNOWN}
    spec["template"] = {**template, "spec": _pod_defaults({n: v for n, v in pod.items() if n in _POD})}
    if spec["template"].get("metadata") in ({}, None):
        spec["template"].pop("metadata", None)
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if labels and not body["metadata"].get("labels"):
        # A Job without labels of its own has those of its template: the very same, so that it gets later ones too.
        body = {**body, "metadata": {**body["metadata"], "labels": labels}}
    return {**body, "spec": _defaults(spec)}


def _section(parent: Body, name: str) -> Body:
    found = parent.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise bad_request(f"cannot unmarshal {name} into an object")
    return {key: copied(value) for key, value in found.items() if value is not None}


def _defaults(spec: Body) -> Body:
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    policy = spec.get("podFailurePolicy")
    spec.setdefault("podReplacementPolicy", "Failed" if policy else "TerminatingOrFailed")
    for rule in policy.get("rules", ()) if isinstance(policy, dict) else ():
        for condition in rule.get("onPodConditions", ()):
            condition.setdefault("status", "True")
    return spec


def _pod_defaults(pod: Body) -> Body:
    given = {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }
    pod = {**given, **pod}
    for container in [*pod.get("initContainers", ()), *pod.get("containers", ())]:
        image = str(container.get("image", "")).rpartition("/")[2]
        latest = "@" not in image and (":" not in image or image.endswith(":latest"))
        container.setdefault("resources", {})
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
        container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
        for variable in container.get("env", ()):
            if "fieldRef" in variable.get("valueFrom", {}):
                variable["valueFrom"]["fieldRef"].setdefault("apiVersion", "v1")
    for volume in pod.get("volumes", ()):
        for kind in ("downwardAPI", "configMap", "secret", "projected"):
            if kind in volume:
                volume[kind].setdefault("defaultMode", 420)
        for item in volume.get("downwardAPI", {}).get("items", ()):
            item.get("fieldRef", {}).setdefault("apiVersion", "v1")
    return pod


def prepare(new: Body) -> None:
    """Give a new Job its selector and labels, and an empty status."""
    meta, spec = new["metadata"], new["spec"]
    if "selector" in spec or spec.get("manualSelector"):
        raise NotImplementedError("Jobs whose selector the client chooses are not modelled")
    ours = {
        CONTROLLER_UID: meta["uid"],
        JOB_NAME: meta.get("name", ""),
        "controller-uid": meta["uid"],
        "job-name": meta.get("name", ""),
    }
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    labels.update(ours)
    meta.setdefault("labels", labels)
    spec["selector"] = {"matchLabels": {CONTROLLER_UID: meta["uid"]}}
    new["status"] = {}


def problems(new: Body, old: Body | None) -> Iterator[str]:
    """What the API server finds wrong with a Job's spec, or with its change."""
    spec = new["spec"]
    for name in _COUNTS:
        if spec.get(name, 0) < 0:
            yield f"spec.{name}: Invalid value: must be greater than or equal to 0"
    pod = spec["template"]["spec"]
    if pod["restartPolicy"] not in ("Never", "OnFailure"):
        yield "spec.template.spec.restartPolicy: Required value: valid values: OnFailure, Never"
    yield from _container_problems(pod)
    if spec["completionMode"] not in ("NonIndexed", "Indexed"):
        yield "spec.completionMode: Unsupported value"
    if spec["completionMode"] == "Indexed" and "completions" not in spec:
        yield "spec.completions: Required value: when completion mode is Indexed"
    if spec["podReplacementPolicy"] not in ("Failed", "TerminatingOrFailed"):
        yield "spec.podReplacementPolicy: Unsupported value"
    if "podFailurePolicy" in spec:
        if spec["podReplacementPolicy"] != "Failed":
            yield "spec.podReplacementPolicy: Unsupported value: only Failed with a podFailurePolicy"
        if pod["restartPolicy"] != "Never":
            yield "spec.template.spec.restartPolicy: Invalid value: only Never with a podFailurePolicy"
    if old is not None:
        yield from _change_problems(spec, old)


def _container_problems(pod: Body) -> Iterator[str]:
    containers = pod.get("containers") or []
    if not containers:
        yield "spec.template.spec.containers: Required value"
    for container in containers:
        for name in ("name", "image"):
            if not container.get(name):
                yield f"spec.template.spec.containers.{name}: Required value"
    if len({container.get("name") for container in containers}) < len(containers):
        yield "spec.template.spec.containers: Duplicate value"


def _change_problems(spec: Body, old: Body) -> Iterator[str]:
    before = old["spec"]
    for name in _IMMUTABLE:
        if not same(spec.get(name), before.get(name)):
            yield f"spec.{name}: Invalid value: field is immutable"
    waits = before.get("suspend") and "startTime" not in old.get("status", {})
    if not same(_template(spec, movable=waits), _template(before, movable=waits)):
        yield "spec.template: Invalid value: field is immutable"


def _template(spec: Body, *, movable: bool) -> Body:
    """The part of a template that cannot be changed; where a Job never ran, that is all but where its pods go."""
    template: Body = copied(spec["template"])
    if movable:
        template.pop("metadata", None)
        for name in _SCHEDULING:
            template["spec"].pop(name, None)
    return template
