"""What a test cluster is, whoever provides it, and how one is chosen."""

import os
import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from tests.cluster.commands import run
from tests.cluster.errors import ClusterError

ROOT = Path(__file__).resolve().parents[2]
KUBECONFIG_VARIABLE = "ALO_TEST_KUBECONFIG"
DEFAULT_NAME = "alo"
PROVIDER_VARIABLE = "ALO_CLUSTER_PROVIDER"
NAME_VARIABLE = "ALO_CLUSTER_NAME"  # two runs at once on one machine take clusters of different names
TOKEN_LIFETIME = "24h"


class Capability(Enum):
    """What only some clusters can do; the value completes the sentence "this cluster has no ..."."""

    AUDIT_LOG = "readable audit log"
    LOAD_IMAGE = "way to load an image without a registry"
    REAL_KUBELET = "kubelet that runs containers of ours"
    SIMULATED_NODES = "simulated nodes"
    STOP_COMPONENT = "way to stop and start its components"
    MORE_USERS = "way to make users with client certificates"
    SERVICES = "Services that pods reach by name"
    MUTATING_POLICIES = "mutating admission policies"
    OWNER_PERMISSIONS = "admission plugin OwnerReferencesPermissionEnforcement"


@dataclass(frozen=True)
class Options:
    """What `up` is asked for.

    `lift_client_limits` raises the client-side request limits of controller manager and scheduler, without which
    about 3.4 Jobs a second is all that Kubernetes starts. `services`: pods reach Services, by name too.
    """

    name: str = DEFAULT_NAME
    real_node: bool = True
    simulated_nodes: int = 5
    lift_client_limits: bool = True
    services: bool = False


class Cluster(ABC):
    """A running cluster. `kubeconfig` is the administrator's; `state_dir` is for files that go with the cluster."""

    name: str
    kubeconfig: Path
    kubectl: Path
    server: str
    capabilities: frozenset[Capability]
    audit_log: Path | None = None
    host_address: str | None = None  # where pods reach a server that runs on this machine
    state_dir: Path

    def require(self, capability: Capability) -> None:
        """Raise ClusterError if the cluster lacks `capability`."""
        if capability not in self.capabilities:
            raise ClusterError(f"cluster {self.name} has no {capability.value}")

    def run_kubectl(self, *arguments: str, feed: str | None = None, seconds: float = 60) -> str:
        """Run the cluster's kubectl as administrator; returns its output, raises ClusterError if it fails."""
        return run([self.kubectl, "--kubeconfig", self.kubeconfig, *arguments], feed=feed, seconds=seconds)

    @abstractmethod
    def load_image(self, tar: Path) -> None:
        """Give the image archive to the real node. Raises ClusterError without LOAD_IMAGE."""

    @abstractmethod
    def stop_component(self, name: str, *, force: bool = False) -> None:
        """Stop a component (etcd, kube-apiserver, ...): it has ended on return. `force` kills it at once.

        Raises ClusterError without STOP_COMPONENT, or for a name that the cluster does not have.
        """

    @abstractmethod
    def start_component(self, name: str) -> None:
        """Start a stopped component again, with the same arguments, and wait until it answers."""

    @abstractmethod
    def kubeconfig_for_service_account(self, namespace: str, name: str) -> Path:
        """Write a kubeconfig with a fresh token (valid for a day) of an existing service account.

        Raises ClusterError if there is no such service account.
        """

    @abstractmethod
    def kubeconfig_for_user(self, name: str, groups: tuple[str, ...] = ()) -> Path:
        """Write a kubeconfig for a made-up user with a client certificate. Raises ClusterError without MORE_USERS."""


class Provider(Protocol):
    """Somebody who can give a cluster."""

    name: str
    capabilities: frozenset[Capability]

    def available(self) -> str | None:
        """Return None if this provider can work here, else one sentence with the reason."""

    def up(self, options: Options) -> Cluster:
        """Start the cluster, or find it running. Raises ClusterError."""

    def find(self, name: str = DEFAULT_NAME) -> Cluster | None:
        """Return the cluster of this name if it runs and answers; starts nothing."""

    def down(self, name: str = DEFAULT_NAME) -> None:
        """Stop the cluster and take away what it left. Fine if there is none."""


def wanted_name() -> str:
    """Return the name of the cluster to find or start."""
    return os.environ.get(NAME_VARIABLE) or DEFAULT_NAME


def choose() -> Provider:
    """Return the provider to use.

    The kubeconfig named in ALO_TEST_KUBECONFIG if set; the one that ALO_CLUSTER_PROVIDER names, if any; else the
    source-built cluster, or kind where only that can work. Raises ClusterError for a name that no provider has.
    """
    # Imported here, as these modules need the names above.
    from tests.cluster.kind import Kind
    from tests.cluster.named import NamedKubeconfig
    from tests.cluster.source_built import SourceBuilt

    if named := os.environ.get(KUBECONFIG_VARIABLE):
        return NamedKubeconfig(Path(named))
    built, kind = SourceBuilt(), Kind()
    wanted = os.environ.get(PROVIDER_VARIABLE)
    if wanted:
        if wanted not in (built.name, kind.name):
            raise ClusterError(f"{PROVIDER_VARIABLE}={wanted} is no provider; use {built.name} or {kind.name}")
        return kind if wanted == kind.name else built
    return kind if built.available() is not None and kind.available() is None else built


def kubectl_on_path() -> Path:
    """Return the kubectl on PATH; raises ClusterError if there is none."""
    found = shutil.which("kubectl")
    if found is None:
        raise ClusterError("kubectl is not on PATH; install it to use the cluster named in " + KUBECONFIG_VARIABLE)
    return Path(found)
