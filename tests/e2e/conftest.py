"""Fixtures of the e2e tier: one operator for a whole module, as its operations run side by side."""

from collections.abc import Iterator

import pytest

from tests.support.api import Api
from tests.support.fixtures import Operators
from tests.support.kubectl import Kubectl
from tests.support.lost_nodes import work_on_lost_nodes
from tests.support.operations import operation
from tests.support.stage import Stage
from tests.support.stages import NewStage
from tests.support.workers import endless_job


@pytest.fixture(scope="module")
def module_stage(new_stage: NewStage) -> Iterator[Stage]:
    """A namespace with a running operator for all tests of a module."""
    with new_stage() as made:
        yield made


@pytest.fixture(scope="session")
def lost_nodes(new_stage: NewStage) -> Iterator[Stage]:
    """Work on nodes that are lost."""
    with new_stage() as made, work_on_lost_nodes(made):
        yield made


@pytest.fixture(scope="session")
def orphaned(new_stage: NewStage) -> Iterator[Stage]:
    """Work whose operator was killed as soon as the work had begun; its Job may run for 80 seconds."""
    with new_stage() as made:
        limits = {"scheduleToStart": "15s", "startToClose": "5s"}
        made.create(operation("orphan", job=endless_job(), timeouts=limits))
        made.has_condition("orphan", "Started", "True", "Started")
        made.operators.started[0].kill()
        yield made


@pytest.fixture(scope="session", autouse=True)
def begun(request: pytest.FixtureRequest) -> None:
    """What Kubernetes takes more than a minute for begins before the first test, so that nobody waits for it."""
    asked = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    for name in ("lost_nodes", "orphaned"):
        if name in asked:
            request.getfixturevalue(name)


@pytest.fixture
def stage(api: Api, namespace: str, kubectl: Kubectl, operators: Operators) -> Stage:
    """A new namespace in which no operator runs yet: `stage.operators.start()`."""
    return Stage(api, namespace, kubectl, operators)
