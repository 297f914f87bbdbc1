"""The provider whose cluster somebody else runs: the kubeconfig named in ALO_TEST_KUBECONFIG."""

import hashlib
import json
from pathlib import Path

from tests.cluster.accounts import service_account_kubeconfig
from tests.cluster.errors import ClusterError
from tests.cluster.layout import state_dir_of
from tests.cluster.progress import say
from tests.cluster.providers import (
    DEFAULT_NAME,
    KUBECONFIG_VARIABLE,
    Capability,
    Cluster,
    Options,
    kubectl_on_path,
)

# Its nodes run containers, but only of images that they can pull, so no test of ours can count on that.
CAPABILITIES: frozenset[Capability] = frozenset()


class NamedCluster(Cluster):
    """Tests have to stay in namespaces alo-test-*: the cluster is not ours."""

    def __init__(self, kubeconfig: Path) -> None:
        self.name = "named"
        self.kubeconfig = kubeconfig
        self.kubectl = kubectl_on_path()
        self.capabilities = CAPABILITIES
        self.state_dir = state_dir_of(f"named-{hashlib.sha256(str(kubeconfig).encode()).hexdigest()[:8]}")
        self.state_dir.mkdir(parents=True, exist_ok=True)
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


class NamedKubeconfig:
    name = "named kubeconfig"
    capabilities = CAPABILITIES

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig.expanduser().absolute()

    def available(self) -> str | None:
        if not self.kubeconfig.is_file():
            return f"{KUBECONFIG_VARIABLE} names {self.kubeconfig}, which is no file"
        try:
            kubectl_on_path()
        except ClusterError as error:
            return str(error)
        return None

    def up(self, options: Options) -> NamedCluster:
        """Return the named cluster if it answers; the options are for clusters of our own."""
        reason = self.available()
        if reason is not None:
            raise ClusterError(reason)
        cluster = NamedCluster(self.kubeconfig)
        cluster.run_kubectl("get", "--raw", "/version", seconds=20)
        return cluster

    def find(self, name: str = DEFAULT_NAME) -> NamedCluster | None:
        try:
            return self.up(Options(name=name))
        except ClusterError:
            return None

    def down(self, name: str = DEFAULT_NAME) -> None:
        say(f"the cluster named in {KUBECONFIG_VARIABLE} is not ours to stop; it stays as it is")
