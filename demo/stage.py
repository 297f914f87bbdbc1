"""Everything that has to be there before the curtain rises, and that is taken away after it falls."""

import json
import os
import tempfile
import time
import zipfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from demo.programs import ROOT, DemoError, Gateway, Kubectl, Operator
from demo.screen import Screen
from demo.watching import Watch
from tests.cluster.errors import ClusterError
from tests.cluster.providers import Capability, Cluster, Options, choose, wanted_name

SYSTEM_NAMESPACE = "alo-system"
SERVICE_ACCOUNT = "alo-operator"
GATEWAY_ACCOUNT = "alo-gateway"
NEEDED = (Capability.REAL_KUBELET, Capability.LOAD_IMAGE)


class Stage:
    """A context manager: the cluster, our kinds and rights in it, a namespace with the input files, the operator."""

    def __init__(self, screen: Screen, namespace: str, *, keep: bool) -> None:
        self.screen, self.namespace, self.keep = screen, namespace, keep
        self.name = wanted_name()
        self.kubectl: Kubectl
        self.gateway: Gateway
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
        gateways = cluster.kubeconfig_for_service_account(SYSTEM_NAMESPACE, GATEWAY_ACCOUNT)
        host = cluster.host_address or urlsplit(cluster.server).hostname or "127.0.0.1"
        self.gateway = Gateway(gateways, self._log(cluster, "gateway"), host=host)
        self._after.callback(self.gateway.stop)
        self.gateway.start()
        self.operator = Operator(
            account,
            self._log(cluster, "operator"),
            namespace=self.namespace,
            report_url=self.gateway.url,
        )
        self._after.callback(self._stop_operator)
        self.operator.start()
        say(
            f"Started the operator (process {self.operator.pid}) for the namespace {self.namespace}, and the gateway "
            f"that workers report to (process {self.gateway.pid}), each under its own account."
        )

        if self.kubectl.quiet("get", "namespace", self.namespace, check=False).code == 0:
            say(f"Deleting the namespace {self.namespace} of an earlier run first.")
            self.kubectl.quiet("delete", "namespace", self.namespace, "--ignore-not-found", seconds=300)
        self.kubectl.quiet("create", "namespace", self.namespace)
        self._after.callback(self._leave_namespace)
        self.kubectl.quiet("wait", "--for=create", "serviceaccount/default", "--timeout=60s")  # pods need it
        for folder in ("input", "workers"):
            files = [f"--from-file={path}" for path in sorted((ROOT / "demo" / folder).glob("[!_]*.*"))]
            self.kubectl.quiet("create", "configmap", f"demo-{folder}", *files)
        with tempfile.TemporaryDirectory() as folder:
            library = pack_worker_library(Path(folder) / "alo-worker.zip")
            self.kubectl.quiet("create", "configmap", "alo-worker", f"--from-file={library}")
        say("Put the workers' programs, their library and input files (demo/workers/, demo/input/) into ConfigMaps.")
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

    def _log(self, cluster: Cluster, program: str) -> Path:
        log = cluster.state_dir / "logs" / f"{program}-{self.namespace}.log"
        log.unlink(missing_ok=True)
        return log

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


def pack_worker_library(target: Path) -> Path:
    """Write the library for Python workers as one archive that Python imports from; returns `target`."""
    package = ROOT / "operator" / "alo_operator"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in (package / "__init__.py", package / "errors.py", *sorted((package / "worker").glob("*.py"))):
            archive.write(path, path.relative_to(package.parent).as_posix())
    return target


def _version(cluster: Cluster) -> str:
    return str(json.loads(cluster.run_kubectl("get", "--raw", "/version"))["gitVersion"])
