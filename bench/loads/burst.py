"""Everything at once: bare Jobs, our operator, and the operators to compare with. The work takes no time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.client import TASK_GROUP, TASKS, Caller, Object
from bench.ground import OPERATOR, Ground, running
from bench.loads.running import JOBS, OPERATIONS, is_complete, is_over, jobs, measured, named, operations
from bench.sizes import Sizes
from bench.watching import watched
from tests.support.operations import simulated_job


async def bare(ground: Ground, caller: Caller, count: int) -> dict[str, Any]:
    """Jobs that nobody looks after: what the cluster can do."""
    namespace, names = ground.namespace("bare"), named("bare", count)

    async def act() -> None:
        await caller.create(JOBS, namespace, jobs(names, 0))
        await watch.all(names, is_complete)

    async with watched(caller, JOBS, namespace) as watch:
        return (await measured(ground, namespace, names, act, kind=JOBS)).figures()


async def ours(ground: Ground, caller: Caller, sizes: Sizes) -> dict[str, Any]:
    """As many operations."""
    return await _burst(ground, caller, "burst", sizes.burst)


async def preset(ground: Ground, caller: Caller, sizes: Sizes) -> dict[str, Any]:
    """Operations that have our finalizer from their creation on, as the optional admission policy sees to."""
    return await _burst(ground, caller, "preset", sizes.preset, finalizers=["alo-operator.io/cancel-work"])


async def _burst(ground: Ground, caller: Caller, purpose: str, count: int, **metadata: Any) -> dict[str, Any]:
    namespace, names = ground.namespace(purpose), named(purpose, count)

    async def act() -> None:
        await caller.create(OPERATIONS, namespace, operations(names, 0, **metadata))
        await watch.all(names, is_over)

    with running(ground.operator(namespace)) as operator:
        before = operator.metrics()
        async with watched(caller, OPERATIONS, namespace) as watch:
            took = await measured(ground, namespace, names, act, operator=OPERATOR, pid=operator.pid)
        after = operator.metrics()
    return took.figures() | took.of_operator() | counted(before, after, count)


def counted(before: dict[str, float], after: dict[str, float], count: int) -> dict[str, Any]:
    """What the operator's own metrics say of one operation: watch events and passes."""

    def grown(start: str) -> float:
        now = sum(value for name, value in after.items() if name.startswith(start))
        return now - sum(value for name, value in before.items() if name.startswith(start))

    return {
        "watch_events": round(grown("alo_watch_events_total") / count, 2),
        "passes": round(grown("alo_reconcile_duration_seconds_count") / count, 2),
        "loop_lag_max_ms": round(1000 * after.get("alo_loop_lag_max_seconds", 0.0), 1),
    }


async def textbook(ground: Ground, caller: Caller, sizes: Sizes) -> dict[str, Any]:
    """As many objects of a kind of its own, looked after by an operator as tutorials write it; then some evenly."""
    namespace = ground.namespace("textbook")
    install_tasks(ground)
    peer = ground.peer("textbook", namespace)

    async def tried(names: list[str], seconds: float, make: Callable[[list[Object]], Any]) -> dict[str, Any]:
        job = simulated_job(seconds)
        head = {"apiVersion": f"{TASK_GROUP}/v1", "kind": "BenchTask"}
        bodies = [{**head, "metadata": {"name": name}, "spec": {"job": job}} for name in names]

        async def act() -> None:
            await make(bodies)
            await watch.all(names, lambda task: task["status"]["phase"] == "Succeeded")

        async with watched(caller, TASKS, namespace) as watch:
            took = await measured(ground, namespace, names, act, kind=TASKS, operator=peer.user, pid=peer.pid)
        return took.figures() | took.of_operator()

    with running(peer):
        found = await tried(named("task", sizes.burst), 0, lambda bodies: caller.create(TASKS, namespace, bodies))
        evenly = lambda bodies: caller.create_at(sizes.rate, TASKS, namespace, bodies)  # noqa: E731
        return found | {"steady": await tried(named("even", sizes.probe), sizes.steady_work, evenly)}


def install_tasks(ground: Ground) -> None:
    """The kind that the textbook operator looks after: no rules, any status."""
    if ground.api.get("customresourcedefinitions", name=f"{TASKS}.{TASK_GROUP}"):
        return
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    pending = free | {
        "default": {"phase": "Pending"},
        "properties": {"phase": {"type": "string", "default": "Pending"}},
    }
    schema = {"type": "object", "properties": {"spec": free, "status": pending}}
    names = {"plural": TASKS, "singular": "benchtask", "kind": "BenchTask", "listKind": "BenchTaskList"}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "selectableFields": [{"jsonPath": ".status.phase"}],
    }
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{TASKS}.{TASK_GROUP}"},
        "spec": {"group": TASK_GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }
    ground.api.create("customresourcedefinitions", body)
    ground.cluster.run_kubectl("wait", "--for=condition=Established", f"crd/{TASKS}.{TASK_GROUP}")
