"""What every other test of this tier leans on: simulated Jobs, waiting, the audit log, users."""

import pytest

from tests.cluster.providers import Capability
from tests.support.audit import owners_of
from tests.support.operations import API_VERSION, operation, simulated_job
from tests.support.waiting import wait_for

ADMIN_AGENT = "alo-tests"


def run_job(api, namespace, name, job, owner=None):
    """Create the Job and return it once it has ended."""
    metadata = {"name": name} | ({"ownerReferences": [owner]} if owner else {})
    api.create("jobs", {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata} | job, namespace)

    def ended():
        found = api.get("jobs", namespace, name)
        types = {one["type"] for one in found.get("status", {}).get("conditions", []) if one["status"] == "True"}
        return found if types & {"Complete", "Failed"} else None

    return wait_for(ended, timeout=60, describe=f"Job {name} has ended")


@pytest.mark.needs(Capability.SIMULATED_NODES)
def test_a_simulated_job_ends_as_it_was_told(api, namespace):
    """Exit code and message of a simulated pod are those of its annotations, and the Job counts it."""
    good = run_job(api, namespace, "good", simulated_job(message='{"n": 1}'))
    bad = run_job(api, namespace, "bad", simulated_job(exit_code=3))
    ends = {
        pod["metadata"]["labels"]["job-name"]: pod["status"]["containerStatuses"][0]["state"]["terminated"]
        for pod in api.list("pods", namespace)
    }

    assert good["status"]["succeeded"] == 1
    assert bad["status"]["failed"] == 1
    assert (ends["good"]["exitCode"], ends["good"]["message"]) == (0, '{"n": 1}')
    assert ends["bad"]["exitCode"] == 3


@pytest.mark.needs(Capability.AUDIT_LOG)
def test_the_audit_log_tells_whose_work_each_write_was(api, cluster, namespace, audit):
    """Writes since the mark are attributed to operations: by name, by ownership, or to none."""
    api.create("asyncoperations", operation("alpha"), namespace)
    owner = api.create("asyncoperations", operation("alpha-2"), namespace)
    reference = {
        "apiVersion": API_VERSION,
        "kind": "AsyncOperation",
        "name": "alpha-2",
        "uid": owner["metadata"]["uid"],
    }
    suspended = {"spec": simulated_job()["spec"] | {"suspend": True}}
    metadata = {"name": "other", "ownerReferences": [reference]}
    job = api.create("jobs", {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata} | suspended, namespace)
    api.create("configmaps", {"metadata": {"name": "stray"}}, namespace)

    admin = next(one.user for one in audit.requests(verb="create", resource="jobs", name="other"))
    found = audit.writes_per_operation(["alpha", "alpha-2"], owners_of([job]), user=admin, namespace=namespace)

    assert {name: [str(one).split()[1] for one in writes] for name, writes in found.items()} == {
        "alpha": ["asyncoperations"],
        "alpha-2": ["asyncoperations", "jobs"],
        "": ["configmaps"],
    }


def test_kubectl_and_the_client_see_the_same(api, kubectl, namespace):
    """What kubectl applies, the small client reads, under the same user's rights."""
    kubectl.apply(operation("one", input={"width": 800}))

    assert api.get("asyncoperations", namespace, "one")["spec"]["input"] == {"width": 800}
    assert kubectl.json("get", "asyncoperation", "one")["spec"]["input"] == {"width": 800}
    assert api.get("asyncoperations", namespace, "two") is None
    assert kubectl("get", "asyncoperation", "two", check=False).code == 1
