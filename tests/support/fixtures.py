"""Fixtures of the tiers that need a cluster."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.providers import Cluster
from tests.support import cluster as clusters
from tests.support import installed, namespaces
from tests.support.api import Api
from tests.support.audit import AuditLog
from tests.support.kubectl import Kubectl
from tests.support.operator_process import SERVICE_ACCOUNT, SYSTEM_NAMESPACE, OperatorProcess
from tests.support.processes import Processes
from tests.support.tiers import not_run


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The running cluster; it is stopped at the end only if this run started it."""
    reason = clusters.what_is_missing()
    if reason is not None:
        not_run(reason)
    return clusters.running()


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Iterator[Api]:
    """The API as administrator."""
    made = Api(cluster.kubeconfig)
    yield made
    made.close()


@pytest.fixture(scope="session")
def cluster_kubectl(cluster: Cluster) -> Kubectl:
    """kubectl as administrator, in no namespace."""
    return Kubectl(cluster.kubectl, cluster.kubeconfig)


@pytest.fixture(scope="session")
def crds(cluster_kubectl: Kubectl, api: Api) -> None:
    """Our two kinds, as crds/ has them. They stay: a deleted CRD lingers and takes everything of its kind along."""
    installed.install_crds(cluster_kubectl, api)


@pytest.fixture(scope="session")
def operator_kubeconfig(cluster: Cluster, cluster_kubectl: Kubectl, crds: None) -> Path:
    """A kubeconfig of the shipped service account under the shipped RBAC."""
    installed.install_rbac(cluster_kubectl)
    return cluster.kubeconfig_for_service_account(SYSTEM_NAMESPACE, SERVICE_ACCOUNT)


@pytest.fixture(scope="session")
def _used_namespaces(api: Api) -> Iterator[list[str]]:
    used: list[str] = []
    yield used
    namespaces.wait_until_gone(api, used)


@pytest.fixture
def namespace(api: Api, crds: None, _used_namespaces: list[str]) -> Iterator[str]:
    """A new namespace with our kinds served. Its deletion starts at the test's end, after its operators have ended."""
    name = namespaces.make(api)
    _used_namespaces.append(name)
    yield name
    namespaces.remove(api, name)


@pytest.fixture
def kubectl(cluster_kubectl: Kubectl, namespace: str) -> Kubectl:
    """kubectl as administrator in the test's namespace."""
    return cluster_kubectl.inside(namespace)


@pytest.fixture
def audit(cluster: Cluster, api: Api) -> AuditLog:
    """The audit log from here on. The test must be marked `needs(Capability.AUDIT_LOG)`."""
    if cluster.audit_log is None:
        not_run(f"cluster {cluster.name} has no readable audit log")
    assert cluster.audit_log is not None
    return AuditLog(cluster.audit_log, api)


@dataclass
class Operators(Processes[OperatorProcess]):
    """Starts replicas for one test; all of them compete for one Lease of that test.

    operators.start()                            one replica, called alo-0, in the test's namespace
    operators.start("alo-1", all_namespaces=True, arguments=["--resync", "5s"])
    """

    kubeconfig: Path
    namespace: str
    folder: Path

    def start(
        self,
        identity: str = "alo-0",
        *,
        all_namespaces: bool = False,
        arguments: Sequence[str] = (),
        wait: bool = True,
        **settings: Any,
    ) -> OperatorProcess:
        """Start a replica; `settings` are further fields of OperatorProcess, such as lease_duration="15s"."""
        settings.setdefault("lease_name", self.namespace)
        replica = OperatorProcess(
            identity=identity,
            kubeconfig=self.kubeconfig,
            log_file=self.folder / f"{identity}.log",
            namespaces=() if all_namespaces else (self.namespace,),
            arguments=arguments,
            **settings,
        )
        return self.launch(replica, wait=wait)


@pytest.fixture
def operators(operator_kubeconfig: Path, namespace: str, tmp_path: Path, api: Api) -> Iterator[Operators]:
    """Starts operators for the test's namespace; they end with the test, and their logs must be free of errors."""
    made = Operators(operator_kubeconfig, namespace, tmp_path)
    yield made
    made.end()
    api.delete("leases", namespace, SYSTEM_NAMESPACE)


@pytest.fixture
def operator(operators: Operators) -> OperatorProcess:
    """One running operator for the test's namespace."""
    return operators.start()
