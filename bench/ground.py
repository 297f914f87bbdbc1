"""What a run stands on: a cluster of its own, our kinds and rights in it, and the processes under test."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.errors import ClusterError
from tests.cluster.layout import LOOPBACK
from tests.cluster.providers import KUBECONFIG_VARIABLE, ROOT, Options
from tests.cluster.running import RunningCluster
from tests.cluster.source_built import SourceBuilt
from tests.support import installed
from tests.support.api import Api
from tests.support.audit import OPERATOR_USER, AuditLog
from tests.support.kubectl import Kubectl
from tests.support.operator_process import SERVICE_ACCOUNT, SYSTEM_NAMESPACE, OperatorProcess
from tests.support.waiting import wait_for

OPERATOR_PYTHON = ROOT / ".venv-operator" / "bin" / "python"
COMPONENTS = ("kube-apiserver", "etcd", "kube-controller-manager", "kube-scheduler", "kwok")
LIFTED = (
    "client-side request limits of kube-controller-manager and kube-scheduler are lifted (1000/s, burst 2000; 20 Jobs "
    "and 40 collections at a time instead of 5 and 20), the simulator has none"
)
READY = "ready"  # what a peer prints when it watches


@dataclass
class Ground:
    """A running cluster with everything installed. `folder` takes logs and goes with the run."""

    cluster: RunningCluster
    api: Api
    kubeconfig: Path  # the operator's, under the shipped rights
    folder: Path
    version: str
    audit: AuditLog
    spaces: list[str] = field(default_factory=list)
    token: str = field(default_factory=lambda: secrets.token_hex(2))

    @property
    def log(self) -> Path:
        """The API server's audit log."""
        return self.audit.path

    @property
    def etcd(self) -> str:
        """The URL at which etcd serves its clients; it asks nobody who they are."""
        return f"http://{LOOPBACK}:{self.cluster.layout.ports['etcd']}"

    def pids(self) -> dict[str, int]:
        """Of the cluster's components and of this program, by name."""
        processes = self.cluster.layout.processes
        found = {name: pid for name in COMPONENTS if (pid := processes.pid(name)) is not None}
        return found | {"caller": os.getpid()}

    def namespace(self, purpose: str) -> str:
        """Make a namespace for one load; it stays until the cluster goes."""
        name = f"bench-{self.token}-{len(self.spaces):02d}-{purpose}"
        self.spaces.append(name)
        self.api.create("namespaces", {"metadata": {"name": name}})
        account = f"namespace {name} has its default service account"
        wait_for(lambda: self.api.get("serviceaccounts", name, "default"), describe=account, interval=0.02)
        return name

    def mark(self) -> int:
        """Where the audit log ends now: what comes behind it happens from now on."""
        self.audit.mark()
        return self.audit.offset

    def operator(self, namespace: str) -> OperatorProcess:
        """Our operator for one namespace, not yet started, as users run it."""
        return OperatorProcess(
            identity="bench",
            kubeconfig=self.kubeconfig,
            log_file=self.folder / f"operator-{namespace}.log",
            namespaces=(namespace,),
            lease_name=namespace,
            lease_duration="15s",
            lease_renew="5s",
        )

    def peer(self, module: str, namespace: str, **settings: object) -> "Peer":
        """A program of bench/peers, not yet started, as a user `bench-<module>` who may do anything."""
        user = f"bench-{module}"
        kubeconfig = self.cluster.kubeconfig_for_user(user, ("system:masters",))
        return Peer(module, user, kubeconfig, namespace, self.folder / f"{module}-{namespace}.log", settings)


@dataclass
class Peer:
    """A program of bench/peers, run in the operator's environment."""

    module: str
    user: str
    kubeconfig: Path
    namespace: str
    log_file: Path
    settings: Mapping[str, object]
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self, *, wait: bool = True) -> None:
        """Start it; return when it says that it is ready. Raises RuntimeError if it ends instead."""
        words = [f"--{name.replace('_', '-')}={value}" for name, value in self.settings.items()]
        command = [OPERATOR_PYTHON, "-m", f"bench.peers.{self.module}", "--kubeconfig", self.kubeconfig]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KUBE"))}
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in (*command, "--namespace", self.namespace, *words)],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=kept,
                cwd=ROOT,
            )
        if wait:
            wait_for(self._ready, describe=lambda: f"{self.module} is ready; it said: {self.said()}")

    def _ready(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError(f"{self.module} ended with {self.process.returncode}: {self.said()}")
        return READY in self.said().splitlines()

    def finish(self, timeout: float = 300.0) -> str:
        """Wait for its end and return what it said. Raises RuntimeError where it failed."""
        assert self.process is not None
        if self.process.wait(timeout):
            raise RuntimeError(f"{self.module} ended with {self.process.returncode}: {self.said()}")
        return self.said()

    def stop(self) -> None:
        """End it, at once if it does not obey."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def said(self) -> str:
        return self.log_file.read_text("utf-8", errors="replace")[-4000:] if self.log_file.exists() else ""


@contextmanager
def running(process: OperatorProcess | Peer, *, wait: bool = True) -> Iterator[Any]:
    """Start it, and end it whatever happens; `wait` until it is ready."""
    process.start(wait=wait)
    try:
        yield process
    finally:
        if isinstance(process, Peer) or process.running:
            process.stop()


@contextmanager
def ground(name: str, *, keep: bool = False) -> Iterator[Ground]:
    """A fresh cluster of that name without a real node, stopped at the end; `keep`: one that is up is taken, and left.

    Raises ClusterError where none can be started here.
    """
    if os.environ.get(KUBECONFIG_VARIABLE):
        raise ClusterError(f"measurements need a cluster of their own; unset {KUBECONFIG_VARIABLE}")
    if not OPERATOR_PYTHON.exists():
        raise ClusterError(f"{OPERATOR_PYTHON.relative_to(ROOT)} is missing; run `make setup`")
    provider = SourceBuilt()
    if not keep:
        provider.down(name)
    folder = Path(tempfile.mkdtemp(prefix="alo-bench-"))
    cluster = provider.up(Options(name=name, real_node=False, simulated_nodes=5, lift_client_limits=True))
    api = Api(cluster.kubeconfig)
    try:
        kubectl = Kubectl(cluster.kubectl, cluster.kubeconfig)
        installed.install_crds(kubectl, api)
        installed.install_rbac(kubectl)
        kubeconfig = cluster.kubeconfig_for_service_account(SYSTEM_NAMESPACE, SERVICE_ACCOUNT)
        version = str(api.request("GET", "/version")["gitVersion"])
        audit_log = cluster.audit_log
        assert audit_log is not None
        yield Ground(cluster, api, kubeconfig, folder, version, AuditLog(audit_log, api))
    finally:
        api.close()
        if keep:
            say(f"cluster {name} stays up; logs are in {folder}")
        else:
            provider.down(name)
            shutil.rmtree(folder, ignore_errors=True)


def say(text: str) -> None:
    """Progress, to standard error; the table goes to standard output."""
    print(f"bench {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


OPERATOR = OPERATOR_USER
