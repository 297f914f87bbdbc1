"""A running source-built cluster."""

import re
from pathlib import Path

from tests.cluster import kubeconfigs, node
from tests.cluster.accounts import service_account_kubeconfig
from tests.cluster.commands import run, succeeds
from tests.cluster.controlplane import Component
from tests.cluster.errors import ClusterError
from tests.cluster.layout import Layout
from tests.cluster.providers import Capability, Cluster
from tests.cluster.waiting import wait_until

START_SECONDS = 120.0


class RunningCluster(Cluster):
    def __init__(self, layout: Layout, components: list[Component]) -> None:
        self.layout = layout
        self.components = components
        self.name = layout.options.name
        self.kubeconfig = layout.kubeconfig
        self.kubectl = Path(components[1].arguments[0]).with_name("kubectl")
        self.server = layout.server
        self.audit_log = layout.audit_log
        self.host_address = layout.bridge_address if layout.options.real_node else None
        self.state_dir = layout.state_dir
        lacking = set()
        if not layout.options.real_node:
            lacking |= {Capability.REAL_KUBELET, Capability.LOAD_IMAGE}
        if not layout.options.simulated_nodes:
            lacking.add(Capability.SIMULATED_NODES)
        if not layout.services:
            lacking.add(Capability.SERVICES)
        self.capabilities = frozenset(set(Capability) - lacking)

    def healthy(self) -> bool:
        """Return whether all processes run, the API server answers and the nodes are ready."""
        processes = self.layout.processes
        return (
            self.kubeconfig.exists()
            and all(processes.runs(component.name) and component.healthy() for component in self.components)
            and len(self.ready_nodes()) >= self.layout.options.simulated_nodes + self.layout.options.real_node
        )

    def ready_nodes(self) -> set[str]:
        """Return the names of the nodes that are ready."""
        path = '{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}'
        try:
            lines = self.run_kubectl("get", "nodes", "-o", f"jsonpath={path}", seconds=10).split()
        except ClusterError:
            return set()
        return {line.removesuffix("=True") for line in lines if line.endswith("=True")}

    def component(self, name: str) -> Component:
        """Return the component of this name; raises ClusterError, with those that there are, if there is none."""
        for component in self.components:
            if component.name == name:
                return component
        known = ", ".join(component.name for component in self.components)
        raise ClusterError(f"cluster {self.name} has no component {name}; it has {known}")

    def launch(self, name: str) -> None:
        """Start a component without waiting for it."""
        component = self.component(name)
        self.layout.processes.start(name, component.arguments, env=component.environment)

    def start_component(self, name: str) -> None:
        self.launch(name)
        component = self.component(name)
        processes = self.layout.processes

        def answers_or_is_dead() -> bool:
            return component.healthy() or not processes.runs(name)

        def explain() -> str:
            return processes.log_tail(name)

        wait_until(answers_or_is_dead, seconds=START_SECONDS, what=f"{name} answers", explain=explain)
        if not processes.runs(name):
            raise ClusterError(f"{name} ended right after its start. {explain()}")
        if name == "kube-apiserver":
            self.revive()

    def revive(self) -> None:
        """Start again what ended by itself, as the controller manager does when the API server goes too early.

        Elsewhere a kubelet does that. What was stopped on purpose has no pid file and stays stopped.
        """
        processes = self.layout.processes
        for name in processes.names():
            if not processes.runs(name):
                self.start_component(name)

    def stop_component(self, name: str, *, force: bool = False) -> None:
        self.component(name)
        self.layout.processes.stop(name, force=force)

    def load_image(self, tar: Path) -> None:
        self.require(Capability.LOAD_IMAGE)
        if not tar.is_file():
            raise ClusterError(f"there is no image archive {tar}")
        run(["ctr", "--address", node.containerd_socket(self.layout), "-n", "k8s.io", "images", "import", tar])

    def kubeconfig_for_service_account(self, namespace: str, name: str) -> Path:
        return service_account_kubeconfig(self, namespace, name)

    def kubeconfig_for_user(self, name: str, groups: tuple[str, ...] = ()) -> Path:
        file = re.sub(r"[^A-Za-z0-9.-]", "_", f"user-{name}-{'-'.join(groups)}")
        authority = self.layout.authority
        return kubeconfigs.with_certificate(
            self.layout.component_kubeconfig(file),
            server=self.server,
            authority=authority.pair.certificate,
            user=name,
            pair=authority.client(file, name, groups),
        )

    def is_up(self) -> bool:
        """Return whether the API server answers an authenticated request."""
        return succeeds([self.kubectl, "--kubeconfig", self.kubeconfig, "get", "--raw", "/version"])
