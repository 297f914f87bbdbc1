"""Accounts with few rights, and the shipped admission policies, in force for their namespaces alone.

The cluster may be in use by others: policies go in under names of their own, bound to the namespaces of one test.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.providers import Cluster
from tests.support.api import Api, ApiError
from tests.support.kubectl import Kubectl
from tests.support.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "manifests" / "policies"
FINALIZER_POLICY = POLICIES / "finalizer"

Object = dict[str, Any]
Rule = tuple[str, tuple[str, ...], tuple[str, ...]]
"""API group, resources, verbs."""

WRITE = ("get", "list", "watch", "create", "update", "patch", "delete")
OPERATIONS: Rule = ("alo-operator.io", ("asyncoperations",), WRITE)
TEMPLATES: Rule = ("alo-operator.io", ("operationtemplates",), WRITE)
JOBS: Rule = ("batch", ("jobs",), WRITE)
STATUS: Rule = ("alo-operator.io", ("asyncoperations/status",), ("get", "update", "patch"))
NAMESPACE: Rule = ("", ("namespaces",), ("get", "update", "patch"))


@dataclass(frozen=True)
class Tenant:
    """A service account with a Role of its own: `api` and `kubectl` act as it."""

    namespace: str
    api: Api
    kubectl: Kubectl

    def create(self, manifest: Object, resource: str = "asyncoperations", **query: str) -> Object:
        """Post an object, as the API server defaults it."""
        path = f"/apis/{manifest['apiVersion']}/namespaces/{self.namespace}/{resource}"
        return self.api.request("POST", path, manifest, query=query)


def tenant(cluster: Cluster, api: Api, kubectl: Kubectl, namespace: str, name: str, *rules: Rule) -> Tenant:
    """Make an account that may do what `rules` say in `namespace`, and nothing else."""
    api.create("serviceaccounts", {"metadata": {"name": name}}, namespace)
    given = [{"apiGroups": [group], "resources": [*kinds], "verbs": [*verbs]} for group, kinds, verbs in rules]
    api.create("roles", {"metadata": {"name": name}, "rules": given}, namespace)
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    api.create("rolebindings", {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}, namespace)
    kubeconfig = cluster.kubeconfig_for_service_account(namespace, name)
    return Tenant(namespace, Api(kubeconfig), kubectl.as_user(kubeconfig).inside(namespace))


def scoped(kubectl: Kubectl, folder: Path, namespaces: Sequence[str]) -> list[Object]:
    """Return the policies of a folder, renamed after the first of `namespaces` and bound to these only."""
    found: list[Object] = list(yaml.safe_load_all(kubectl("kustomize", folder).stdout))
    selector = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": [*namespaces]}]}
    for item in found:
        item["metadata"]["name"] += f"-{namespaces[0]}"
        if item["kind"].endswith("Binding"):
            item["spec"]["policyName"] += f"-{namespaces[0]}"
            item["spec"].setdefault("matchResources", {})["namespaceSelector"] = selector
    return found


@contextmanager
def in_force(kubectl: Kubectl, folder: Path, namespaces: Sequence[str]) -> Iterator[list[Object]]:
    """Have the policies of a folder apply to `namespaces` for a while; see `refused` for when they do."""
    found = scoped(kubectl, folder, namespaces)
    kubectl("create", "-f", "-", input=found)
    try:
        yield found
    finally:
        kubectl("delete", "--ignore-not-found", "-f", "-", input=found)


def refusal(attempt: Callable[[], object]) -> Object:
    """Return the Status with which the API server refuses; empty where it does not."""
    try:
        attempt()
    except ApiError as error:
        return error.body
    return {}


def await_refusal(attempt: Callable[[], object], what: str) -> None:
    """Return when `attempt`, which must be a dry run, is refused: a new policy takes a moment."""
    wait_for(lambda: refusal(attempt), timeout=30, describe=f"the policy refuses {what}", interval=0.05)
