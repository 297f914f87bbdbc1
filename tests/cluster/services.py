"""Services and names for the pods of the real node: kube-proxy and CoreDNS in a network namespace of their own.

kube-proxy writes firewall rules with names that are the same everywhere, so two clusters could not share the machine's
own. Here each cluster has a namespace that hangs on the pods' bridge like a pod and carries these rules; pods send
there what goes to the range of services. Everything it passes on carries its own address as the source (masquerade), or
the answers would take the short way over the bridge, past the translation. An address in the range that belongs to no
Service is unreachable there, so nothing of it ever reaches the machine's default route.
"""

import json
import os
import shutil
from pathlib import Path

from tests.cluster import kubeconfigs, network
from tests.cluster.answers import answers
from tests.cluster.commands import run, succeeds
from tests.cluster.controlplane import Component
from tests.cluster.layout import LOOPBACK, Layout, unproxied_environment

DOMAIN = "cluster.local"
PROXY_HEALTH = 10256
NAMES_READY = 8181

# A name that is nobody's gets an answer at once; no server outside is asked for any.
COREFILE = """\
{domain} in-addr.arpa {{
    bind {name_server}
    errors
    ready {address}:{port}
    kubernetes {domain} in-addr.arpa {{
        kubeconfig {kubeconfig}
        ttl 5
    }}
}}
. {{
    bind {name_server}
    errors
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""


def set_up(layout: Layout) -> None:
    """Make the namespace and hang it on the bridge, which has to be there. Raises ClusterError."""
    name, inner = layout.services_namespace, ("ip", "-n", layout.services_namespace)
    take_down(layout)  # a start that was cut short may have left it
    run(["ip", "netns", "add", name])
    # Packets leave by the interface they came in by, and nobody is to be told of a shorter way.
    set_inside(layout, {"net.ipv4.ip_forward": "1"})
    set_inside(layout, {f"net.ipv4.conf.{which}.send_redirects": "0" for which in ("all", "default")})
    run(["ip", "link", "add", layout.services_link, "type", "veth", "peer", "name", "eth0", "netns", name])
    run(["ip", "link", "set", layout.services_link, "master", layout.bridge, "up"])
    run([*inner, "link", "set", "lo", "up"])
    run([*inner, "address", "add", f"{layout.name_server}/32", "dev", "lo"])
    run([*inner, "address", "add", f"{layout.services_address}/16", "dev", "eth0"])
    run([*inner, "link", "set", "eth0", "up"])
    run([*inner, "route", "add", "unreachable", layout.service_range])


def set_inside(layout: Layout, values: dict[str, str]) -> None:
    """Set kernel parameters of the namespace."""
    for key, value in values.items():
        path = "/proc/sys/" + key.replace(".", "/")
        run(["ip", "netns", "exec", layout.services_namespace, "sh", "-c", f"echo {value} > {path}"])


def take_down(layout: Layout) -> None:
    """Remove the namespace, and with it its rules and interfaces. What is not there is fine."""
    if exists(layout):
        run(["ip", "netns", "delete", layout.services_namespace])
    # It goes with the namespace, but not at once.
    if succeeds(["ip", "link", "show", layout.services_link]):
        succeeds(["ip", "link", "delete", layout.services_link])


def exists(layout: Layout) -> bool:
    names = [line.split()[0] for line in run(["ip", "netns", "list"]).splitlines() if line]
    return layout.services_namespace in names


def prepare(layout: Layout) -> None:
    """Write what kube-proxy and CoreDNS read."""
    folder = layout.services_dir
    folder.mkdir(parents=True, exist_ok=True)
    users: dict[str, tuple[str, tuple[str, ...]]] = {
        "kube-proxy": ("system:kube-proxy", ()),
        "coredns": ("coredns", ("system:masters",)),
    }
    for file, (user, groups) in users.items():
        kubeconfigs.with_certificate(
            layout.component_kubeconfig(file),
            server=layout.server,
            authority=layout.authority.pair.certificate,
            user=user,
            pair=layout.authority.client(file, user, groups),
        )
    # kube-proxy runs `iptables`; it gets the kind of it that works here, as the guard does.
    (folder / "bin").mkdir(exist_ok=True)
    for part in ("", "-save", "-restore"):
        found = shutil.which(network.firewall_of(layout) + part)
        link = folder / "bin" / f"iptables{part}"
        link.unlink(missing_ok=True)
        if found is not None:
            link.symlink_to(found)
    corefile = COREFILE.format(
        name_server=layout.name_server,
        address=layout.services_address,
        port=NAMES_READY,
        domain=DOMAIN,
        kubeconfig=layout.component_kubeconfig("coredns"),
    )
    (folder / "Corefile").write_text(corefile)
    (folder / "kube-proxy.json").write_text(json.dumps(proxy_configuration(layout), indent=2))


def proxy_configuration(layout: Layout) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": str(layout.component_kubeconfig("kube-proxy"))},
        "hostnameOverride": layout.node_name,
        "clusterCIDR": layout.pod_range,
        "detectLocalMode": "ClusterCIDR",
        "healthzBindAddress": f"{layout.services_address}:{PROXY_HEALTH}",
        "metricsBindAddress": f"{LOOPBACK}:10249",
        "iptables": {"masqueradeAll": True, "minSyncPeriod": "100ms"},
        # The machine's own limits are not ours to change.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def components(layout: Layout, proxy: Path, names: Path) -> list[Component]:
    """Return kube-proxy and CoreDNS."""
    inside = ("ip", "netns", "exec", layout.services_namespace)
    folder, address = layout.services_dir, layout.services_address
    proxy_arguments = (*inside, str(proxy), f"--config={folder / 'kube-proxy.json'}")
    names_arguments = (*inside, str(names), "-conf", str(folder / "Corefile"))
    healthy, ready = f"http://{address}:{PROXY_HEALTH}/healthz", f"http://{address}:{NAMES_READY}/ready"
    search = {"PATH": f"{folder / 'bin'}:{os.environ.get('PATH', os.defpath)}"}
    return [
        Component("kube-proxy", proxy_arguments, lambda: answers(healthy), unproxied_environment() | search),
        Component("coredns", names_arguments, lambda: answers(ready)),
    ]
