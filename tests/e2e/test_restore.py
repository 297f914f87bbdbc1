"""Backup and restore: what ended stays ended if its status comes back with it, and is new work if it does not."""

import json

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation, simulated_job
from tests.support.waiting import wait_for

pytestmark = pytest.mark.needs(Capability.SIMULATED_NODES)

UNFIT = ("uid", "resourceVersion", "ownerReferences", "managedFields")
ENDED = ("done", "broken", "withdrawn")


def backup(stage):
    """Return what `kubectl get -o json` has, without what makes it unfit for another object of that name."""
    kept = stage.kubectl.json("get", "aop")
    for one in kept["items"]:
        one["metadata"] = {key: value for key, value in one["metadata"].items() if key not in UNFIT}
    return kept


def part(kept, *names, **spec):
    """Return some of a backup's operations, with fields of their spec changed."""
    chosen = [one for one in kept["items"] if one["metadata"]["name"] in names]
    return json.dumps(kept | {"items": [one | {"spec": one["spec"] | spec} for one in chosen]})


def answer(operation):
    fields = ("phase", "promise", "result", "failure", "startTime", "completionTime", "specDigest", "attempts")
    return {key: operation["status"].get(key) for key in fields}


@pytest.fixture(scope="module")
def restored(module_stage):
    """Operations that ended, and one that ran, lost with all their Jobs and restored in three ways; what they were."""
    stage, kubectl = module_stage, module_stage.kubectl
    for name in ("done", "held", "bare"):
        stage.create(operation(name, job=simulated_job(message='{"width": 800}')))
    stage.create(operation("broken", job=simulated_job(exit_code=3)))
    stage.create(operation("withdrawn", suspend=True, cancel={"reason": "not needed"}))
    stage.create(operation("running", job=simulated_job(900)))
    for name in (*ENDED, "held", "bare"):
        stage.settled(name)
    wait_for(lambda: stage.status("running")["phase"] == "Running", describe="the last one runs")
    kept = backup(stage)
    kubectl("delete", "aop", "--all")
    wait_for(lambda: not stage.api.list("jobs", stage.namespace), describe="the Jobs are gone")

    kubectl("apply", "-f", "-", input=part(kept, "bare"))
    kubectl("create", "-f", "-", input=part(kept, "held", suspend=True))
    kubectl("wait", "--for=jsonpath={.status.phase}=Paused", "aop/held", "--timeout=60s", timeout=90)
    kubectl("replace", "--subresource=status", "-f", "-", input=part(kept, "held"))
    kubectl("patch", "aop", "held", "--type=merge", "--patch", '{"spec":{"suspend":false}}')
    wait_for(lambda: stage.status("held")["observedGeneration"] == 2, describe="the edit is taken in")
    stage.settled("bare")

    stage.operators.started[0].stop()
    kubectl("create", "-f", "-", input=part(kept, *ENDED, "running"))
    kubectl("replace", "--subresource=status", "-f", "-", input=part(kept, *ENDED, "running"))
    stage.operators.start("alo-1")
    stage.settled("running")
    return {one["metadata"]["name"]: one for one in kept["items"]}


@pytest.mark.promise("READY-4")
def test_records_restored_with_their_status_are_as_they_were(module_stage, restored):
    """Created with no operator about, then given their status: nothing runs, and every answer is the same."""
    for name in ENDED:
        assert answer(module_stage.operation(name)) == answer(restored[name])
        assert module_stage.jobs(name) == []


@pytest.mark.promise("READY-4")
def test_live_work_restored_with_its_status_is_not_run_again(module_stage, restored):
    """Its Job is gone and nobody can say whether the work was done; that is its outcome."""
    assert restored["running"]["status"]["phase"] == "Running"
    assert module_stage.status("running")["failure"]["reason"] == "OutcomeUnknown"
    assert module_stage.jobs("running") == []


def test_a_record_restored_beside_an_operator_is_held_by_a_pause(module_stage, restored):
    """Paused it waits for its status; with the status there, the pause is lifted and nothing runs."""
    assert answer(module_stage.operation("held")) == answer(restored["held"])
    assert module_stage.jobs("held") == []


@pytest.mark.promise("READY-4")
def test_a_record_restored_without_its_status_runs_again(module_stage, restored):
    """`kubectl apply` of a backup brings back the request alone, and that is new work."""
    assert module_stage.status("bare")["job"]["uid"] != restored["bare"]["status"]["job"]["uid"]
