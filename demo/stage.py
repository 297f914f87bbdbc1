"""Everything that has to be there before the curtain rises, and that is taken away after it falls."""

import json
import os
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from demo.programs import ROOT, DemoError, Kubectl, Operator
from demo.screen import Screen
from demo.watching import Watch
from tests.cluster.errors import ClusterError
from tests.cluster.providers import Capability, Cluster, Options, choose, wanted_name

SYSTEM_NAMESPACE = "alo-system"
SERVICE_ACCOUNT = "alo-operator"
NEEDED = (Capability.REAL_KUBELET, Capability.LOAD_IMAGE)


class Stage:
    """A context manager: the cluster, our kinds and rights in it, a namespace with the input files, the operator."""

    def __init__(self, screen: Screen, namespace: str, *, keep: bool) -> None:
        self.screen, self.namespace, self.keep = screen, namespace, keep
        self.name = wanted_name()
        self.kubectl: Kubectl
        self.operator: Operator
        self.watch: Watch
        self._after = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._set()
        except BaseException:
            self._after.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, DemoError):
            self.screen.write(f"The operator's log ends with:\n{self.operator.last_words()}")
        self._after.close()

    def _set(self) -> None:
        say = self.screen.write
        provider = choose()
        if reason := provider.available():
            raise DemoError(f"there is no cluster to show it on: {reason}")
        cluster = provider.find(self.name)
        if cluster is None:
            say(
                "No test cluster is up; starting one. The first time its programs are built from source (some minutes)."
            )
            self._after.callback(self._leave_cluster)
            cluster = provider.up(Options(name=self.name))
        lacking = [needed.value for needed in NEEDED if needed not in cluster.capabilities]
        if lacking:
            raise DemoError(
                f"cluster {cluster.name} has no {' and no '.join(lacking)}, which the workers need: stop it with "
                "`make cluster-down` (or unset ALO_TEST_KUBECONFIG) and try again"
            )
        self.kubectl = Kubectl(cluster.kubectl, cluster.kubeconfig, self.namespace, self.screen)
        say(f"Cluster {cluster.name} is up: Kubernetes {_version(cluster)} with a real node that runs containers.")

        cluster.run_kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds"))
        cluster.run_kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(ROOT / "crds"))
        cluster.run_kubectl("apply", "--server-side", "--force-conflicts", "-k", str(ROOT / "manifests" / "base"))
        say("Installed the two kinds (crds/) and the operator's service account and rights (manifests/base/).")

        account = cluster.kubeconfig_for_service_account(SYSTEM_NAMESPACE, SERVICE_ACCOUNT)
        log = cluster.state_dir / "logs" / f"operator-{self.namespace}.log"
        log.unlink(missing_ok=True)
        self.operator = Operator(account, self.namespace, log)
        self._after.callback(self._stop_operator)
        self.operator.start()
        say(f"Started the operator (process {self.operator.pid}) as that account, for the namespace {self.namespace}.")

        if self.kubectl.quiet("get", "namespace", self.namespace, check=False).code == 0:
            say(f"Deleting the namespace {self.namespace} of an earlier run first.")
            self.kubectl.quiet("delete", "namespace", self.namespace, "--ignore-not-found", seconds=300)
        self.kubectl.quiet("create", "namespace", self.namespace)
        self._after.callback(self._leave_namespace)
        self.kubectl.quiet("wait", "--for=create", "serviceaccount/default", "--timeout=60s")  # pods need it
        for folder in ("input", "workers"):
            files = [f"--from-file={path}" for path in sorted((ROOT / "demo" / folder).glob("[!_]*.*"))]
            self.kubectl.quiet("create", "configmap", f"demo-{folder}", *files)
        say("Put the workers' programs and input files (demo/workers/, demo/input/) into ConfigMaps.")
        self.watch = Watch(self.kubectl)
        self._after.callback(self.watch.stop)
        say("Below, kubectl stands for:")
        say(f"    {self.kubectl.binary} --kubeconfig {self.kubectl.kubeconfig} --namespace {self.namespace}")

    def restart_operator(self) -> float:
        """Kill the operator and start it again; returns the seconds until it was ready."""
        self.operator.kill()
        began = time.monotonic()
        self.operator.start()
        return time.monotonic() - began

    def _leave_namespace(self) -> None:
        if self.keep:
            self.screen.write(f"The namespace {self.namespace} stays (--keep); no operator looks after it now.")
            return
        # The operator has to be there for this: work that still runs is cancelled, and its pods go first.
        self.kubectl.quiet("delete", "asyncoperations", "--all", "--timeout=60s", check=False)
        self.kubectl.quiet("delete", "namespace", self.namespace, "--wait=false", check=False)
        self.screen.write(f"Deleted all operations with their Jobs and pods, and the namespace {self.namespace}.")

    def _stop_operator(self) -> None:
        self.operator.stop()
        self.kubectl.quiet("delete", "lease", self.namespace, "-n", SYSTEM_NAMESPACE, "--ignore-not-found", check=False)
        self.screen.write("Stopped the operator.")

    def _leave_cluster(self) -> None:
        if os.environ.get("ALO_KEEP_CLUSTER") == "1":
            self.screen.write("The cluster stays up (ALO_KEEP_CLUSTER=1); `make cluster-down` stops it.")
            return
        try:
            choose().down(self.name)
        except ClusterError as error:
            raise DemoError(str(error)) from error
        self.screen.write("Stopped the cluster, as the demo had started it.")


def _version(cluster: Cluster) -> str:
    return str(json.loads(cluster.run_kubectl("get", "--raw", "/version"))["gitVersion"])
