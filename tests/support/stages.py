"""Fixtures that make stages: namespaces with a running operator, for a module or a session."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.providers import Cluster
from tests.support import namespaces
from tests.support.api import Api
from tests.support.fixtures import Operators
from tests.support.gateway_process import Gateways
from tests.support.kubectl import Kubectl
from tests.support.operator_process import SYSTEM_NAMESPACE
from tests.support.reporting import ReportingStage
from tests.support.stage import Stage

NewStage = Callable[..., AbstractContextManager[Stage]]
"""Takes the settings of `Operators.start`."""


@pytest.fixture(scope="session")
def new_stage(
    api: Api,
    cluster_kubectl: Kubectl,
    operator_kubeconfig: Path,
    _used_namespaces: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> NewStage:
    """Makes namespaces with a running operator in it; its log must be free of errors at the end."""

    @contextmanager
    def made(**settings: Any) -> Iterator[Stage]:
        name = namespaces.make(api)
        _used_namespaces.append(name)
        operators = Operators(operator_kubeconfig, name, tmp_path_factory.mktemp(name))
        with ExitStack() as at_the_end:
            at_the_end.callback(api.delete, "leases", name, SYSTEM_NAMESPACE)
            at_the_end.callback(namespaces.remove, api, name)
            at_the_end.callback(operators.end)
            operators.start(**settings)
            yield Stage(api, name, cluster_kubectl.inside(name), operators)

    return made


@pytest.fixture(scope="module")
def reporting_stage(
    new_stage: NewStage, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ReportingStage]:
    """As `module_stage`, with a gateway that the workers know of."""
    gateways = Gateways(cluster, tmp_path_factory.mktemp("gateways"))
    with ExitStack() as at_the_end:
        at_the_end.callback(gateways.end)
        gateway = gateways.start()
        made = at_the_end.enter_context(new_stage(arguments=["--report-url", gateway.url]))
        yield ReportingStage(made.api, made.namespace, made.kubectl, made.operators, gateway)
