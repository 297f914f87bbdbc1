"""The chart, installed by Helm on a real node: what a user does first."""

import pytest

from tests.cluster.providers import Capability
from tests.support import helm as helms
from tests.support import namespaces
from tests.support.helm import Helm
from tests.support.installed import ROOT
from tests.support.tiers import not_run
from tests.support.waiting import wait_for

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE, Capability.SERVICES)
NEEDED = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="module")
def release(cluster, api, cluster_kubectl, crds, product_loaded, _used_namespaces, tmp_path_factory):
    """Helm for a release in a namespace of its own, which admits restricted pods only; gone at the end."""
    if reason := helms.what_is_missing():
        not_run(reason)
    home = namespaces.make(api, NEEDED)
    _used_namespaces.append(home)
    made = Helm(tmp_path_factory.mktemp("helm"), cluster.kubeconfig, home, "alo")
    yield made
    made("uninstall", "alo", "--ignore-not-found")
    namespaces.remove(api, home)


@pytest.fixture(scope="module")
def place(api, cluster_kubectl, crds, _used_namespaces):
    """kubectl in a namespace where operations run."""
    name = namespaces.make(api)
    _used_namespaces.append(name)
    yield cluster_kubectl.inside(name)
    namespaces.remove(api, name)


@pytest.mark.promise("OPER-8", "OPER-9")
def test_what_helm_installs_runs_the_sample_of_the_readme(release, place, api, product_loaded, cluster_kubectl):
    """Install, apply, wait, get; an upgrade puts another pod in charge; after the uninstallation it is all there."""
    repository, _, tag = product_loaded.rpartition(":")
    values = {
        "image": {"repository": repository, "tag": tag},
        "watchNamespaces": [place.namespace],
        "crds": {"enabled": False},
        "policies": {"enabled": False},
        "rbac": {"aggregate": False},
        "operator": {"replicas": 1},
        "gateway": {"replicas": 1},
    }
    wait = ("--wait", "--timeout", "120s")
    release.run("install", *wait, values=values)

    place("apply", "-f", ROOT / "manifests" / "samples" / "count-words.yaml")
    place("wait", "--for=condition=Completed", "aop/count-words-1", "--timeout=120s", timeout=130)
    status = place.json("get", "aop", "count-words-1")["status"]
    assert (status["phase"], status["result"]["value"]) == ("Succeeded", {"be": 2, "not": 1, "or": 1, "to": 2})

    home = cluster_kubectl.inside(release.namespace)
    leader = home.json("get", "lease", "alo-operator")["spec"]["holderIdentity"]
    values["operator"] = {"replicas": 1, "log": {"level": "debug"}}
    release.run("upgrade", *wait, values=values)

    def next_leader():
        found = home.json("get", "lease", "alo-operator")["spec"].get("holderIdentity")
        return found if found and found != leader else None

    wait_for(next_leader, 60, lambda: f"another pod than {leader} leads")
    text = (ROOT / "manifests" / "samples" / "count-words.yaml").read_text("utf-8")
    place("apply", "-f", "-", input=text.replace("count-words-1", "count-words-2"))
    place("wait", "--for=condition=Completed", "aop/count-words-2", "--timeout=120s", timeout=130)
    logs = home("logs", "-l", "app.kubernetes.io/instance=alo", "--tail=-1", "--prefix").stdout
    assert [line for line in logs.splitlines() if '"level": "error"' in line] == []

    release("uninstall", "alo", *wait)
    phases = place("get", "aop", "-o", "jsonpath={.items[*].status.phase}").stdout
    assert phases == "Succeeded Succeeded"
    assert place.json("get", "jobs")["items"] != []
