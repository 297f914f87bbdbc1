"""The provider whose cluster somebody else runs: the kubeconfig named in ALO_TEST_KUBECONFIG."""

import hashlib
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.layout import state_dir_of
from tests.cluster.progress import say
from tests.cluster.providers import (
    DEFAULT_NAME,
    KUBECONFIG_VARIABLE,
    Capability,
    Options,
    kubectl_on_path,
)
from tests.cluster.reached import ReachedCluster

# Its nodes run containers, but only of images that they can pull, so no test of ours can count on that.
CAPABILITIES: frozenset[Capability] = frozenset()


class NamedCluster(ReachedCluster):
    """Tests have to stay in namespaces alo-test-*: the cluster is not ours."""

    def __init__(self, kubeconfig: Path) -> None:
        state_dir = state_dir_of(f"named-{hashlib.sha256(str(kubeconfig).encode()).hexdigest()[:8]}")
        state_dir.mkdir(parents=True, exist_ok=True)
        super().__init__("named", kubeconfig, kubectl_on_path(), state_dir, CAPABILITIES)


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
