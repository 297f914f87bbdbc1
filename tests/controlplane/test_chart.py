"""What the Helm chart makes of its values."""

import re
from pathlib import Path

import pytest
import yaml

from tests.cluster.binaries import KUBERNETES_VERSION
from tests.controlplane.charts import EVERYTHING, GATEWAY, OPERATOR, container, flags, options, plain
from tests.support.helm import by_key

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("values", [{}, EVERYTHING, {"watchNamespaces": ["media"]}], ids=["plain", "everything", "one"])
def test_helm_finds_no_fault_with_the_chart(helm, values):
    """`helm lint --strict` passes; an icon is all that it misses."""
    linted = helm.lint(values)

    assert "0 chart(s) failed" in linted
    assert re.findall(r"^\[(?:WARNING|ERROR|INFO)\].*", linted, re.MULTILINE) == [
        "[INFO] Chart.yaml: icon is recommended"
    ]


def test_helm_and_kustomize_install_the_same(helm, cluster_kubectl):
    """Each object of the chart's defaults is one of crds/, manifests/install or manifests/policies, and the same."""
    folders = [ROOT / "manifests" / "install", ROOT / "manifests" / "policies"]
    texts = [cluster_kubectl("kustomize", folder).stdout for folder in folders if folder.is_dir()]
    texts += [path.read_text("utf-8") for path in sorted((ROOT / "crds").glob("*.yaml"))]
    by_kustomize = by_key([one for text in texts for one in yaml.safe_load_all(text)])
    del by_kustomize["Namespace", "", "alo-system"]  # Helm makes it: --create-namespace

    by_helm = helm.template()

    assert sorted(by_helm) == sorted(by_kustomize)
    for key, made in by_helm.items():
        wanted = plain(by_kustomize[key])
        # Helm labels the rights, too; what both label has to agree.
        labels = plain(made["metadata"].get("labels", {})) | wanted["metadata"].get("labels", {})
        wanted["metadata"] |= {"labels": labels}
        if key[0] == "Deployment":  # one may say what the other leaves to the default
            assert options(made) == options(wanted)
            for one in (made, wanted):
                del one["spec"]["template"]["spec"]["containers"][0]["args"]
        assert plain(made) == plain(wanted), f"{key} differs"


def test_every_option_of_the_programs_is_a_value(everything, helm):
    """Each flag but those that a pod never needs is given by some value, and none is made up."""
    one = helm.template({"watchNamespaces": ["media"]})
    given = {
        name: {*flags(everything[place]), *flags(one[place])}
        for name, place in (("controller", OPERATOR), ("gateway", GATEWAY))
    }
    for name, found in given.items():
        files = (f"{name}/options.py", "effects/command_line.py")
        code = "".join((ROOT / "operator" / "alo_operator" / file).read_text("utf-8") for file in files)
        known = set(re.findall(r'"(--[a-z-]+)"', code)) - {"--version", "--kubeconfig"}
        assert found == known, name


def test_a_lease_has_the_pods_name(helm):
    """A restarted container takes its own Lease back; no two pods share a name."""
    made = helm.template()[OPERATOR]

    assert flags(made)["--identity"] == ["$(POD_NAME)"]
    assert container(made)["env"][0] == {
        "name": "POD_NAME",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
    }


@pytest.mark.parametrize("place", [OPERATOR, GATEWAY], ids=["operator", "gateway"])
def test_pods_keep_to_the_restricted_standard(helm, place):
    """They are nobody in particular, write nowhere, and may nothing; their probes are those of the programs."""
    made = helm.template()[place]
    pod, main = made["spec"]["template"]["spec"], container(made)

    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert main["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    probes = [main[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")]
    assert probes == ["/healthz", "/healthz", "/readyz"]


