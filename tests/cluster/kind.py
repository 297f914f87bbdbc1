"""The provider for those who have Docker: kind, with images from public registries, each named by its digest."""

import json
import os
import shutil
import sys
from pathlib import Path

from tests.cluster.commands import run, succeeds
from tests.cluster.errors import ClusterError
from tests.cluster.layout import state_dir_of
from tests.cluster.locks import locked
from tests.cluster.progress import say, step
from tests.cluster.providers import DEFAULT_NAME, Capability, Options
from tests.cluster.reached import ReachedCluster

CONFIGURATION = Path(__file__).with_suffix(".yaml")
IMAGE_VARIABLE = "ALO_KIND_IMAGE"  # the node image; kind's own default is named by digest too
KIND_VERSION = "v0.33.0"
CAPABILITIES = frozenset(
    {
        Capability.AUDIT_LOG,
        Capability.LOAD_IMAGE,
        Capability.REAL_KUBELET,
        Capability.SERVICES,
        Capability.OWNER_PERMISSIONS,
    }
)
# What the workers of demo and tests run in, under the names that the source-built cluster gives its own images.
IMAGES = {
    "alo.local/shell:1": "docker.io/library/busybox:1.36.1"
    "@sha256:73aaf090f3d85aa34ee199857f03fa3a95c8ede2ffd4cc2cdb5b94e566b11662",
    "alo.local/python:1": "docker.io/library/python:3.11-slim-bookworm"
    "@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b",
}
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}
CREATE_SECONDS = 600.0  # a node image has several hundred megabytes, the first time
PULL_SECONDS = 600.0


def where_from(program: str) -> str:
    """Return how to get a program on this system."""
    words = {
        "docker": {
            "darwin": "install Docker Desktop, or `brew install colima docker` and `colima start`",
            "wsl": "turn on the WSL integration of Docker Desktop, or install Docker Engine inside WSL2",
            "linux": "install Docker Engine (https://docs.docker.com/engine/install) and join the group docker",
        },
        "kind": {
            "darwin": "`brew install kind`",
            "linux": f"`go install sigs.k8s.io/kind@{KIND_VERSION}`, or https://kind.sigs.k8s.io/docs/user/quick-start",
        },
        "kubectl": {
            "darwin": "`brew install kubectl`",
            "linux": "see https://kubernetes.io/docs/tasks/tools",
        },
    }[program]
    return words.get(system()) or words["linux"]


def system() -> str:
    """Return darwin, wsl or linux."""
    if sys.platform == "darwin":
        return "darwin"
    release = os.uname().release.lower()
    return "wsl" if "microsoft" in release else "linux"


def name_of(name: str) -> str:
    """Return kind's name for our cluster of this name."""
    return f"alo-{name}"


class KindCluster(ReachedCluster):
    def __init__(self, name: str) -> None:
        state_dir = state_dir_of(f"kind-{name}")
        kubectl = Path(shutil.which("kubectl") or "kubectl")
        super().__init__(name, state_dir / "kubeconfig", kubectl, state_dir, CAPABILITIES)
        self.audit_log = state_dir / "audit" / "audit.log"
        self.host_address = bridge_address()

    def load_image(self, tar: Path) -> None:
        if not tar.is_file():
            raise ClusterError(f"there is no image archive {tar}")
        run(["kind", "load", "image-archive", tar, "--name", name_of(self.name)], seconds=PULL_SECONDS)


def bridge_address() -> str | None:
    """Return the address at which kind's pods reach this machine; None where Docker runs in a machine of its own."""
    if system() != "linux":
        return None
    networks = json.loads(run(["docker", "network", "inspect", "kind"]))
    ranges = networks[0].get("IPAM", {}).get("Config") or []
    gateways = (str(one.get("Gateway", "")) for one in ranges)
    return next((gateway for gateway in gateways if "." in gateway), None)


class Kind:
    name = "kind"
    capabilities = CAPABILITIES

    def available(self) -> str | None:
        for program in ("docker", "kind", "kubectl"):
            if shutil.which(program) is None:
                return f"{program} is not on PATH: {where_from(program)}"
        if not succeeds(["docker", "info", "--format", "{{.ServerVersion}}"], seconds=20):
            return f"docker is installed and its engine does not answer (`docker info`): {where_from('docker')}"
        return None

    def find(self, name: str = DEFAULT_NAME) -> KindCluster | None:
        if self.available() is not None or name_of(name) not in run(["kind", "get", "clusters"]).split():
            return None
        try:
            cluster = KindCluster(name)
            cluster.run_kubectl("get", "--raw", "/readyz", seconds=20)
        except ClusterError:
            return None
        return cluster

    def up(self, options: Options) -> KindCluster:
        """Create the cluster, or find it running; what it lacks of `options` shows in its capabilities."""
        if reason := self.available():
            raise ClusterError(reason)
        state = state_dir_of(f"kind-{options.name}")
        state.parent.mkdir(parents=True, exist_ok=True)
        with locked(state.with_suffix(".lock"), f"starting or stopping cluster {options.name}"):
            if (found := self.find(options.name)) is not None:
                say(f"cluster {options.name} is up")
                return found
            self._remove(options.name)
            with step(f"creating kind cluster {name_of(options.name)}"):
                create(options.name, state)
            for name, source in IMAGES.items():
                with step(f"loading {source.partition('@')[0]} as {name}"):
                    load_public(options.name, name, source)
        return KindCluster(options.name)

    def down(self, name: str = DEFAULT_NAME) -> None:
        if reason := self.available():
            raise ClusterError(reason)
        self._remove(name)

    def _remove(self, name: str) -> None:
        state = state_dir_of(f"kind-{name}")
        if name_of(name) in run(["kind", "get", "clusters"]).split():
            with step(f"deleting kind cluster {name_of(name)}"):
                run(["kind", "delete", "cluster", "--name", name_of(name), "--kubeconfig", state / "kubeconfig"])
        shutil.rmtree(state, ignore_errors=True)


def create(name: str, state: Path) -> None:
    """Write the configuration and have kind make the cluster of it."""
    (state / "audit").mkdir(parents=True)
    (state / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY), "utf-8")
    configuration = state / "kind.yaml"
    configuration.write_text(CONFIGURATION.read_text("utf-8").replace("@STATE@", str(state)), "utf-8")
    image = os.environ.get(IMAGE_VARIABLE)
    # fmt: off
    run([
        "kind", "create", "cluster",
        "--name", name_of(name),
        "--config", configuration,
        "--kubeconfig", state / "kubeconfig",
        "--wait", "180s",
        *(("--image", image) if image else ()),
    ], seconds=CREATE_SECONDS)
    # fmt: on


def load_public(name: str, ours: str, source: str) -> None:
    """Pull an image unless it is there, and give it to the node under our name."""
    if not succeeds(["docker", "image", "inspect", source]):
        run(["docker", "pull", source], seconds=PULL_SECONDS)
    run(["docker", "tag", source, ours])
    run(["kind", "load", "docker-image", ours, "--name", name_of(name)], seconds=PULL_SECONDS)
