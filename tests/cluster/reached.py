"""Clusters of which only the API can be reached: whoever runs them starts and stops their parts."""

import json
from pathlib import Path

from tests.cluster.accounts import service_account_kubeconfig
from tests.cluster.providers import Capability, Cluster


class ReachedCluster(Cluster):
    def __init__(
        self, name: str, kubeconfig: Path, kubectl: Path, state_dir: Path, capabilities: frozenset[Capability]
    ) -> None:
        self.name, self.kubeconfig, self.kubectl = name, kubeconfig, kubectl
        self.state_dir, self.capabilities = state_dir, capabilities
        view = json.loads(self.run_kubectl("config", "view", "--minify", "-o", "json"))
        self.server = str(view["clusters"][0]["cluster"]["server"])

    def load_image(self, tar: Path) -> None:
        self.require(Capability.LOAD_IMAGE)

    def stop_component(self, name: str, *, force: bool = False) -> None:
        self.require(Capability.STOP_COMPONENT)

    def start_component(self, name: str) -> None:
        self.require(Capability.STOP_COMPONENT)

    def kubeconfig_for_service_account(self, namespace: str, name: str) -> Path:
        return service_account_kubeconfig(self, namespace, name)

    def kubeconfig_for_user(self, name: str, groups: tuple[str, ...] = ()) -> Path:
        self.require(Capability.MORE_USERS)
        return self.kubeconfig
