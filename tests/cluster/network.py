"""The real node's bridge, and the guard that keeps the cluster's addresses on this machine.

Nothing routes the cluster's ranges to the outside but the machine's default route, which takes every address that
nobody else claims. So before the first pod runs, firewall rules reject what goes to these ranges by any way but the
bridge and the loopback interface, and all that pods send elsewhere.
"""

import shutil
from pathlib import Path

from tests.cluster.commands import run, succeeds
from tests.cluster.errors import ClusterError
from tests.cluster.layout import Layout

# The plain name first: it is the machine's own choice between the two kinds.
FIREWALLS = ("iptables", "iptables-nft", "iptables-legacy")
WAIT_FOR_LOCK = ("-w", "10")


def set_up(layout: Layout) -> None:
    """Lay the guard, then make the bridge. Raises ClusterError."""
    firewall = working_firewall()
    (layout.state_dir / "firewall").write_text(firewall)
    take_down(layout)  # a start that was cut short may have left some of it
    lay_guard(layout, firewall)
    bridge = layout.bridge
    run(["ip", "link", "add", bridge, "type", "bridge"])
    run(["ip", "address", "add", f"{layout.bridge_address}/16", "dev", bridge])
    run(["ip", "link", "set", bridge, "up"])
    # Pods may reach each other through the bridge; the machine's other interfaces do not start to forward.
    Path(f"/proc/sys/net/ipv4/conf/{bridge}/forwarding").write_text("1")


def working_firewall() -> str:
    """Return the iptables program that works here; raises ClusterError if none does."""
    for program in FIREWALLS:
        if shutil.which(program) and succeeds([program, *WAIT_FOR_LOCK, "-S", "OUTPUT"]):
            return program
    raise ClusterError(f"none of {', '.join(FIREWALLS)} works here, so pods cannot be kept from the outside network")


def firewall_of(layout: Layout) -> str:
    """Return the iptables program with which the cluster's rules were made, or are to be. Raises ClusterError."""
    note = layout.state_dir / "firewall"
    return note.read_text() if note.exists() else working_firewall()


def chains(layout: Layout) -> dict[str, tuple[str, str]]:
    """Return, for each built-in chain that leads to one of ours, its table and our chain's name."""
    return {
        "OUTPUT": ("filter", f"ALO-{layout.tag}-OUT"),
        "FORWARD": ("filter", f"ALO-{layout.tag}-FWD"),
        "PREROUTING": ("nat", f"ALO-{layout.tag}-API"),
    }


def lay_guard(layout: Layout, firewall: str) -> None:
    bridge = layout.bridge
    ranges = (layout.service_range, layout.pod_range, layout.simulated_range)
    stay = [["-d", addresses, "-j", "REJECT"] for addresses in ranges]
    to_api_server = ["-j", "DNAT", "--to-destination", f"{layout.bridge_address}:{layout.ports['kube-apiserver']}"]
    rules = {
        "OUTPUT": [["-o", bridge, "-j", "RETURN"], ["-o", "lo", "-j", "RETURN"], *stay],
        "FORWARD": [
            ["-i", bridge, "-o", bridge, "-j", "ACCEPT"],
            ["-i", bridge, "-j", "REJECT"],
            ["-o", bridge, "-j", "REJECT"],
            *stay,
        ],
        # Pods find the API server at its service address.
        "PREROUTING": [["-i", bridge, "-d", layout.service_address, "-p", "tcp", "--dport", "443", *to_api_server]],
    }
    for built_in, (table, chain) in chains(layout).items():
        command = [firewall, *WAIT_FOR_LOCK, "-t", table]
        run([*command, "-N", chain])
        for rule in rules[built_in]:
            run([*command, "-A", chain, *rule])
        run([*command, "-I", built_in, "-j", chain])


def take_down(layout: Layout) -> None:
    """Remove the bridge, then the guard. What is not there is fine."""
    if succeeds(["ip", "link", "show", layout.bridge]):
        run(["ip", "link", "delete", layout.bridge])
    firewall = firewall_of(layout)
    for built_in, (table, chain) in chains(layout).items():
        command = [firewall, *WAIT_FOR_LOCK, "-t", table]
        if succeeds([*command, "-S", chain]):
            while succeeds([*command, "-D", built_in, "-j", chain]):
                continue
            run([*command, "-F", chain])
            run([*command, "-X", chain])


def guarded(layout: Layout) -> bool:
    """Return whether the guard is in force."""
    note = layout.state_dir / "firewall"
    if not note.exists():
        return False
    return all(
        succeeds([note.read_text(), *WAIT_FOR_LOCK, "-t", table, "-C", built_in, "-j", chain])
        for built_in, (table, chain) in chains(layout).items()
    )
