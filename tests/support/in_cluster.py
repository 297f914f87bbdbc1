"""Operator and gateway in the cluster, as manifests/install has them: in pods of their own, under their own rights."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import product_image
from tests.cluster.providers import Cluster
from tests.support import namespaces
from tests.support.api import Api
from tests.support.fixtures import Operators
from tests.support.installed import ROOT
from tests.support.kubectl import Kubectl, to_yaml
from tests.support.operator_process import SYSTEM_NAMESPACE, is_error
from tests.support.stage import Stage
from tests.support.waiting import wait_for

Object = dict[str, Any]

INSTALL = ROOT / "manifests" / "install"
NAME_LABEL, COMPONENT_LABEL = "app.kubernetes.io/name", "app.kubernetes.io/component"
NAME = "alo-operator"
LEASE = "alo-operator"
ARCHIVE_VARIABLE = "ALO_IMAGE_ARCHIVE"
ROLLOUT = 120.0  # seconds


@dataclass
class InCluster:
    """The installed product. `kubectl` works in its namespace as administrator; `folder` is for its kustomization.

    It looks after the namespaces named at `install` only: the operators of other tests live in the same cluster.
    `expected_errors` are regular expressions for log lines that a test expects, as for OperatorProcess.
    """

    kubectl: Kubectl
    api: Api
    folder: Path
    expected_errors: list[str] = field(default_factory=list)

    def install(self, *namespaces: str, arguments: Sequence[str] = (), wait: bool = True) -> None:
        """Apply manifests/install with the namespaces and further arguments of the operator; or change them."""
        args = "/spec/template/spec/containers/0/args"
        # The test is the shipped Deployment's first argument after `run`, so that a patch never hits another.
        patch: list[Object] = [
            {"op": "test", "path": f"{args}/1", "value": "--all-namespaces"},
            {"op": "remove", "path": f"{args}/1"},
        ]
        words = [*(f"--namespace={name}" for name in namespaces), *arguments]
        patch += [{"op": "add", "path": f"{args}/-", "value": word} for word in words]
        target = {"kind": "Deployment", "name": "alo-operator"}
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [os.path.relpath(INSTALL.resolve(), self.folder.resolve())],
            "patches": [{"target": target, "patch": json.dumps(patch)}],
        }
        (self.folder / "kustomization.yaml").write_text(to_yaml(kustomization), "utf-8")
        self.kubectl("apply", "--server-side", "--force-conflicts", "-k", self.folder)
        if wait:
            self.await_rollout()

    def await_rollout(self) -> None:
        """Return when every pod of both Deployments is the wanted one and ready, and one operator leads."""
        for component in ("operator", "gateway"):
            done = self.kubectl(
                "rollout", "status", f"deployment/alo-{component}", f"--timeout={ROLLOUT:g}s",
                check=False, timeout=ROLLOUT + 10,
            )  # fmt: skip
            assert done.code == 0, f"{done.stderr}{done.stdout}{self.state()}"
        wait_for(lambda: self.leader() in self.names(), ROLLOUT, lambda: f"an operator leads; {self.state()}")

    def pods(self, component: str = "operator") -> list[Object]:
        """Return the component's pods that are not being deleted."""
        selector = f"{NAME_LABEL}={NAME},{COMPONENT_LABEL}={component}"
        found = self.api.list("pods", SYSTEM_NAMESPACE, labelSelector=selector)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def names(self, component: str = "operator") -> set[str]:
        return {pod["metadata"]["name"] for pod in self.pods(component)}

    def leader(self) -> str:
        """Return the name of the operator that holds the Lease; empty where nobody does."""
        lease = self.api.get("leases", SYSTEM_NAMESPACE, LEASE)
        return str((lease or {}).get("spec", {}).get("holderIdentity") or "")

    def restarts(self, pod: str) -> int:
        """Return how often the pod's container has been started again."""
        return sum(
            int(status["restartCount"])
            for found in self.pods()
            if found["metadata"]["name"] == pod
            for status in found["status"].get("containerStatuses", [])
        )

    def python(self, pod: str, program: str) -> str:
        """Run a Python program in a pod and return what it printed. Raises KubectlFailed."""
        return self.kubectl("exec", pod, "--", "python", "-c", program).stdout

    def log(self, pod: str) -> str:
        """Return a pod's log, with that of its containers before the last."""
        previous = self.kubectl("logs", pod, "--previous", check=False)
        return (previous.stdout if previous.code == 0 else "") + self.kubectl("logs", pod, check=False).stdout

    def state(self) -> str:
        """Return what somebody wants to see who looks for a mistake."""
        shown = self.kubectl("get", "pods,leases", "-o", "wide", check=False).stdout
        events = self.kubectl("get", "events", "--sort-by=.lastTimestamp", check=False).stdout.splitlines()[-15:]
        logs = [
            f"log of {name}:\n" + "\n".join(self.log(name).splitlines()[-15:])
            for component in ("operator", "gateway")
            for name in sorted(self.names(component))
        ]
        return "\n".join([shown, *events, *logs])

    def unexpected_errors(self) -> list[str]:
        """Return the lines of all logs that nobody expected: level error or worse, or with a traceback."""
        return [
            f"{name}: {line}"
            for component in ("operator", "gateway")
            for name in sorted(self.names(component))
            for line in self.log(name).splitlines()
            if is_error(line) and not any(re.search(pattern, line) for pattern in self.expected_errors)
        ]

    def remove(self) -> None:
        """Take it away but for namespace, accounts and rights, which other tests use; return when its pods are gone."""
        self.kubectl("delete", "deployment,service,poddisruptionbudget", "-l", f"{NAME_LABEL}={NAME}")
        selector = f"{NAME_LABEL}={NAME}"
        wait_for(
            lambda: not self.api.list("pods", SYSTEM_NAMESPACE, labelSelector=selector),
            60,
            lambda: f"the pods are gone; {self.state()}",
        )
        self.api.delete("leases", LEASE, SYSTEM_NAMESPACE)


