"""What a person has to fix ends the operator within seconds, with status 3 and the advice; never with a traceback."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from tests.support.operator_process import free_port
from tests.support.waiting import wait_for

CANNOT_START = "cannot start"
STATUS = 3


def refusal(operators, kubeconfig, **settings):
    """Start the operator with a kubeconfig, wait for its end with status 3, and return what it says in one text."""
    operators.kubeconfig = kubeconfig
    operator = operators.start(wait=False, **settings)
    operator.expect_errors(CANNOT_START)
    wait_for(lambda: not operator.running, timeout=40, describe=lambda: f"the operator ends\n{operator.tail()}")
    assert operator.process.returncode == STATUS, operator.tail()
    assert "Traceback" not in operator.tail(200)
    last = operator.log()[-1]
    assert CANNOT_START in last["message"]
    assert last["advice"], "it says what to do"
    return f"{last['message']} {last['advice']}"


def rewritten(path, original, change):
    """A kubeconfig like `original`, changed."""
    config = yaml.safe_load(original.read_text())
    change(config)
    path.write_text(json.dumps(config))
    return path


@pytest.mark.promise("OPER-5")
def test_a_missing_kubeconfig_is_named(operators, tmp_path):
    """The file that is not there stands in the message."""
    said = refusal(operators, tmp_path / "nowhere.yaml")
    assert str(tmp_path / "nowhere.yaml") in said
    assert "--kubeconfig" in said


@pytest.mark.promise("OPER-5")
def test_rubbish_in_the_kubeconfig_is_named(operators, tmp_path):
    """So does the file that is no YAML."""
    path = tmp_path / "rubbish.yaml"
    path.write_text("{ this: is: not [ yaml")
    said = refusal(operators, path)
    assert str(path) in said


def test_a_missing_context_is_named(operators, operator_kubeconfig, tmp_path):
    """The context that is asked for and missing stands in the message."""
    path = rewritten(
        tmp_path / "k", operator_kubeconfig, lambda config: config.update({"current-context": "elsewhere"})
    )
    said = refusal(operators, path)
    assert "elsewhere" in said
    assert str(path) in said


@pytest.mark.promise("OPER-5")
def test_a_dead_server_is_named(operators, operator_kubeconfig, tmp_path):
    """Where nothing answers, the message has the reason and says to check the address."""
    port = free_port()

    def change(config):
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"

    said = refusal(operators, rewritten(tmp_path / "k", operator_kubeconfig, change))
    assert str(port) in said
    assert "kubeconfig" in said


@pytest.mark.promise("OPER-5")
def test_a_bad_token_is_named(operators, operator_kubeconfig, tmp_path):
    """A token that the API server does not know is told from a server that does not answer."""

    def change(config):
        config["users"][0]["user"] = {"token": "made-up"}

    said = refusal(operators, rewritten(tmp_path / "k", operator_kubeconfig, change))
    assert "credentials" in said


@pytest.mark.promise("OPER-5")
def test_missing_rights_are_listed(operators, cluster, api, namespace):
    """A service account without any role is told which rights it lacks and how to get them."""
    api.create("serviceaccounts", {"metadata": {"name": "nobody"}}, namespace)
    said = refusal(operators, cluster.kubeconfig_for_service_account(namespace, "nobody"))
    assert "lacks rights" in said
    assert "asyncoperations" in said
    assert "kubectl apply" in said


@pytest.mark.promise("OPER-5")
def test_a_missing_crd_is_named(operators, operator_kubeconfig, tmp_path, bare_server):
    """On a cluster without our kinds, the CRD is named and the command that installs it."""

    def change(config):
        config["clusters"][0]["cluster"] = {"server": bare_server}

    said = refusal(operators, rewritten(tmp_path / "k", operator_kubeconfig, change))
    assert "CustomResourceDefinition asyncoperations.alo-operator.io" in said
    assert "kubectl apply" in said


@pytest.fixture
def bare_server():
    """An API server that has a version and none of our kinds: removing them from the real one would hit every test."""

    class Bare(BaseHTTPRequestHandler):
        def do_GET(self):
            found = self.path == "/version"
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            body = json.dumps({"gitVersion": "v1.34.4"} if found else status).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Bare) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
