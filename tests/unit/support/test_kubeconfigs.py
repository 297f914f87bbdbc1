"""Reading a kubeconfig and naming resources."""

import pytest

from tests.support.api import path_of, read_kubeconfig

CONFIG = """
current-context: here
contexts: [{name: here, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: %s}]
"""


def test_a_token_becomes_a_header(tmp_path):
    """The current context's token is what requests are signed with."""
    path = tmp_path / "kubeconfig"
    path.write_text(CONFIG % "{token: abc}", "utf-8")

    assert read_kubeconfig(path).headers["Authorization"] == "Bearer abc"


def test_a_login_program_is_refused(tmp_path):
    """Tests do not run programs that a kubeconfig names; they say so."""
    path = tmp_path / "kubeconfig"
    path.write_text(CONFIG % "{exec: {command: aws}}", "utf-8")

    with pytest.raises(ValueError, match="not with a login program"):
        read_kubeconfig(path)


def test_resources_have_their_paths():
    """Core, grouped, cluster-wide and subresource paths are those of the API server."""
    assert path_of("pods", "a", "x") == "/api/v1/namespaces/a/pods/x"
    assert path_of("jobs", "a") == "/apis/batch/v1/namespaces/a/jobs"
    assert path_of("namespaces", None, "a") == "/api/v1/namespaces/a"
    assert path_of("asyncoperations") == "/apis/alo-operator.io/v1alpha1/asyncoperations"
    assert path_of("asyncoperations", "a", "x", "status").endswith("/asyncoperations/x/status")
