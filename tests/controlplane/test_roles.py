"""What people may do who have one of the cluster's own roles in a namespace."""

import pytest

from tests.support.waiting import wait_for

GROUP = "alo-operator.io"
RIGHTS = {  # what, and the roles that may
    ("get", "asyncoperations"): "view edit admin",
    ("get", "asyncoperations/status"): "view edit admin",
    ("get", "operationtemplates"): "view edit admin",
    ("create", "asyncoperations"): "edit admin",
    ("patch", "asyncoperations"): "edit admin",
    ("delete", "asyncoperations"): "edit admin",
    ("create", "operationtemplates"): "admin",
    ("patch", "operationtemplates"): "admin",
    ("delete", "operationtemplates"): "admin",
    ("patch", "asyncoperations/status"): "",
    ("update", "asyncoperations/status"): "",
    ("update", "asyncoperations/finalizers"): "",
}


@pytest.mark.promise("RIGHTS-4")
def test_the_clusters_own_roles_take_our_kinds_in(api, namespace, operator_kubeconfig):
    """Views read, editors use, admins offer templates, and nobody writes status or makes Jobs that claim an owner."""
    roles = ("view", "edit", "admin")
    for role in roles:
        subject = {"kind": "User", "name": f"{role}-{namespace}", "apiGroup": "rbac.authorization.k8s.io"}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
        binding = {"metadata": {"name": role}, "roleRef": reference, "subjects": [subject]}
        api.create("rolebindings", binding, namespace)

    def may(role, verb, what):
        resource, _, subresource = what.partition("/")
        wanted = {
            "namespace": namespace,
            "verb": verb,
            "group": GROUP,
            "resource": resource,
            "subresource": subresource,
        }
        review = {"spec": {"user": f"{role}-{namespace}", "resourceAttributes": wanted}}
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        return api.request("POST", path, review)["status"]["allowed"]

    # The controller that puts these roles together takes a moment after an installation.
    wait_for(lambda: may("admin", "create", "operationtemplates"), describe="the roles are put together")
    found = {right: " ".join(role for role in roles if may(role, *right)) for right in RIGHTS}

    assert found == RIGHTS
