"""Who we are at which API server: every way a kubeconfig can say it, and every way it can be wrong."""

import base64
import json
from datetime import UTC, datetime

import pytest
import yaml

from alo_operator.effects import credentials
from alo_operator.effects.credentials import Credentials, load
from alo_operator.errors import ConfigurationError
from tests.support.builders import at


def encoded(text):
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def kubeconfig(tmp_path, clock):
    """Writes a kubeconfig with this user and cluster, and gives its path."""

    def write(user=None, cluster=None, context=None, **top):
        config = {
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", **(context or {})}}],
            "clusters": [{"name": "c", "cluster": {"server": "https://api.test:6443/", **(cluster or {})}}],
            "users": [{"name": "u", "user": user or {}}],
        } | top
        path = tmp_path / "config"
        path.write_text(yaml.safe_dump(config))
        return path

    return write


@pytest.fixture
def plugin(tmp_path):
    """Writes a credential plugin that runs this shell script, and gives the user entry that names it."""

    def write(script, **more):
        path = tmp_path / "plugin.sh"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin.sh", **more}}

    return write


def status(**fields):
    return json.dumps({"kind": "ExecCredential", "status": fields})


def test_certificates_come_from_the_file_itself(kubeconfig):
    """Base64 of PEM texts, as kubeadm writes them."""
    user = {"client-certificate-data": encoded("CERT"), "client-key-data": encoded("KEY")}

    found = load(kubeconfig(user, {"certificate-authority-data": encoded("CA")}, {"namespace": "media"}))

    assert found == Credentials(
        "https://api.test:6443", ca=b"CA", certificate=b"CERT", private_key=b"KEY", namespace="media"
    )
    assert found.headers() == {}


def test_certificates_come_from_files_beside_it(kubeconfig, tmp_path):
    """Relative paths count from the kubeconfig, as kubectl has it."""
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text(name.upper())

    found = load(
        kubeconfig({"client-certificate": "cert", "client-key": str(tmp_path / "key")}, {"certificate-authority": "ca"})
    )

    assert (found.ca, found.certificate, found.private_key) == (b"CA", b"CERT", b"KEY")


@pytest.mark.parametrize(
    ("user", "headers"),
    [
        ({"token": "t0k"}, {"Authorization": "Bearer t0k"}),
        ({"username": "u", "password": "p"}, {"Authorization": f"Basic {encoded('u:p')}"}),
        ({}, {}),
    ],
)
def test_a_user_becomes_a_header(kubeconfig, user, headers):
    """A token, or a name and a password."""
    assert load(kubeconfig(user)).headers() == headers


def test_a_token_file_is_read_again_after_a_minute(kubeconfig, tmp_path):
    """Such files are rotated."""
    (tmp_path / "token").write_text("t0k\n")

    found = load(kubeconfig({"tokenFile": "token"}))

    assert (found.token, found.expires) == ("t0k", at(60))


def test_the_cluster_entry_may_have_a_proxy_or_no_tls_check(kubeconfig):
    """Both are the user's own decision."""
    found = load(kubeconfig({}, {"insecure-skip-tls-verify": True, "proxy-url": "http://proxy.test"}))

    assert (found.insecure, found.proxy_url) == (True, "http://proxy.test")


def test_a_plugin_gives_a_token_until_it_expires(kubeconfig, plugin):
    """As the ones of EKS and GKE do."""
    user = plugin(f"echo '{status(token='t0k', expirationTimestamp='2026-03-01T13:00:00Z')}'")

    found = load(kubeconfig(user))

    assert (found.token, found.expires) == ("t0k", datetime(2026, 3, 1, 13, tzinfo=UTC))


def test_a_plugin_gives_a_certificate(kubeconfig, plugin):
    """In place of any in the file."""
    user = plugin(f"echo '{status(clientCertificateData='CERT', clientKeyData='KEY')}'")

    found = load(kubeconfig(user | {"client-certificate-data": encoded("OLD")}))

    assert (found.certificate, found.private_key, found.token) == (b"CERT", b"KEY", None)