def test_clusters_that_choose_users_are_left_to_it(helm):
    """Without a user of ours the pods still have to be somebody else than root."""
    made = helm.template({"runAsUser": None})[OPERATOR]["spec"]["template"]["spec"]

    assert made["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


NAMES = [
    ("alo-operator", {}, "alo-operator", "alo-gateway"),
    ("alo", {}, "alo-operator", "alo-gateway"),
    ("media", {}, "media-alo-operator", "media-alo-gateway"),
    ("media", {"namePrefix": "m"}, "m-operator", "m-gateway"),
    ("media", {"namePrefix": "m", "operator": {"serviceAccount": {"create": False}}}, "m-operator", "m-gateway"),
]


@pytest.mark.parametrize(("release", "values", "operator", "gateway"), NAMES)
def test_names_follow_the_release(helm, release, values, operator, gateway):
    """Two releases never want the same object, and nothing refers to a name that is not made."""
    made = helm.of(release).template(values)
    account = made["Deployment", "alo-system", operator]["spec"]["template"]["spec"]["serviceAccountName"]

    assert {name for kind, _, name in made if kind == "Deployment"} == {operator, gateway}
    assert ("Service", "alo-system", gateway) in made
    assert flags(made["Deployment", "alo-system", operator])["--report-url"] == [
        f"http://{gateway}.alo-system.svc:8081"
    ]
    own = values.get("operator", {}).get("serviceAccount", {}).get("create", True)
    assert account == (operator if own else "default")
    assert (("ServiceAccount", "alo-system", operator) in made) == own
    assert made["ClusterRoleBinding", "", operator]["subjects"] == [
        {"kind": "ServiceAccount", "name": account, "namespace": "alo-system"}
    ]


SWITCHED_OFF = [
    ({"crds": {"enabled": False}}, {"CustomResourceDefinition"}),
    ({"policies": {"enabled": False}}, {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}),
    ({"rbac": {"create": False}}, {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}),
    ({"gateway": {"enabled": False}}, {"Service"}),
    (
        {part: {"podDisruptionBudget": {"enabled": False}} for part in ("operator", "gateway")},
        {"PodDisruptionBudget"},
    ),
    ({part: {"serviceAccount": {"create": False}} for part in ("operator", "gateway")}, {"ServiceAccount"}),
]


@pytest.mark.parametrize(("values", "gone"), SWITCHED_OFF, ids=lambda one: next(iter(one)))
def test_what_is_switched_off_is_not_made(helm, values, gone):
    """All objects of these kinds are missing, and no other kind."""
    full, made = helm.template(), helm.template(values)

    assert {key[0] for key in full} - {key[0] for key in made} == gone & {key[0] for key in full}


def test_without_a_gateway_nothing_speaks_of_one(helm):
    """No object has its name, and the operator is told of no URL, unless there is another."""
    made = helm.template({"gateway": {"enabled": False}})
    elsewhere = helm.template({"gateway": {"enabled": False}, "operator": {"reportUrl": "https://reports.example"}})

    assert "gateway" not in yaml.safe_dump([one for key, one in made.items() if key[0] != "CustomResourceDefinition"])
    assert "--report-url" not in flags(made[OPERATOR])
    assert flags(elsewhere[OPERATOR])["--report-url"] == ["https://reports.example"]


def test_a_certificate_makes_the_gateway_speak_https(everything):
    """The operator's URL says so, and the certificate is where the flags say."""
    spec = everything[GATEWAY]["spec"]["template"]["spec"]

    assert flags(everything[OPERATOR])["--report-url"] == ["https://alo-gateway.alo-system.svc:8081"]
    assert flags(everything[GATEWAY])["--tls-certificate"] == ["/tls/tls.crt"]
    assert container(everything[GATEWAY])["volumeMounts"] == [{"name": "tls", "mountPath": "/tls", "readOnly": True}]
    assert spec["volumes"] == [{"name": "tls", "secret": {"secretName": "gateway-tls"}}]


def test_callbacks_go_where_the_values_say(everything):
    """Each place is a flag of its own, and the receivers' authority is where the flag says."""
    made = everything[OPERATOR]

    assert flags(made)["--delivery-allow"] == ["10.0.0.0/8", ".svc"]
    assert flags(made)["--delivery-ca"] == ["/delivery-ca/authority.pem"]
    assert container(made)["volumeMounts"] == [{"name": "delivery-ca", "mountPath": "/delivery-ca", "readOnly": True}]
    assert made["spec"]["template"]["spec"]["volumes"] == [
        {"name": "delivery-ca", "secret": {"secretName": "receivers"}}
    ]


def test_crds_outlive_the_release(helm):
    """Unless that is switched off, Helm and Argo CD are told to keep them."""
    keys = [("CustomResourceDefinition", "", f"{kind}.alo-operator.io") for kind in KINDS]
    kept, given_up = helm.template(), helm.template({"crds": {"keep": False}})

    for key in keys:
        assert kept[key]["metadata"]["annotations"] == {
            "helm.sh/resource-policy": "keep",
            "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
        }
    assert ["annotations" in given_up[key]["metadata"] for key in keys] == [False, False]


KINDS = ("asyncoperations", "operationtemplates")
REFUSED = [
    ({"replicas": 3}, "replicas"),
    ({"operator": {"replcias": 3}}, "replcias"),
    ({"operator": {"replicas": "3"}}, "/operator/replicas"),
    ({"operator": {"log": {"level": "trace"}}}, "/operator/log/level"),
    ({"operator": {"retention": {"job": "1 day"}}}, "/operator/retention/job"),
    ({"operator": {"reportUrl": "alo-gateway:8081"}}, "/operator/reportUrl"),
    ({"operator": {"lease": {"duration": "1m"}}}, "/operator/lease/duration"),
    ({"operator": {"delivery": {"allow": ".svc"}}}, "/operator/delivery/allow"),
    ({"operator": {"delivery": {"inlineLimit": 1000000}}}, "/operator/delivery/inlineLimit"),
    ({"image": {"digest": "latest"}}, "/image/digest"),
    ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
    ({"watchNamespaces": "media"}, "/watchNamespaces"),
    ({"watchNamespaces": ["media", "media"]}, "/watchNamespaces"),
    ({"watchNamespaces": ["*"]}, "/watchNamespaces/0"),
    ({"gateway": {"service": {"port": 0}}}, "/gateway/service/port"),
    ({"metrics": {"enabled": True}}, "enabled"),
    ({"namePrefix": "Alo"}, "/namePrefix"),
]


@pytest.mark.parametrize(("values", "named"), REFUSED, ids=str)
def test_a_value_that_is_wrong_is_refused_by_name(helm, values, named):
    """A typo never makes a release that is not what was meant."""
    done = helm.run("template", "--kube-version", KUBERNETES_VERSION, values=values, check=False)

    assert done.code == 1
    assert "values don't meet the specifications of the schema" in done.stderr
    assert named in done.stderr


def test_older_clusters_are_refused(helm):
    """What the chart was not tried on it does not claim."""
    done = helm.run("template", "--kube-version", "v1.33.9", check=False)

    assert done.code == 1
    assert "requires kubeVersion: >=1.34.0-0" in done.stderr
