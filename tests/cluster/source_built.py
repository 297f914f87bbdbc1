"""The provider whose cluster is built from source and runs as processes on this machine."""

import os
import shutil
import sys
from pathlib import Path

from tests.cluster import binaries, controlplane, debian, images, network, node, remains, services, simulated
from tests.cluster.commands import succeeds
from tests.cluster.controlplane import Component
from tests.cluster.errors import ClusterError
from tests.cluster.layout import Layout, planned, saved, state_dir_of
from tests.cluster.locks import locked
from tests.cluster.progress import say, step
from tests.cluster.providers import DEFAULT_NAME, Capability, Options
from tests.cluster.running import RunningCluster
from tests.cluster.waiting import becomes_true, wait_until

# The order to stop in; the other way round of what needs whom.
STOP_ORDER = (
    "coredns",
    "kube-proxy",
    "kube-scheduler",
    "kubelet",
    "containerd",
    "kwok",
    "kube-controller-manager",
    "kube-apiserver",
    "etcd",
)
START_SECONDS = 60.0
PATIENCE = 30.0
OTHERS = (
    "install Docker, kind and kubectl (ALO_CLUSTER_PROVIDER=kind tells what is missing), or name another cluster in "
    "ALO_TEST_KUBECONFIG"
)


class SourceBuilt:
    """Builds Kubernetes, etcd and the rest once, and runs them from `.cluster/<name>/`."""

    name = "source-built"
    capabilities = frozenset(Capability)

    def available(self) -> str | None:
        if sys.platform != "linux":
            return f"the source-built cluster needs Linux; {OTHERS}"
        if os.geteuid() != 0:
            return f"a real node needs root: start as root; or {OTHERS}"
        if shutil.which("openssl") is None:
            return "the openssl program is missing; install the package openssl"
        return None

    def find(self, name: str = DEFAULT_NAME) -> RunningCluster | None:
        layout = saved(name)
        programs = binaries.cached(binaries.needed(services=layout.services)) if layout else None
        if layout is None or programs is None:
            return None
        cluster = RunningCluster(layout, components(layout, programs))
        return cluster if cluster.healthy() else None

    def up(self, options: Options) -> RunningCluster:
        check_name(options.name)
        reason = self.available()
        if reason is not None and (options.real_node or sys.platform != "linux"):
            raise ClusterError(reason)
        with locked(state_dir_of(options.name).with_suffix(".lock"), f"starting or stopping cluster {options.name}"):
            found = self.find(options.name)
            if found is None and runs(options.name):
                # Busy, or a test has stopped a part of it for a while: not for us to take away from others.
                say(f"cluster {options.name} runs and does not answer; waiting up to {PATIENCE:g} s")
                becomes_true(lambda: self.find(options.name) is not None, seconds=PATIENCE)
                found = self.find(options.name)
            if found is not None and satisfies(found.layout.options, options):
                say(f"cluster {options.name} is up")
                return found
            if found is not None:
                say(f"cluster {options.name} is up with other options ({found.layout.options}); starting it anew")
            if saved(options.name) is not None or state_dir_of(options.name).exists():
                take_down(options.name)
            if options.real_node:
                debian.ensure_packages()
            archives = images.built() if options.real_node else []
            programs = binaries.built(binaries.needed(services=options.services and options.real_node))
            with step(f"starting cluster {options.name}"):
                return start(options, programs, archives)

    def down(self, name: str = DEFAULT_NAME) -> None:
        check_name(name)
        if not state_dir_of(name).exists():
            say(f"there is no cluster {name}")
            return
        lock = state_dir_of(name).with_suffix(".lock")
        with locked(lock, f"starting or stopping cluster {name}"), step(f"stopping cluster {name}"):
            take_down(name)


def check_name(name: str) -> None:
    """Raise ClusterError for a name that cannot be part of a node's name and of a path."""
    if not name or len(name) > 40 or not all(char in "abcdefghijklmnopqrstuvwxyz0123456789-" for char in name):
        raise ClusterError(f"{name!r} is no name for a cluster: use up to 40 lower-case letters, digits and dashes")