def test_a_plugin_is_told_what_the_file_says(kubeconfig, plugin):
    """Its arguments, its environment and the request of client-go's protocol."""
    script = """printf '{"status": {"token": "%s %s"}}' "$1" "$REGION"; echo "$KUBERNETES_EXEC_INFO" > asked.json"""
    user = plugin(f'cd "$(dirname "$0")"; {script}', args=["get-token"], env=[{"name": "REGION", "value": "north"}])
    path = kubeconfig(user)

    assert load(path).token == "get-token north"
    asked = json.loads((path.parent / "asked.json").read_text())
    assert (asked["kind"], asked["apiVersion"]) == ("ExecCredential", "client.authentication.k8s.io/v1")
    assert asked["spec"] == {"interactive": False}


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo no such profile >&2; exit 4", "failed with exit code 4: no such profile"),
        ("echo hello", "Expecting value"),
        ("echo '{}'", "no 'status'"),
    ],
)
def test_a_plugin_that_fails_is_quoted(kubeconfig, plugin, script, words):
    """Its own last words say what to do."""
    with pytest.raises(ConfigurationError, match=words):
        load(kubeconfig(plugin(script)))


def test_a_plugin_that_is_not_there_is_named(kubeconfig):
    """Often it was never installed."""
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin-here"}}

    with pytest.raises(ConfigurationError, match="the plugin no-such-plugin-here could not be run"):
        load(kubeconfig(user))


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"current-context": "gone"}, "context 'gone' is not among its contexts"),
        ({"current-context": None}, "context None is not among its contexts"),
        ({"clusters": []}, "cluster 'c' is not among its clusters"),
        ({"users": None}, "user 'u' is not among its users"),
        ({"cluster": {"server": "api.test"}}, "server 'api.test' is not a URL"),
        ({"cluster": {"server": None}}, "server None is not a URL"),
        ({"user": {"client-key-data": "%%%"}}, "is not complete"),
        ({"user": {"client-certificate": "missing.pem"}}, "missing.pem"),
        ({"user": {"tokenFile": "missing"}}, "missing"),
        ({"contexts": [{"name": "here", "context": {"cluster": "c"}}]}, "no 'user'"),
    ],
)
def test_what_is_wrong_with_a_kubeconfig_is_said_with_its_path(kubeconfig, parts, words):
    """And how to try it out."""
    path = kubeconfig(**parts)

    with pytest.raises(ConfigurationError) as error:
        load(path)

    assert words in error.value.problem
    assert str(path) in error.value.problem
    assert f"kubectl --kubeconfig {path}" in error.value.advice


@pytest.mark.parametrize("content", ["", "[]", "just text", "{: bad", "\x00"])
def test_a_file_that_is_no_kubeconfig_is_an_error_and_no_traceback(tmp_path, content):
    """Whatever is in it."""
    path = tmp_path / "config"
    path.write_text(content)

    with pytest.raises(ConfigurationError, match=str(path)):
        load(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    """The path was mistyped."""
    with pytest.raises(ConfigurationError, match="nowhere cannot be read"):
        load(tmp_path / "nowhere")


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A process with no credentials at all."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(credentials, "SERVICE_ACCOUNT", tmp_path / "serviceaccount")
    return tmp_path


def test_without_any_credentials_the_ways_to_name_some_are_told(nowhere):
    """The first thing a new user meets."""
    with pytest.raises(
        ConfigurationError, match=r"neither a kubeconfig nor .* Name one with --kubeconfig or \$KUBECONFIG"
    ):
        load(None)


def test_in_a_pod_the_service_account_is_used(nowhere, monkeypatch, clock):
    """Its token is read again each minute; an IPv6 address gets its brackets."""
    home = nowhere / "serviceaccount"
    home.mkdir()
    for name, content in (("token", "t0k\n"), ("ca.crt", "CA"), ("namespace", "alo-system")):
        (home / name).write_text(content)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")

    assert load(None) == Credentials(
        "https://[fd00::1]:443", ca=b"CA", token="t0k", namespace="alo-system", expires=at(60)
    )


def test_the_environment_comes_before_the_service_account(nowhere, kubeconfig, monkeypatch):
    """And what is named on the command line before both."""
    path = kubeconfig({"token": "from-file"})
    monkeypatch.setenv("KUBECONFIG", f"{path}:/somewhere/else")

    assert load(None).token == "from-file"


def test_certificates_that_are_none_are_refused_with_advice():
    """Text that base64 could hold but TLS cannot use."""
    with pytest.raises(ConfigurationError, match=r"the certificates for https://api\.test cannot be used"):
        Credentials("https://api.test", ca=b"not a certificate").ssl_context()
