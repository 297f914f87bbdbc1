"""A release of the chart from its installation to its end, with operations running through all of it."""

import json
import shutil

import pytest
import yaml

from tests.cluster.providers import Capability
from tests.controlplane.charts import EVERYTHING
from tests.support import helm as helms
from tests.support.fixtures import Operators
from tests.support.gateway_process import Gateways
from tests.support.helm import Helm
from tests.support.installed import install_crds
from tests.support.killing import dice
from tests.support.tiers import not_run
from tests.support.work import create, mixed, settle

KINDS = ("asyncoperations", "operationtemplates")
SIMULATED = {
    "nodeSelector": {"type": "kwok"},
    "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists", "effect": "NoSchedule"}],
    "podAnnotations": {"alo-test/run-seconds": "3600", "alo-test/term-exit-code": "0"},
}
NOT_HERE = {"ServiceMonitor", "PrometheusRule", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"}
OLDER = "What an operation was called in an older version."


@pytest.fixture
def helm(tmp_path, cluster, namespace, cluster_kubectl, api):
    """Helm as administrator, for a release `alo` in the test's namespace that is gone at the end; the CRDs are ours."""
    if reason := helms.what_is_missing():
        not_run(reason)
    made = Helm(tmp_path, cluster.kubeconfig, namespace, "alo")
    yield made
    made("uninstall", "alo", "--ignore-not-found")
    install_crds(cluster_kubectl, api)


def older_chart(folder):
    """Return a chart as it might have been before: another version, and other words in a CRD."""
    older = folder / "older"
    shutil.copytree(helms.CHART, older)
    chart = yaml.safe_load((older / "Chart.yaml").read_text("utf-8"))
    (older / "Chart.yaml").write_text(json.dumps(chart | {"version": "0.0.9", "appVersion": "0.0.9"}), "utf-8")
    file = older / "files" / "crds" / "asyncoperations.yaml"
    crd = yaml.safe_load(file.read_text("utf-8"))
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = OLDER
    file.write_text(yaml.safe_dump(crd), "utf-8")
    return older


def description(api):
    """Return how the API server describes an operation."""
    crd = api.get("customresourcedefinitions", name="asyncoperations.alo-operator.io")
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"]


def images(kubectl):
    """Return what the operator's ready pods run."""
    pods = kubectl.json("get", "pods", "-l", "app.kubernetes.io/component=operator")["items"]
    ready = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return [pod["spec"]["containers"][0]["image"] for pod in ready]


@pytest.mark.needs(Capability.SIMULATED_NODES)
@pytest.mark.promise("OPER-8", "OPER-9")
def test_operations_outlive_upgrade_rollback_and_uninstallation(
    helm, api, cluster, kubectl, namespace, tmp_path, cluster_kubectl
):
    """Work runs on whatever is done to the release, is settled under its rights, and stays when it goes."""
    values = {"watchNamespaces": [namespace], "policies": {"enabled": False}, "rbac": {"aggregate": False}}
    values |= {"operator": SIMULATED, "gateway": SIMULATED}
    wait = ("--wait", "--timeout", "90s")
    older, current = helm.of("alo", chart=older_chart(tmp_path)), description(api)

    refused = older.run("install", values=values, check=False)
    assert refused.code == 1
    assert "invalid ownership metadata" in refused.stderr  # the CRDs are there, and not Helm's

    said = older.run("install", "--take-ownership", *wait, values=values).stdout
    assert f"looks after the namespaces {namespace}." in said
    assert (description(api), images(kubectl)) == (OLDER, ["alo-operator:0.0.9"] * 2)

    accounts = [cluster.kubeconfig_for_service_account(namespace, f"alo-{name}") for name in ("operator", "gateway")]
    operators, gateways = Operators(accounts[0], namespace, tmp_path), Gateways(cluster, tmp_path)
    try:
        # A changed CRD is served anew: the API server ends the watches of its kind.
        cut = [r'"logger": "kopf._cogs.clients.watching", "message": "Request attempt #1 failed']
        operators.start(lease_namespace=namespace, lease_name="alo-operator", expected_errors=cut)
        gateways.start(kubeconfig=accounts[1], arguments=["--namespace", namespace])  # ready: it has its rights
        work = mixed("work", 16, dice(), longest=20)
        create(cluster.kubeconfig, namespace, work)

        helm.run("upgrade", *wait, values=values)
        assert (description(api), images(kubectl)) == (current, ["alo-operator:0.1.0"] * 2)
        later = mixed("later", 8, dice())
        create(cluster.kubeconfig, namespace, later)
        helm("rollback", "alo", "1", *wait)
        assert (description(api), images(kubectl)) == (OLDER, ["alo-operator:0.0.9"] * 2)

        # The older programs upon the newer CRDs: what a rollback does not offer.
        helm.run("upgrade", values=values)
        older.run("upgrade", *wait, values=values | {"crds": {"enabled": False}})
        assert (description(api), images(kubectl)) == (current, ["alo-operator:0.0.9"] * 2)

        before = settle(api, namespace, [*work, *later], timeout=90)
        assert len(api.list("jobs", namespace)) == len(work) + len(later)
    finally:
        operators.end()
        gateways.end()

    helm("uninstall", "alo", *wait)

    after = {one["metadata"]["name"]: one for one in api.list("asyncoperations", namespace)}
    assert {name: one["status"] for name, one in after.items()} == {name: one["status"] for name, one in before.items()}
    assert description(api) == current
    left = kubectl("get", "deployments,services,roles,rolebindings,poddisruptionbudgets", "-o", "name").stdout
    assert left == ""
    assert f"alo-gateway-{namespace}" not in cluster_kubectl("get", "clusterroles", "-o", "name").stdout


def test_the_api_server_takes_everything_that_the_chart_makes(helm, cluster_kubectl, operator_kubeconfig):
    """With every switch on, nothing is misspelt, unknown or invalid to the server, but for kinds it has not got."""
    made = helm.of("alo", namespace="alo-system").template(EVERYTHING)
    known = [one for key, one in made.items() if key[0] not in NOT_HERE]

    done = cluster_kubectl(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-", input=known
    )

    assert done.stdout.count("serverside-applied (server dry run)\n") == len(known) > 20
    assert not done.stderr
