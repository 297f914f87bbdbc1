"""Nodes that nobody runs, and nodes that go away: what the API server and its controllers see is what they always see.

Neither takes part in anybody else's tests: they have a taint of their own.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from tests.cluster.simulated import node
from tests.support.api import Api
from tests.support.operations import operation, shell_job
from tests.support.stage import Stage
from tests.support.waiting import wait_for
from tests.support.workers import pod_spec

Object = dict[str, Any]

TAINT = "alo-test/lost"
CANCELLED, DELETED, TIMED_OUT, MOVED = "cancelled", "deleted", "timed-out", "moved"


@contextmanager
def work_on_lost_nodes(stage: Stage) -> Iterator[None]:
    """Work on a dead node that is stopped in three ways, and work on a node that is deleted; all side by side."""
    api = stage.api
    with ExitStack() as nodes:
        dead = nodes.enter_context(silent_node(api, f"{stage.namespace}-dead"))
        leaving = nodes.enter_context(leaving_node(api, f"{stage.namespace}-leaving"))
        stage.create(
            operation(CANCELLED, job=job_on_silent_node(dead)),
            operation(DELETED, job=job_on_silent_node(dead)),
            operation(TIMED_OUT, job=job_on_silent_node(dead), timeouts={"startToClose": "2s"}),
            operation(MOVED, job=job_preferring(leaving, 'printf "really run" > "$ALO_RESULT_FILE"')),
        )

        def started_there() -> list[Object]:
            pods = stage.pods(MOVED)
            return [one for one in pods if one["spec"].get("nodeName") == leaving and one["status"].get("startTime")]

        wait_for(started_there, 30, "a pod runs on the leaving node")
        for name in (CANCELLED, DELETED, TIMED_OUT):
            (pod,) = wait_for(partial(stage.pods, name), 30, f"operation {name} has a pod")
            seems_to_run(api, pod)
        stage.has_condition(MOVED, "Started", "True", "Started")
        api.delete("nodes", leaving)
        for name in (CANCELLED, DELETED):
            stage.has_condition(name, "Started", "True", "Started")
        stage.edit(CANCELLED, cancel={"reason": "the node is dead"})
        api.delete("asyncoperations", DELETED, stage.namespace)
        yield


@contextmanager
def silent_node(api: Api, name: str) -> Iterator[str]:
    """A node whose kubelet has died: it was ready, and nothing that is asked of it happens any more.

    At the end its pods are taken away by force and the node with them.
    """
    made = node(name)
    made["metadata"]["annotations"] = {}  # nobody plays it
    made["spec"]["taints"] = [{"key": TAINT, "value": name, "effect": "NoSchedule"}]
    api.create("nodes", made)
    try:
        yield name
    finally:
        for pod in api.list("pods", fieldSelector=f"spec.nodeName={name}"):
            where = (pod["metadata"]["name"], pod["metadata"]["namespace"])
            api.delete("pods", *where, {"gracePeriodSeconds": 0})
        api.delete("nodes", name)


def job_on_silent_node(name: str) -> Object:
    """A Job whose pod is bound to that node from the start, with a grace period of a second."""
    job = shell_job("sleep 1000", grace_seconds=1)
    pod_spec(job)["nodeName"] = name
    return job


def seems_to_run(api: Api, pod: Object) -> None:
    """Have a pod on a silent node run, as its kubelet told before it died."""
    metadata = pod["metadata"]
    now = metadata["creationTimestamp"]
    running = {"name": "main", "ready": True, "restartCount": 0, "image": "i", "imageID": "i", "started": True}
    status = {
        "phase": "Running",
        "startTime": now,
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": now} for kind in ("Ready", "Initialized")
        ],
        "containerStatuses": [running | {"state": {"running": {"startedAt": now}}}],
    }
    api.patch("pods", metadata["name"], {"status": status}, metadata["namespace"], subresource="status")


@contextmanager
def leaving_node(api: Api, name: str) -> Iterator[str]:
    """A simulated node that can be deleted while it has work; ready on entry, gone at the end."""
    made = node(name)
    made["metadata"]["labels"]["kubernetes.io/hostname"] = name
    made["spec"]["taints"] = [{"key": TAINT, "value": name, "effect": "NoSchedule"}]
    api.create("nodes", made)
    try:
        wait_for(lambda: takes_pods(api, name), 30, f"node {name} takes pods")
        yield name
    finally:
        api.delete("nodes", name)


def job_preferring(name: str, script: str) -> Object:
    """A Job whose pod goes to that simulated node, where it seems to run for long, and else runs `script` for real."""
    job = shell_job(script)
    job["spec"]["template"]["metadata"] = {"annotations": {"alo-test/run-seconds": "1000"}}
    wish = [{"key": "kubernetes.io/hostname", "operator": "In", "values": [name]}]
    preferred = [{"weight": 100, "preference": {"matchExpressions": wish}}]
    pod = pod_spec(job)
    pod["affinity"] = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    pod["tolerations"] = [{"key": TAINT, "value": name, "effect": "NoSchedule"}]
    return job


def takes_pods(api: Api, name: str) -> bool:
    """Whether a node is ready and Kubernetes' own taint of a new node is off."""
    found = api.get("nodes", name=name) or {}
    conditions, taints = found.get("status", {}).get("conditions", ()), found.get("spec", {}).get("taints", ())
    ready = any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)
    return ready and {one["key"] for one in taints} == {TAINT}
