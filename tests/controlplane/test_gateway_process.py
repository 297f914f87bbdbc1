"""The gateway as a process: what keeps it from starting, HTTPS, and several side by side."""

import http.client
import json
import ssl

import pytest

from tests.cluster.pki import Authority
from tests.cluster.providers import Capability
from tests.support.gateway_process import Gateways
from tests.support.operations import operation, simulated_job
from tests.support.reporting import Reporter, token_for
from tests.support.waiting import wait_for

CANNOT_START = "cannot start"


@pytest.fixture
def gateways(cluster, operator_kubeconfig, tmp_path):
    """Starts gateways; they end with the test, and their logs must be free of errors."""
    made = Gateways(cluster, tmp_path)
    yield made
    made.end()


def refusal(gateways, **settings):
    """Start a gateway, wait for its end with status 3, and return what it says in one text."""
    gateway = gateways.start(wait=False, **settings)
    gateway.expect_errors(CANNOT_START)
    wait_for(lambda: not gateway.running, 40, lambda: f"the gateway ends\n{gateway.tail()}")
    assert gateway.process.returncode == 3, gateway.tail()
    assert "Traceback" not in gateway.tail(200)
    last = gateway.log()[-1]
    assert CANNOT_START in last["message"]
    return f"{last['message']} {last['advice']}"


@pytest.mark.promise("OPER-5")
def test_missing_rights_are_listed(gateways, operator_kubeconfig):
    """With the operator's account, which is not its own."""
    said = refusal(gateways, kubeconfig=operator_kubeconfig)

    assert "the gateway's user lacks rights" in said
    assert "create tokenreviews.authentication.k8s.io in all namespaces" in said
    assert "kubectl apply" in said


@pytest.mark.promise("OPER-5")
def test_a_taken_address_is_named(gateways):
    """The other gateway goes on."""
    first = gateways.start()

    said = refusal(gateways, identity="second", listen=first.listen)

    assert f"cannot listen on {first.listen[0]}:{first.listen[1]}" in said
    assert "--listen" in said
    assert first.probe("readyz") == 200


@pytest.mark.promise("OPER-5")
def test_a_bad_certificate_is_named(gateways, tmp_path):
    """The files and the options stand in the message."""
    certificate = tmp_path / "certificate.pem"
    certificate.write_text("rubbish")

    said = refusal(gateways, arguments=["--tls-certificate", str(certificate), "--tls-key", str(certificate)])

    assert str(certificate) in said
    assert "--tls-key" in said


def test_reports_can_be_sent_over_https(gateways, tmp_path):
    """With the certificate and the key that it is given."""
    authority = Authority(tmp_path / "pki")
    authority.create()
    host = gateways.cluster.host_address or "127.0.0.1"
    pair = authority.server("gateway", ("gateway.test",), (host,))

    gateway = gateways.start(arguments=["--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key)])

    trust = ssl.create_default_context(cafile=authority.pair.certificate)
    connection = http.client.HTTPSConnection(*gateway.listen, context=trust, timeout=10)
    try:
        connection.request("POST", "/v1/namespaces/a/operations/b/progress", b"{}")
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["error"]["reason"]) == (401, "Unauthenticated")
    finally:
        connection.close()
    assert gateway.metrics()['alo_gateway_reports_total{code="401",kind="progress"}'] == 1


@pytest.mark.needs(Capability.SIMULATED_NODES)
def test_gateways_side_by_side_agree(gateways, operators, api, namespace):
    """What one has taken the other knows; other bytes are refused by both."""
    operators.start()
    api.create("asyncoperations", operation("shared", job=simulated_job(3600)), namespace)
    label = "alo-operator.io/operation=shared"
    (pod,) = wait_for(lambda: api.list("pods", namespace, labelSelector=label), 30, "the pod is there")
    token = token_for(api, namespace, pod)
    first, second = (
        Reporter(gateways.start(name).url, namespace, "shared", token) for name in ("gateway-0", "gateway-1")
    )

    assert first.progress(percent=10)[0] == second.progress(percent=20)[0] == 202
    taken = [one.result(b"1") for one in (first, second)]
    refused = [one.result(b"2") for one in (first, second)]

    assert [code for code, _ in taken] == [200, 200]
    assert [answer["error"]["reason"] for _, answer in refused] == ["ResultDiffers"] * 2
    status = api.get("asyncoperations", namespace, "shared")["status"]
    assert (status["progress"]["percent"], status["reported"]["value"]) == (20, 1)
