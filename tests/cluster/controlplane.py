"""etcd, API server, controller manager and scheduler: their files, arguments and health addresses."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster import kubeconfigs
from tests.cluster.answers import answers
from tests.cluster.layout import LOOPBACK, Layout, unproxied_environment

# Requests per second and burst of a client whose limits are lifted.
LIFTED = ("--kube-api-qps=1000", "--kube-api-burst=2000")


@dataclass(frozen=True)
class Component:
    """A process of the cluster: its name, its arguments, how to see that it works, and variables of its own."""

    name: str
    arguments: tuple[str, ...]
    healthy: Callable[[], bool]
    environment: dict[str, str] = field(default_factory=unproxied_environment)


def prepare(layout: Layout) -> None:
    """Write certificates, kubeconfigs and the audit policy."""
    authority = layout.authority
    authority.create()
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
    authority.server("apiserver", names, (LOOPBACK, layout.bridge_address, layout.service_address))
    # A group of its own would need a role of its own; kubelets let this one do everything.
    authority.client("apiserver-to-kubelet", "kube-apiserver", ("system:masters",))
    users: dict[str, tuple[str, tuple[str, ...]]] = {
        "admin": ("alo-admin", ("system:masters",)),
        "kube-controller-manager": ("system:kube-controller-manager", ()),
        "kube-scheduler": ("system:kube-scheduler", ()),
        "kwok": ("kwok", ("system:masters",)),
    }
    for file, (user, groups) in users.items():
        target = layout.kubeconfig if file == "admin" else layout.component_kubeconfig(file)
        kubeconfigs.with_certificate(
            target,
            server=layout.server,
            authority=authority.pair.certificate,
            user=user,
            pair=authority.client(file, user, groups),
        )
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    }
    (layout.state_dir / "audit-policy.json").write_text(json.dumps(policy))


def components(layout: Layout, binaries: dict[str, Path]) -> list[Component]:
    """Return the control plane, in the order in which it has to start."""
    return [
        etcd(layout, binaries["etcd"]),
        api_server(layout, binaries["kube-apiserver"]),
        controller_manager(layout, binaries["kube-controller-manager"]),
        scheduler(layout, binaries["kube-scheduler"]),
    ]


def etcd(layout: Layout, program: Path) -> Component:
    client = f"http://{LOOPBACK}:{layout.ports['etcd']}"
    peer = f"http://{LOOPBACK}:{layout.ports['etcd-peer']}"
    arguments = (
        str(program),
        "--name=alo",
        f"--data-dir={layout.state_dir / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=alo={peer}",
        "--unsafe-no-fsync",  # the data does not have to outlive the machine, only the process
        "--log-level=warn",
    )
    return Component("etcd", arguments, lambda: answers(f"{client}/health"))


def api_server(layout: Layout, program: Path) -> Component:
    pki = layout.authority.folder
    arguments = [
        str(program),
        f"--bind-address={layout.address}",
        f"--advertise-address={layout.address}",
        f"--secure-port={layout.ports['kube-apiserver']}",
        f"--etcd-servers=http://{LOOPBACK}:{layout.ports['etcd']}",
        f"--client-ca-file={layout.authority.pair.certificate}",
        # Without these, controller manager and scheduler complain once a second that they are missing.
        f"--requestheader-client-ca-file={layout.authority.pair.certificate}",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={layout.authority.service_account_public_key}",
        f"--service-account-signing-key-file={layout.authority.service_account_key}",
        f"--service-cluster-ip-range={layout.service_range}",
        "--authorization-mode=Node,RBAC",
        # The second asks for a right of its own of whoever makes an object that holds its owner's deletion up.
        "--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement",
        # Beta in 1.34 and off until asked for: our optional policy sets the finalizer at creation.
        "--feature-gates=MutatingAdmissionPolicy=true",
        "--runtime-config=admissionregistration.k8s.io/v1beta1=true",
        "--allow-privileged=true",
        f"--kubelet-certificate-authority={layout.authority.pair.certificate}",
        f"--kubelet-client-certificate={pki / 'apiserver-to-kubelet.crt'}",
        f"--kubelet-client-key={pki / 'apiserver-to-kubelet.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--audit-policy-file={layout.state_dir / 'audit-policy.json'}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-mode=blocking",  # a request's line is there before its answer
        "--audit-log-maxsize=4000",
        "--profiling=false",
    ]
    if layout.address == LOOPBACK:
        arguments.append("--endpoint-reconciler-type=none")  # a loopback address is no valid endpoint
    return Component("kube-apiserver", tuple(arguments), lambda: answers(f"{layout.server}/readyz"))


def controller_manager(layout: Layout, program: Path) -> Component:
    kubeconfig = layout.component_kubeconfig("kube-controller-manager")
    port = layout.ports["kube-controller-manager"]
    ca = layout.authority.pair
    arguments = [
        str(program),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={layout.authority.service_account_key}",
        f"--root-ca-file={ca.certificate}",
        f"--cluster-signing-cert-file={ca.certificate}",
        f"--cluster-signing-key-file={ca.key}",
        "--profiling=false",
    ]
    if layout.options.lift_client_limits:
        arguments += [*LIFTED, "--concurrent-job-syncs=20", "--concurrent-gc-syncs=40"]
    healthy = f"https://{LOOPBACK}:{port}/healthz"
    return Component("kube-controller-manager", tuple(arguments), lambda: answers(healthy))


def scheduler(layout: Layout, program: Path) -> Component:
    kubeconfig = layout.component_kubeconfig("kube-scheduler")
    port = layout.ports["kube-scheduler"]
    arguments = (
        str(program),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        "--leader-elect=false",
        "--profiling=false",
        *(LIFTED if layout.options.lift_client_limits else ()),
    )
    return Component("kube-scheduler", arguments, lambda: answers(f"https://{LOOPBACK}:{port}/healthz"))
