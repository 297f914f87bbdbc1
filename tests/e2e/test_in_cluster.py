"""Operator and gateway in pods of their own, installed as a user installs them."""

import pytest

from tests.cluster.providers import Capability
from tests.support.audit import OPERATOR_USER
from tests.support.gateway_process import GATEWAY_USER
from tests.support.in_cluster import ROLLOUT
from tests.support.installed import ROOT
from tests.support.operations import operation, shell_job
from tests.support.waiting import wait_for

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE, Capability.SERVICES)

WGET = 'wget -q -O - --header "Authorization: Bearer $(cat /alo/token)"'
REPORTS = f"""
echo "$ALO_REPORT_URL"
{WGET} --post-data '{{"done": 3, "total": 10}}' "$ALO_REPORT_URL/progress"
{WGET} --header 'Content-Type: application/json' --post-data '{{"kept": true}}' "$ALO_REPORT_URL/result"
"""
UNTIL_TOLD = """
trap 'exit 143' TERM; echo up
until [ -e /shared/go ]; do sleep 0.1; done; printf 7 > $ALO_RESULT_FILE
"""
METRICS = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/metrics').read().decode())"
PRIVILEGES = """
import os
print(os.getuid(), os.getgid(), *[line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")])
for path in ("/opt/alo/new", "/tmp/new", "/new"):
    try:
        open(path, "w")
    except OSError as error:
        print(error.strerror)
"""
END = "import os, signal; os.kill(1, signal.SIGTERM)"


def told_job(stage):
    """A Job that ends once its node's folder has a file `go`, and one that makes the file."""
    jobs = []
    for script in (UNTIL_TOLD, "touch /shared/go"):
        job = shell_job(script)
        pod = job["spec"]["template"]["spec"]
        folder = {"path": f"/tmp/{stage.namespace}", "type": "DirectoryOrCreate"}
        pod["volumes"] = [{"name": "shared", "hostPath": folder}]
        pod["containers"][0]["volumeMounts"] = [{"name": "shared", "mountPath": "/shared"}]
        jobs.append(job)
    return jobs


@pytest.fixture(scope="module")
def stage(in_cluster_stage):
    return in_cluster_stage


@pytest.mark.promise("OPER-6")
def test_the_sample_of_the_readme_runs_to_its_end(stage):
    """kubectl apply, wait, get: what the README shows, with the operator in a pod."""
    stage.kubectl("apply", "-f", ROOT / "manifests" / "samples" / "count-words.yaml")
    stage.kubectl("wait", "--for=condition=Completed", "aop/count-words-1", "--timeout=120s", timeout=130)

    assert stage.status("count-words-1")["result"]["value"] == {"be": 2, "not": 1, "or": 1, "to": 2}


@pytest.mark.promise("OPER-6")
def test_a_worker_reports_through_the_name_of_the_service(stage):
    """Progress and result arrive by the Service's name, which the worker gets as its address."""
    stage.create(operation("reports", job=shell_job(REPORTS)))
    status = stage.settled("reports")

    assert status["phase"] == "Succeeded", status
    assert status["progress"]["summary"] == "3/10"
    assert status["result"]["value"] == {"kept": True}
    (pod,) = stage.pods("reports")
    assert stage.log(pod["metadata"]["name"]).startswith("http://alo-gateway.alo-system.svc:8081/")


@pytest.mark.promise("OPER-3", "OPER-6")
@pytest.mark.needs(Capability.AUDIT_LOG)
def test_the_pods_ask_for_nothing_that_is_refused(stage, audit):
    """Both work under accounts of their own whose rights suffice, and the writes are as few as anywhere."""
    stage.create(operation("counted", job=shell_job(REPORTS)))
    stage.settled("counted")
    wait_for(lambda: not stage.operation("counted")["metadata"].get("finalizers"), describe="the finalizer goes")
    asked = audit.requests(where=lambda request: request.user in {OPERATOR_USER, GATEWAY_USER})

    assert {request.user for request in asked} == {OPERATOR_USER, GATEWAY_USER}
    assert [str(request) for request in asked if request.code in {401, 403}] == []
    writes = audit.writes_per_operation(["counted"], namespace=stage.namespace)["counted"]
    assert 4 <= len(writes) <= 5, writes


@pytest.mark.promise("OPER-7")
def test_the_leader_is_called_like_its_pod(stage, in_cluster):
    """Whoever looks at the Lease knows which pod to look at, and just that pod says that it leads."""
    leaders = {name for name in in_cluster.names() if "\nalo_leader 1.0\n" in in_cluster.python(name, METRICS)}

    assert leaders == {in_cluster.leader()}


@pytest.mark.promise("OPER-6")
@pytest.mark.parametrize("component", ["operator", "gateway"])
def test_the_pods_have_no_privileges(stage, in_cluster, component):
    """No root, no capability, nothing to write to; and they passed the admission of a restricted namespace."""
    labels = in_cluster.api.get("namespaces", name="alo-system")["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for name in in_cluster.names(component):
        said = in_cluster.python(name, PRIVILEGES).splitlines()
        assert said == ["65532 65532 0000000000000000", *["Read-only file system"] * 3]


@pytest.mark.promise("OPER-7")
def test_work_outlives_the_operators_that_began_it(stage, in_cluster):
    """The leader's container ends and starts anew under its name; then its pod is deleted, and another leads."""
    waits, tells = told_job(stage)
    stage.create(operation("outlives", job=waits))
    stage.started("outlives")
    first = in_cluster.leader()

    in_cluster.python(first, END)
    wait_for(lambda: in_cluster.restarts(first) == 1, ROLLOUT, lambda: f"a new container; {in_cluster.state()}")
    in_cluster.await_rollout()
    second = in_cluster.leader()
    in_cluster.kubectl("delete", "pod", second)
    in_cluster.await_rollout()
    third = in_cluster.leader()
    stage.create(operation("tells", job=tells))

    assert second not in {third, ""}
    assert stage.settled("tells")["phase"] == "Succeeded"
    status = stage.settled("outlives")
    assert (status["phase"], status["result"]["value"]) == ("Succeeded", 7), status
    assert len(stage.jobs("outlives")) == 1
    assert len(stage.pods("outlives")) == 1
