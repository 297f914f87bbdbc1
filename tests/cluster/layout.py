"""Where one source-built cluster lives on this machine: its folder, addresses and ports. Written down at `up`."""

import hashlib
import json
import os
import socket
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.errors import ClusterError
from tests.cluster.pki import Authority
from tests.cluster.processes import Processes
from tests.cluster.providers import ROOT, Options

LOOPBACK = "127.0.0.1"
# Clusters with a real node can run side by side, each in a slot with address ranges of its own: services, pods,
# simulated pods. The pods' bridge carries the first address of their range, and the API server listens there, where
# pods reach it too. A cluster without a real node uses slot 0: nothing of its ranges shows on the machine.
SLOTS = range(8)
FIRST_RANGE = 96  # 10.96.0.0/16 and the following
PORTS = ("etcd", "etcd-peer", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet-health")
# A socket's path has at most 107 characters; kubelet and containerd add up to 45 to their folder's.
LONGEST_NODE_DIR = 60


@dataclass(frozen=True)
class Layout:
    """All that is decided before the first process starts."""

    state_dir: Path
    options: Options
    ports: dict[str, int] = field(default_factory=dict)
    slot: int = 0

    @property
    def service_range(self) -> str:
        return f"{self._range(0)}.0.0/16"

    @property
    def service_address(self) -> str:
        """What Kubernetes gives the API server in the range of services."""
        return f"{self._range(0)}.0.1"

    @property
    def name_server(self) -> str:
        """The customary address of a name server in the cluster; nobody is there without `services`."""
        return f"{self._range(0)}.0.10"

    @property
    def pod_range(self) -> str:
        return f"{self._range(1)}.0.0/16"

    @property
    def bridge_address(self) -> str:
        """The machine's own address on the pods' bridge."""
        return f"{self._range(1)}.0.1"

    @property
    def last_address(self) -> str:
        """The last one that a pod may get."""
        return f"{self._range(1)}.255.250"

    @property
    def services(self) -> bool:
        """Whether pods reach Services; without a real node there are no pods that could."""
        return self.options.services and self.options.real_node

    @property
    def services_address(self) -> str:
        """Where pods send what goes to a Service: an address at the end of the pods' range that no pod gets."""
        return f"{self._range(1)}.255.254"

    @property
    def services_namespace(self) -> str:
        return f"{self.bridge}-services"

    @property
    def services_link(self) -> str:
        """The end of the services namespace's link that hangs on the bridge; 15 characters at most."""
        return f"{self.bridge}-s"

    @property
    def services_dir(self) -> Path:
        return self.state_dir / "services"

    @property
    def simulated_range(self) -> str:
        return f"{self._range(2)}.0.0/16"

    def _range(self, index: int) -> str:
        return f"10.{FIRST_RANGE + 3 * self.slot + index}"

    @property
    def address(self) -> str:
        """Where the API server listens: never on an address that other machines reach."""
        return self.bridge_address if self.options.real_node else LOOPBACK

    @property
    def server(self) -> str:
        return f"https://{self.address}:{self.ports['kube-apiserver']}"

    @property
    def tag(self) -> str:
        """Eight characters that are this cluster's own on this machine, for names that have no room for more."""
        return hashlib.sha256(str(self.state_dir).encode()).hexdigest()[:8]

    @property
    def bridge(self) -> str:
        return f"alo-{self.tag}"

    @property
    def node_name(self) -> str:
        return f"{self.options.name}-real"

    @property
    def node_dir(self) -> Path:
        """Where containerd and kubelet keep their files: in the state folder, unless its path is too long for that."""
        inside = self.state_dir / "node"
        return inside if len(str(inside)) <= LONGEST_NODE_DIR else Path("/var/lib/alo-operator") / self.tag

    @property
    def authority(self) -> Authority:
        return Authority(self.state_dir / "pki")

    @property
    def processes(self) -> Processes:
        return Processes(self.state_dir)

    @property
    def kubeconfig(self) -> Path:
        return self.state_dir / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        return self.state_dir / "audit.log"

    def component_kubeconfig(self, component: str) -> Path:
        return self.state_dir / "kubeconfigs" / f"{component}.kubeconfig"

    def save(self) -> None:
        self.state_dir.mkdir(parents=True, exist_ok=True)
        record = {"options": asdict(self.options), "ports": self.ports, "slot": self.slot}
        unfinished = self.state_dir / "cluster.json.new"
        unfinished.write_text(json.dumps(record, indent=2) + "\n")
        unfinished.rename(self.state_dir / "cluster.json")


def state_dir_of(name: str) -> Path:
    # The folder may be a link to another checkout's; names that are made from the path have to be the same in both.
    return (ROOT / ".cluster").resolve() / name


def saved(name: str) -> Layout | None:
    """Return the layout that the last `up` of this name wrote down, if there is one that can be read."""
    folder = state_dir_of(name)
    try:
        record = json.loads((folder / "cluster.json").read_text())
        ports = {key: int(port) for key, port in record["ports"].items()}
        return Layout(folder, Options(**record["options"]), ports, int(record.get("slot", 0)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def planned(options: Options) -> Layout:
    """Return a layout with a slot and ports that are free now. Raises ClusterError if all slots are taken."""
    layout = Layout(state_dir_of(options.name), options, free_ports())
    if not options.real_node:
        return layout
    addresses = run(["ip", "-o", "-4", "address", "show"])
    for slot in SLOTS:
        candidate = replace(layout, slot=slot)
        if f" {candidate.bridge_address}/" not in addresses:
            return candidate
    raise ClusterError(f"{len(SLOTS)} clusters with a real node run on this machine already; stop one of them first")


def free_ports() -> dict[str, int]:
    """Return a port of the loopback address for each name, all different, free at this moment."""
    sockets = {name: socket.socket(socket.AF_INET, socket.SOCK_STREAM) for name in PORTS}
    try:
        for opened in sockets.values():
            opened.bind((LOOPBACK, 0))
        return {name: int(opened.getsockname()[1]) for name, opened in sockets.items()}
    finally:
        for opened in sockets.values():
            opened.close()


def unproxied_environment() -> dict[str, str]:
    """Return variables which make sure that no component asks a proxy for the cluster's own addresses."""
    ranges = [f"10.{FIRST_RANGE + number}.0.0/16" for number in range(3 * len(SLOTS))]
    own = ",".join(["localhost", "127.0.0.0/8", *ranges])
    return {key: ",".join(filter(None, (os.environ.get(key), own))) for key in ("NO_PROXY", "no_proxy")}
