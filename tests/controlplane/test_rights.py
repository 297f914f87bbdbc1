"""The shipped roles are what operator and gateway need: nothing is missing, and nothing is to spare."""

import asyncio
import json
from contextlib import contextmanager

import pytest

from alo_operator.controller import options as operator_options
from alo_operator.controller import startup
from alo_operator.effects import credentials
from alo_operator.effects.cluster import Cluster
from alo_operator.errors import ConfigurationError
from alo_operator.gateway import app as gateway_app
from alo_operator.gateway import options as gateway_options
from tests.cluster.providers import Capability
from tests.support import rights
from tests.support.api import path_of
from tests.support.audit import OPERATOR_USER, AuditLog
from tests.support.gateway_process import GATEWAY_USER
from tests.support.operations import operation, simulated_job, template
from tests.support.rights import Right
from tests.support.tenants import refusal, tenant
from tests.support.waiting import wait_for

OPERATOR, GATEWAY = rights.granted("rbac.yaml"), rights.granted("gateway.yaml")
OWNING = Right("alo-operator.io", "asyncoperations/finalizers", "update")  # asked for by an admission plugin
KEYS = Right("", "secrets", "get")  # only where callbacks are signed, so that one may do without
NOWHERE = "http://192.0.2.1/hook"  # an address for documents, which nobody is connected to


@pytest.fixture(scope="module")
def audit_from_the_start(cluster, api):
    """The audit log, marked before operator and gateway have started."""
    return AuditLog(cluster.audit_log, api)


@pytest.fixture(scope="module")
def requests(audit_from_the_start, reporting_stage):
    """What both asked of the API server in lives of every kind: operations that fail, wait, pause, report and go."""
    audit, stage = audit_from_the_start, reporting_stage
    orphan = simulated_job()
    orphan["spec"]["template"]["spec"]["serviceAccountName"] = "nobody"  # so that no pod can be made
    shape = {"type": "array"}
    stage.api.create(
        "operationtemplates", template("judged", job=simulated_job(3600), resultSchema=shape), stage.namespace
    )
    stage.create(
        operation("podless", job=orphan),
        operation("paused", job=simulated_job(3600)),
        operation("large", template="judged"),
        operation("failing", job=simulated_job(exit_code=1)),
        operation("tidied", retention={"job": "1s", "record": "3s"}),
        operation("lost", template="missing"),
        operation("told", callbacks=[{"name": "hook", "url": NOWHERE, "secretRef": {"name": "hook", "key": "key"}}]),
    )
    raw = json.dumps(["x" * 100] * 1000).encode()
    reporter = stage.reporter("large")
    assert reporter.progress(percent=1)[0] == 202
    assert reporter.result(raw)[0] == 200
    # The answer is lost and forgotten; the same result comes once more and finds its ConfigMap.
    stage.api.patch("asyncoperations", "large", {"status": {"reported": None}}, stage.namespace, subresource="status")
    assert reporter.result(raw)[0] == 200
    stage.finish("large")
    stage.has_condition("paused", "Started", "True", "Started")
    stage.edit("paused", suspend=True)
    stage.has_condition("paused", "Suspended", "True", "Paused")
    stage.edit("paused", suspend=False)
    wait_for(lambda: stage.status("paused")["phase"] == "Running", 60, "it runs again")
    stage.edit("paused", cancel={"reason": "enough"})
    stage.has_condition("lost", "Accepted", "False", "TemplateNotFound")
    assert stage.settled("large")["phase"] == "Succeeded"
    assert stage.settled("failing")["phase"] == "Failed"
    assert stage.settled("paused")["phase"] == "Cancelled"
    wait_for(lambda: stage.gone("tidied"), 60, "its time is over")
    wait_for(lambda: audit.requests(verb="list", resource="events", user=OPERATOR_USER), 60, "it looks for the reason")
    wait_for(lambda: audit.requests(verb="get", resource="secrets", namespace=stage.namespace), 60, "it reads the key")
    stage.operators.end()  # a watch is logged when it ends

    def here(request):
        return (
            request.namespace == stage.namespace
            or request.name == stage.namespace  # its Lease
            or not request.namespace
        )

    return {user: audit.requests(user=user, where=here) for user in (OPERATOR_USER, GATEWAY_USER)}


