"""Fixtures of the e2e tier: one operator for a whole module, as its operations run side by side."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import namespaces
from tests.support.api import Api
from tests.support.fixtures import Operators
from tests.support.kubectl import Kubectl
from tests.support.operator_process import SYSTEM_NAMESPACE
from tests.support.stage import Stage


@pytest.fixture(scope="module")
def module_stage(
    api: Api,
    cluster_kubectl: Kubectl,
    operator_kubeconfig: Path,
    _used_namespaces: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    """A namespace with a running operator for all tests of a module; its log must be free of errors at the end."""
    name = namespaces.make(api)
    _used_namespaces.append(name)
    operators = Operators(operator_kubeconfig, name, tmp_path_factory.mktemp(name))
    try:
        operators.start()
        yield Stage(api, name, cluster_kubectl.inside(name), operators)
        operators.end()
    finally:
        namespaces.remove(api, name)
        api.delete("leases", name, SYSTEM_NAMESPACE)


@pytest.fixture
def stage(api: Api, namespace: str, kubectl: Kubectl, operators: Operators) -> Stage:
    """A new namespace in which no operator runs yet: `stage.operators.start()`."""
    return Stage(api, namespace, kubectl, operators)
