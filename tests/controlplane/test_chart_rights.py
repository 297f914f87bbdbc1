"""What the chart's objects allow: rights, network, shares of the API server; and what they show."""

import json

import pytest
import yaml

from tests.controlplane.charts import GATEWAY, OPERATOR, flags
from tests.support.helm import CHART


@pytest.mark.promise("OPER-9")
def test_some_namespaces_need_no_rights_elsewhere(helm):
    """The only rule outside of the watched namespaces and the own one is the gateway's for reviewing tokens."""
    full = helm.template()
    everywhere = {name: full["ClusterRole", "", f"alo-{name}"]["rules"] for name in ("operator", "gateway")}
    made = helm.template({"watchNamespaces": ["billing", "media"], "rbac": {"aggregate": False}})
    rules = {
        kind: {key: one["rules"] for key, one in made.items() if key[0] == kind} for kind in ("ClusterRole", "Role")
    }

    assert {key: [rule["resources"] for rule in found] for key, found in rules["ClusterRole"].items()} == {
        ("ClusterRole", "", "alo-gateway-alo-system"): [["tokenreviews"]]
    }
    for namespace in ("billing", "media"):
        assert rules["Role"]["Role", namespace, "alo-operator"] == everywhere["operator"]
        gateway = [*made["ClusterRole", "", "alo-gateway-alo-system"]["rules"]]
        gateway += rules["Role"]["Role", namespace, "alo-gateway"]
        assert gateway == everywhere["gateway"]
    assert {key[1] for key in rules["Role"]} == {"billing", "media", "alo-system"}
    for place in (OPERATOR, GATEWAY):
        assert flags(made[place])["--namespace"] == ["billing", "media"]
        assert "--all-namespaces" not in flags(made[place])
    for key, one in made.items():
        if key[0].endswith("Binding") and "Admission" not in key[0]:
            assert (one["roleRef"]["kind"], key[1], one["roleRef"]["name"]) in made


def test_the_finalizer_is_set_where_an_operator_looks(helm):
    """In a namespace that nobody looks after it would keep operations from ever being deleted."""
    key = ("MutatingAdmissionPolicyBinding", "", "alo-operator-finalizer")
    everywhere = helm.template({"policies": {"finalizer": True}})
    some = helm.template({"policies": {"finalizer": True}, "watchNamespaces": ["media"]})

    assert key not in helm.template()
    assert "matchResources" not in everywhere[key]["spec"]
    assert some[key]["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"] == [
        {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["media"]}
    ]


def test_the_own_namespace_may_be_among_those_watched(helm):
    """The Role for the Lease then has another name than that for the work."""
    made = helm.template({"watchNamespaces": ["alo-system"]})

    roles = {key[2]: one["rules"] for key, one in made.items() if key[0] == "Role"}
    assert set(roles) == {"alo-operator", "alo-gateway", "alo-operator-home"}
    assert [rule["resources"] for rule in roles["alo-operator-home"]] == [["leases"]]


def test_the_right_to_read_signing_keys_can_be_withheld(helm):
    """Callbacks are then told unsigned, or not at all; nothing else changes."""
    full, made = helm.template(), helm.template({"rbac": {"signingKeys": False}})
    role = ("ClusterRole", "", "alo-operator")
    withheld = [rule for rule in full[role]["rules"] if rule not in made[role]["rules"]]

    assert [(rule["resources"], rule["verbs"]) for rule in withheld] == [(["secrets"], ["get"])]
    assert {key: one for key, one in full.items() if key != role} == {
        key: one for key, one in made.items() if key != role
    }


def test_people_get_no_status_and_editors_no_templates(helm):
    """The cluster's own roles take in: reading everything; writing operations; writing templates."""
    made = helm.template()
    added = {level: made["ClusterRole", "", f"alo-operator-{level}"] for level in ("view", "edit", "admin")}
    writing = {
        level: {resource for rule in role["rules"] for resource in rule["resources"]} for level, role in added.items()
    }
    verbs = {verb for rule in added["view"]["rules"] for verb in rule["verbs"]}

    assert verbs == {"get", "list", "watch"}
    assert (writing["edit"], writing["admin"]) == ({"asyncoperations"}, {"operationtemplates"})
    for level, role in added.items():
        assert role["metadata"]["labels"][f"rbac.authorization.k8s.io/aggregate-to-{level}"] == "true"


def test_a_network_policy_admits_reports_and_scrapes_alone(everything, helm):
    """To the operator come scrapes and probes only; who may come is whoever the values name, or everybody."""
    open_to_all = helm.template({"networkPolicy": {"enabled": True}})
    found = {name: everything["NetworkPolicy", "alo-system", f"alo-{name}"]["spec"] for name in ("operator", "gateway")}
    monitoring = {"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}

    assert found["operator"]["ingress"] == [{"ports": [{"port": "metrics"}], "from": [monitoring]}]
    assert found["gateway"]["ingress"] == [
        {"ports": [{"port": "metrics"}], "from": [monitoring]},
        {"ports": [{"port": "reports"}], "from": [{"namespaceSelector": {}}]},
    ]
    assert open_to_all["NetworkPolicy", "alo-system", "alo-operator"]["spec"]["ingress"] == [
        {"ports": [{"port": "metrics"}]}
    ]
    for name, spec in found.items():
        assert spec["policyTypes"] == ["Ingress"]
        pod = everything["Deployment", "alo-system", f"alo-{name}"]["spec"]["template"]["metadata"]["labels"]
        assert spec["podSelector"]["matchLabels"].items() <= pod.items()


def test_the_own_share_of_the_api_server_is_for_our_accounts(everything):
    """The FlowSchema leads the requests of both accounts, and of nobody else, to the level beside it."""
    schema = everything["FlowSchema", "", "alo-operator"]["spec"]
    level = everything["PriorityLevelConfiguration", "", "alo-operator"]["spec"]
    accounts = [one["serviceAccount"] for one in schema["rules"][0]["subjects"]]

    assert schema["priorityLevelConfiguration"] == {"name": "alo-operator"}
    assert level["limited"]["nominalConcurrencyShares"] == 20
    assert accounts == [{"name": f"alo-{name}", "namespace": "alo-system"} for name in ("operator", "gateway")]


def test_monitoring_is_what_the_files_say(everything):
    """Alerts and dashboard arrive as they are; each Service with metrics has the port that is scraped."""
    rule = everything["PrometheusRule", "alo-system", "alo-operator"]
    shown = everything["ConfigMap", "alo-system", "alo-operator-dashboard"]["data"]["alo-operator.json"]
    monitor = everything["ServiceMonitor", "alo-system", "alo-operator"]
    scraped = [
        one
        for key, one in everything.items()
        if key[0] == "Service"
        and monitor["spec"]["selector"]["matchLabels"].items() <= one["metadata"]["labels"].items()
    ]

    assert rule["spec"] == yaml.safe_load((CHART / "files" / "alerts.yaml").read_text("utf-8"))
    assert json.loads(shown) == json.loads((CHART / "files" / "dashboard.json").read_text("utf-8"))
    assert sorted(one["metadata"]["name"] for one in scraped) == ["alo-gateway-metrics", "alo-operator-metrics"]
    for one in scraped:
        ports = {port["name"]: port["targetPort"] for port in one["spec"]["ports"]}
        assert [ports[end["port"]] for end in monitor["spec"]["endpoints"]] == ["metrics"]
