"""The real node: containerd and kubelet with all their files in the cluster's own folders."""

import json
import shutil
import socket
from pathlib import Path
from typing import Any

from tests.cluster import kubeconfigs
from tests.cluster.answers import answers
from tests.cluster.controlgroups import create_groups
from tests.cluster.controlplane import Component
from tests.cluster.debian import CNI_PLUGINS
from tests.cluster.images import PAUSE
from tests.cluster.layout import LOOPBACK, Layout

KUBELET_PORT = 10250

CONTAINERD = """\
version = 2
root = "{dir}/containerd"
state = "{dir}/run"

[grpc]
  address = "{socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{dir}/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{dir}/cni"

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
      Root = "{dir}/runc"
"""
# Nobody is asked for an image that is not loaded, not even for a registry's address: what containerd believes to be
# its proxy is a port of this machine that refuses at once.
NOWHERE = "http://127.0.0.1:1"
NO_REGISTRY = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), NOWHERE)


def containerd_socket(layout: Layout) -> Path:
    return layout.node_dir / "containerd.sock"


def prepare(layout: Layout) -> None:
    """Write what containerd and kubelet read, and make their folders."""
    folder = layout.node_dir
    if not folder.is_relative_to(layout.state_dir):
        shutil.rmtree(folder, ignore_errors=True)
    for name in ("cni", "kubelet", "pod-logs"):
        (folder / name).mkdir(parents=True)
    settings = CONTAINERD.format(dir=folder, socket=containerd_socket(layout), pause=PAUSE, plugins=CNI_PLUGINS)
    (folder / "containerd.toml").write_text(settings)
    (folder / "resolv.conf").write_text("")
    (folder / "cni" / "10-alo.conflist").write_text(json.dumps(pod_network(layout), indent=2))
    (folder / "kubelet.json").write_text(json.dumps(kubelet_configuration(layout), indent=2))
    authority = layout.authority
    authority.server("kubelet", (layout.node_name,), (layout.bridge_address,))
    user = f"system:node:{layout.node_name}"
    kubeconfigs.with_certificate(
        layout.component_kubeconfig("kubelet"),
        server=layout.server,
        authority=authority.pair.certificate,
        user=user,
        pair=authority.client("kubelet-client", user, ("system:nodes",)),
    )
    create_groups(f"alo-{layout.tag}")


def pod_network(layout: Layout) -> dict[str, object]:
    addresses: dict[str, Any] = {
        "type": "host-local",
        "dataDir": str(layout.node_dir / "addresses"),
        "ranges": [[{"subnet": layout.pod_range, "gateway": layout.bridge_address, "rangeEnd": layout.last_address}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    if layout.services:
        addresses["routes"].append({"dst": layout.service_range, "gw": layout.services_address})
    bridge = {"type": "bridge", "bridge": layout.bridge, "hairpinMode": True, "ipMasq": False, "ipam": addresses}
    return {"cniVersion": "0.4.0", "name": layout.bridge, "plugins": [bridge]}


def kubelet_configuration(layout: Layout) -> dict[str, object]:
    folder = layout.node_dir
    pki = layout.authority.folder
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.bridge_address,
        "port": KUBELET_PORT,
        "healthzBindAddress": LOOPBACK,
        "healthzPort": layout.ports["kubelet-health"],
        "readOnlyPort": 0,
        "tlsCertFile": str(pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet.key"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.authority.pair.certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{containerd_socket(layout)}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/alo-{layout.tag}",
        "failSwapOn": False,
        "failCgroupV1": False,
        "oomScoreAdj": 0,  # lowering it takes a right that not every root has
        "makeIPTablesUtilChains": False,
        "podLogsDir": str(folder / "pod-logs"),
        "volumePluginDir": str(folder / "volume-plugins"),
        "resolvConf": str(folder / "resolv.conf"),
        "clusterDomain": "cluster.local",
        "clusterDNS": [layout.name_server],
        "maxPods": 250,
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        "nodeStatusUpdateFrequency": "4s",
        "syncFrequency": "10s",
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {
            "memory.available": "64Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
            "imagefs.inodesFree": "1%",
        },
    }


def components(layout: Layout, kubelet: Path) -> list[Component]:
    """Return containerd and kubelet, in starting order."""
    folder = layout.node_dir
    containerd_arguments = ("containerd", "--config", str(folder / "containerd.toml"), "--log-level", "warn")
    kubelet_arguments = (
        str(kubelet),
        f"--config={folder / 'kubelet.json'}",
        f"--kubeconfig={layout.component_kubeconfig('kubelet')}",
        f"--root-dir={folder / 'kubelet'}",
        f"--cert-dir={folder / 'kubelet-pki'}",
        f"--hostname-override={layout.node_name}",
        f"--node-ip={layout.bridge_address}",
    )
    health = f"http://{LOOPBACK}:{layout.ports['kubelet-health']}/healthz"
    return [
        Component("containerd", containerd_arguments, lambda: accepts(containerd_socket(layout)), NO_REGISTRY),
        Component("kubelet", kubelet_arguments, lambda: answers(health)),
    ]


def accepts(path: Path) -> bool:
    """Return whether somebody listens at the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(2)
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True
