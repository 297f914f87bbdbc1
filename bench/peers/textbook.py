"""An operator as tutorials write it with Kopf: handlers for creation and deletion, Job events, status by patches.

Kopf's settings are its defaults. A task's Job is `<task>-job`; the answer is its phase.
"""

from __future__ import annotations

import asyncio
from typing import Any

import kopf

from alo_operator.effects.cluster import MERGE_PATCH
from bench.peers.program import arguments, client, login, watch

GROUP, VERSION, PLURAL = "bench.alo-operator.io", "v1", "benchtasks"


async def main() -> None:
    given = arguments()
    cluster = client(given.kubeconfig)
    registry = kopf.OperatorRegistry()
    login(registry, given.kubeconfig)

    @kopf.on.create(GROUP, VERSION, PLURAL, registry=registry)
    async def create(name: str, namespace: str | None, uid: str, spec: Any, patch: Any, **_: Any) -> None:
        owner = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "BenchTask", "name": name, "uid": uid, "controller": True}
        meta = {"name": f"{name}-job", "labels": {"bench-task": name}, "ownerReferences": [owner]}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": dict(spec["job"]["spec"])}
        await cluster.request("POST", f"/apis/batch/v1/namespaces/{namespace}/jobs", body=job)
        patch.status["phase"] = "Running"

    @kopf.on.delete(GROUP, VERSION, PLURAL, registry=registry)
    async def delete(**_: Any) -> None:
        """The Job goes with its owner."""

    @kopf.on.event("batch", "v1", "jobs", labels={"bench-task": kopf.PRESENT}, registry=registry)
    async def job_event(event: Any, labels: Any, namespace: str | None, **_: Any) -> None:
        conditions = (event["object"].get("status") or {}).get("conditions") or ()
        ended = {one["type"] for one in conditions if one["status"] == "True"}
        for kind, phase in (("Complete", "Succeeded"), ("Failed", "Failed")):
            if kind in ended:
                path = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}/{labels['bench-task']}/status"
                await cluster.request("PATCH", path, body={"status": {"phase": phase}}, content_type=MERGE_PATCH)

    try:
        await watch(registry, kopf.OperatorSettings(), given.namespace)
    finally:
        await cluster.close()


if __name__ == "__main__":
    asyncio.run(main())