@pytest.mark.promise("RIGHTS-1")
@pytest.mark.needs(Capability.AUDIT_LOG, Capability.SIMULATED_NODES)
@pytest.mark.parametrize(
    ("user", "granted"), [(OPERATOR_USER, OPERATOR), (GATEWAY_USER, GATEWAY)], ids=["operator", "gateway"]
)
def test_every_right_is_used_and_no_other_is_asked_for(requests, user, granted):
    """The audit log of operations of every kind has each right, and no request that was forbidden."""
    asked = rights.asked(requests[user])

    assert sorted(set(granted) - asked - {OWNING}) == [], "granted, and never used"
    assert sorted(asked - set(granted)) == [], "asked for, and not granted"
    assert [str(one) for one in requests[user] if one.code == 403] == []


@pytest.mark.promise("RIGHTS-1", "RIGHTS-3")
@pytest.mark.needs(Capability.OWNER_PERMISSIONS)
@pytest.mark.parametrize("granted", [OPERATOR, GATEWAY], ids=["operator", "gateway"])
def test_owning_needs_a_right_of_its_own(api, cluster, cluster_kubectl, namespace, granted):
    """With the plugin on, a Job or ConfigMap that blocks its operation's deletion is refused to whoever lacks it."""
    owner = api.create("asyncoperations", operation("owner", suspend=True), namespace)
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": "owner",
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    made = {
        "jobs": {"apiVersion": "batch/v1", "kind": "Job", **simulated_job()},
        "configmaps": {"apiVersion": "v1", "kind": "ConfigMap"},
    }
    kind = "jobs" if Right("batch", "jobs", "create") in granted else "configmaps"
    body = {"metadata": {"name": "owned", "ownerReferences": [reference]}, **made[kind]}

    def answer(name, those):
        given = [(group, (resource,), (verb,)) for group, resource, verb in those]
        account = tenant(cluster, api, cluster_kubectl, namespace, name, *given)
        try:
            return refusal(lambda: account.api.request("POST", path_of(kind, namespace), body, query={"dryRun": "All"}))
        finally:
            account.api.close()

    without = answer("without", [right for right in granted if right != OWNING])

    assert answer("with", granted) == {}
    assert without["code"] == 403
    assert "finalizers" in without["message"]


@pytest.mark.promise("RIGHTS-2", "OPER-5")
@pytest.mark.parametrize("program", ["operator", "gateway"])
def test_a_missing_right_is_named_at_the_start(api, cluster, namespace, program):
    """Each right, taken from the role by itself, ends the start with a message that names it and no other."""
    granted, check = {"operator": (OPERATOR, check_operator), "gateway": (GATEWAY, check_gateway)}[program]
    with account(api, cluster, namespace, granted) as (kubeconfig, limit_to):
        wait_for(lambda: check(kubeconfig, namespace) == "", describe="nothing is missing")
        for right in granted:
            limit_to([other for other in granted if other != right])
            if right == KEYS:
                wait_for(lambda: check(kubeconfig, namespace) == "", describe="one may do without it")
                continue
            expected = f"lacks rights: {right} in "
            # RBAC follows a change of roles within a moment; the right taken away before is back by then.
            wait_for(
                lambda expected=expected: expected in (said := check(kubeconfig, namespace)) and ";" not in said,
                10,
                lambda right=right: f"{right} is named, and no other; {check(kubeconfig, namespace)}",
                0.02,
            )


@contextmanager
def account(api, cluster, namespace, granted):
    """A service account with these rights everywhere: its kubeconfig, and what changes them."""
    name = f"rights-{namespace}"
    api.create("serviceaccounts", {"metadata": {"name": "limited"}}, namespace)
    api.create("clusterroles", rights.role(name, granted))
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    subject = {"kind": "ServiceAccount", "name": "limited", "namespace": namespace}
    api.create("clusterrolebindings", {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]})

    def limit_to(those):
        api.patch("clusterroles", name, {"rules": rights.role(name, those)["rules"]})

    try:
        yield cluster.kubeconfig_for_service_account(namespace, "limited"), limit_to
    finally:
        api.delete("clusterrolebindings", name)
        api.delete("clusterroles", name)


def check_operator(kubeconfig, namespace):
    """What the operator's check at the start complains of."""
    given = ["run", "--all-namespaces", "--kubeconfig", str(kubeconfig), "--lease-namespace", namespace]
    return complaint(kubeconfig, lambda client: startup.check(client, operator_options.parse(given)))


def check_gateway(kubeconfig, namespace):
    """What the gateway's complains of."""
    given = ["run", "--kubeconfig", str(kubeconfig)]
    return complaint(kubeconfig, lambda client: gateway_app.check(client, gateway_options.parse(given)))


def complaint(kubeconfig, check):
    async def checked():
        client = Cluster(lambda: credentials.load(kubeconfig))
        try:
            await check(client)
        except ConfigurationError as error:
            return str(error)
        finally:
            await client.close()
        return ""

    return asyncio.run(checked())