def runs(name: str) -> bool:
    """Return whether a process of the cluster is there, whether it answers or not."""
    layout = saved(name)
    return layout is not None and any(map(layout.processes.runs, layout.processes.names()))


def satisfies(running: Options, wanted: Options) -> bool:
    """Return whether a cluster started with `running` can do what `wanted` asks for."""
    return (
        running.real_node >= wanted.real_node
        and running.simulated_nodes >= wanted.simulated_nodes
        and running.lift_client_limits == wanted.lift_client_limits
        and running.services >= wanted.services
    )


def components(layout: Layout, programs: dict[str, Path]) -> list[Component]:
    """Return every component of the cluster in starting order."""
    found = controlplane.components(layout, programs)
    if layout.options.simulated_nodes:
        found.append(simulated.kwok(layout, programs["kwok"]))
    if layout.options.real_node:
        found += node.components(layout, programs["kubelet"])
    if layout.services:
        found += services.components(layout, programs["kube-proxy"], programs["coredns"])
    return found


def start(options: Options, programs: dict[str, Path], archives: list[Path]) -> RunningCluster:
    """Start everything from nothing. What has been started stays for `down` if something fails."""
    # One at a time, or two clusters might take the same addresses.
    with locked(binaries.cache_dir() / "addresses.lock", "choosing addresses"):
        layout = planned(options)
        layout.save()
        if options.real_node:
            network.set_up(layout)
        if layout.services:
            services.set_up(layout)
    if layout.options.lift_client_limits:
        say("client-side request limits of controller manager and scheduler are lifted")
    controlplane.prepare(layout)
    if layout.options.real_node:
        node.prepare(layout)
    if layout.services:
        services.prepare(layout)
    cluster = RunningCluster(layout, components(layout, programs))
    cluster.launch("etcd")
    if layout.options.real_node:
        cluster.launch("containerd")
    cluster.start_component("etcd")
    cluster.launch("kube-apiserver")
    if layout.options.real_node:
        cluster.start_component("containerd")
        for archive in archives:
            cluster.load_image(archive)
    cluster.start_component("kube-apiserver")
    for component in cluster.components:
        cluster.launch(component.name)
    if layout.options.simulated_nodes:
        cluster.run_kubectl("create", "-f", "-", feed=simulated.node_list(layout))
    for component in cluster.components:
        cluster.start_component(component.name)
    await_nodes(cluster)
    wait_until(
        lambda: succeeds([cluster.kubectl, "--kubeconfig", cluster.kubeconfig, "get", "serviceaccount", "default"]),
        seconds=START_SECONDS,
        what="the default service account",
        explain=lambda: layout.processes.log_tail("kube-controller-manager"),
    )
    return cluster


def await_nodes(cluster: RunningCluster) -> None:
    layout = cluster.layout
    names = simulated.node_names(layout) + ([layout.node_name] if layout.options.real_node else [])
    if names:
        wait_until(
            lambda: cluster.ready_nodes() >= set(names),
            seconds=START_SECONDS,
            what=f"nodes {', '.join(names)} become ready",
            explain=lambda: layout.processes.log_tail("kubelet" if layout.options.real_node else "kwok"),
        )


def take_down(name: str) -> None:
    """End every process of the cluster and take away all that it left. Works on any rest of a cluster."""
    # What has no layout written down was cut short before anything outside its folder was made.
    layout = saved(name) or Layout(state_dir_of(name), Options(name=name, real_node=False))
    processes = layout.processes
    for component in (*STOP_ORDER, *processes.names()):
        # Nothing has to be finished in order: the cluster's data goes too.
        processes.stop(component, force=component != "kubelet", patience=2)
        if component == "containerd":
            remains.clean_up(layout)
    if layout.options.real_node:
        services.take_down(layout)
        network.take_down(layout)
    if layout.state_dir.exists():
        shutil.rmtree(layout.state_dir)
