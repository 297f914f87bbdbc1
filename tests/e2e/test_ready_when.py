"""What a GitOps gate waits for: with readyWhen Accepted or Started a later failure does not turn it red."""

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation, shell_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)


@pytest.fixture(scope="module")
def stage(module_stage):
    module_stage.since = module_stage.now()
    fails = shell_job("sleep 3; exit 7")
    for gate in ("Accepted", "Started", "Succeeded"):
        module_stage.create(operation(gate.lower(), job=fails, readyWhen=gate))
    return module_stage


def mirror(stage, name):
    kinds = ("Ready", "Reconciling", "Stalled")
    return {kind: stage.condition(name, kind)["status"] for kind in kinds if stage.condition(name, kind)}


@pytest.mark.promise("READY-2")
@pytest.mark.parametrize("gate", ["accepted", "started"])
def test_ready_stays_true_whatever_the_outcome(stage, gate):
    """Once Ready was True it never left, though the work failed; nothing is Stalled."""
    stage.kubectl("wait", "--for=condition=Ready", f"aop/{gate}", "--timeout=60s", timeout=90)

    assert stage.settled(gate)["phase"] == "Failed"

    assert mirror(stage, gate) == {"Ready": "True"}
    told = [
        next((one["status"] for one in event.object["status"].get("conditions", ()) if one["type"] == "Ready"), None)
        for event in stage.events("asyncoperations", stage.since)
        if event.name == gate
    ]
    assert set(told[told.index("True") :]) == {"True"}
    assert stage.condition(gate, "Succeeded")["status"] == "False"


@pytest.mark.promise("READY-2")
def test_ready_follows_the_outcome_where_success_is_waited_for(stage):
    """The default gate is red, and says that waiting will not help."""
    assert stage.settled("succeeded")["phase"] == "Failed"

    assert mirror(stage, "succeeded") == {"Ready": "False", "Stalled": "True"}