@pytest.fixture(scope="session")
def product_loaded(cluster: Cluster) -> str:
    """The product's image on the real node; the value is its name there.

    It is one of the same make as the Dockerfile's, or the one in the archive (of `docker save`) that ALO_IMAGE_ARCHIVE
    names.
    """
    named = os.environ.get(ARCHIVE_VARIABLE)
    cluster.load_image(Path(named) if named else product_image.archive())
    return product_image.image_name()


@pytest.fixture(scope="module")
def in_cluster(
    product_loaded: str,
    operator_kubeconfig: Path,
    cluster_kubectl: Kubectl,
    api: Api,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[InCluster]:
    """The product in the cluster, once `install` has been called. Its logs must be free of errors at the end.

    The test must be marked `needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE, Capability.SERVICES)`.
    """
    made = InCluster(cluster_kubectl.inside(SYSTEM_NAMESPACE), api, tmp_path_factory.mktemp("in-cluster"))
    try:
        yield made
        problems = made.unexpected_errors()
        assert not problems, "\n".join(problems[:20])
    finally:
        print(made.state())
        made.remove()


@pytest.fixture(scope="module")
def in_cluster_stage(
    operator_kubeconfig: Path,
    cluster_kubectl: Kubectl,
    api: Api,
    _used_namespaces: list[str],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Stage]:
    """A namespace that the product in the cluster looks after, installed and leading."""
    name = namespaces.make(api)
    _used_namespaces.append(name)
    stage = Stage(
        api,
        name,
        cluster_kubectl.inside(name),
        Operators(operator_kubeconfig, name, tmp_path_factory.mktemp(name)),
    )
    try:
        request.getfixturevalue("in_cluster").install(name)
        yield stage
        stage.kubectl("delete", "asyncoperations", "--all", "--timeout=60s", timeout=70)
    finally:
        namespaces.remove(api, name)
