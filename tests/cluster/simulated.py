"""Simulated nodes: Node objects whose pods kwok plays, by the stages in stages/*.yaml.

Only pods that tolerate the taint `kwok.x-k8s.io/node=fake:NoSchedule` land on them. Annotations of the pod
say how it goes:

- `alo-test/run-seconds`: how long its containers run and are ready (decimal, default 0);
- `alo-test/exit-code`: with which exit code they end (default 0); anything else makes the pod Failed;
- `alo-test/reason`: the reason of that end (default Completed or Error), for example OOMKilled;
- `alo-test/message`: their termination message;
- `alo-test/never-start: "true"`: the pod stays Pending on its node;
- `alo-test/term-seconds`, `alo-test/term-exit-code`: how a running pod that is deleted ends (default 0 s, at most its
  grace period, and exit code 143).
"""

import json
from pathlib import Path
from typing import Any

from tests.cluster.controlplane import Component
from tests.cluster.layout import Layout

STAGES = Path(__file__).resolve().parent / "stages"
PODS_PER_NODE = 10000


def kwok(layout: Layout, program: Path) -> Component:
    arguments = [
        str(program),
        f"--kubeconfig={layout.component_kubeconfig('kwok')}",
        "--manage-all-nodes=false",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        f"--cidr={layout.simulated_range}",
        "--node-lease-duration-seconds=40",
        *(f"--config={path}" for path in sorted(STAGES.glob("*.yaml"))),
    ]
    return Component("kwok", tuple(arguments), lambda: layout.processes.runs("kwok"))


def node_names(layout: Layout) -> list[str]:
    return [f"{layout.options.name}-simulated-{index}" for index in range(layout.options.simulated_nodes)]


def node(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"type": "kwok", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "spec": {"taints": [{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}]},
        "status": {
            kind: {"cpu": "1000", "memory": "1Ti", "ephemeral-storage": "1Ti", "pods": str(PODS_PER_NODE)}
            for kind in ("capacity", "allocatable")
        },
    }


def node_list(layout: Layout) -> str:
    """Return the nodes as one JSON document for kubectl."""
    items = [node(name) for name in node_names(layout)]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
