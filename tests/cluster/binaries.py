"""The cluster's commands, built from pinned Go modules and cached.

There are five Go modules beside this file (Kubernetes, etcd, kwok, kube-proxy, CoreDNS), because their requirements
contradict each other, or so that a change of one does not build the others anew.
A module's commands lie in ${XDG_CACHE_HOME:-~/.cache}/alo-operator/bin/<hash of go.mod, go.sum, flags and own code>/.
"""

import hashlib
import os
import re
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.locks import locked
from tests.cluster.progress import say, step

HERE = Path(__file__).resolve().parent
KUBERNETES_VERSION = "v1.34.4"


@dataclass(frozen=True)
class GoModule:
    """Commands that are built together: the folder of their go.mod, package by command, and linker flags."""

    name: str
    folder: Path
    packages: dict[str, str]
    linker_flags: tuple[str, ...] = ()


def version_stamps(version: str) -> tuple[str, ...]:
    """Return linker flags that make the commands report `version`; unstamped ones say v0.0.0, which clients refuse."""
    major, minor, _ = version.removeprefix("v").split(".")
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "archive"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return tuple(f"-X {package}.{key}={value}" for package in packages for key, value in stamps.items())


KUBERNETES = GoModule(
    name=f"Kubernetes {KUBERNETES_VERSION}",
    folder=HERE,
    packages={
        command: f"k8s.io/kubernetes/cmd/{command}"
        for command in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl")
    },
    linker_flags=version_stamps(KUBERNETES_VERSION),
)
ETCD = GoModule(name="etcd", folder=HERE / "etcd", packages={"etcd": "go.etcd.io/etcd/server/v3"})
KWOK = GoModule(name="kwok", folder=HERE / "kwok", packages={"kwok": "sigs.k8s.io/kwok/cmd/kwok"})
KUBE_PROXY = GoModule(
    name=f"kube-proxy {KUBERNETES_VERSION}",
    folder=HERE / "kube-proxy",
    packages={"kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy"},
    linker_flags=version_stamps(KUBERNETES_VERSION),
)
COREDNS = GoModule(name="CoreDNS", folder=HERE / "coredns", packages={"coredns": "."})
MODULES = (ETCD, KUBERNETES, KWOK)
SERVICES = (KUBE_PROXY, COREDNS)


def cache_dir() -> Path:
    """Return the folder for what is expensive to make: ${XDG_CACHE_HOME:-~/.cache}/alo-operator."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "alo-operator"


def needed(*, services: bool) -> tuple[GoModule, ...]:
    """Return the modules of a cluster, with or without Services."""
    return MODULES + (SERVICES if services else ())


def built(modules: tuple[GoModule, ...] = MODULES) -> dict[str, Path]:
    """Return the path of each command, building what is not in the cache. Raises ClusterError."""
    paths: dict[str, Path] = {}
    for module in modules:
        folder = cache_dir() / "bin" / fingerprint(module)
        if not complete(module, folder):
            with locked(folder.with_suffix(".lock"), f"building {module.name}"):
                if not complete(module, folder):
                    build(module, folder)
        paths |= {command: folder / command for command in module.packages}
    return paths


def cached(modules: tuple[GoModule, ...] = MODULES) -> dict[str, Path] | None:
    """Return the path of each command if all of them are in the cache; builds nothing."""
    paths: dict[str, Path] = {}
    for module in modules:
        folder = cache_dir() / "bin" / fingerprint(module)
        if not complete(module, folder):
            return None
        paths |= {command: folder / command for command in module.packages}
    return paths


def complete(module: GoModule, folder: Path) -> bool:
    return all((folder / command).is_file() for command in module.packages)


def build_flags(module: GoModule) -> list[str]:
    return ["-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", " ".join(("-s", "-w", *module.linker_flags))]


def fingerprint(module: GoModule) -> str:
    digest = hashlib.sha256()
    for path in (module.folder / "go.mod", module.folder / "go.sum", *sorted(module.folder.glob("*.go"))):
        digest.update(path.read_bytes())
    digest.update("\0".join([*build_flags(module), *module.packages]).encode())
    return digest.hexdigest()[:16]


def build(module: GoModule, folder: Path) -> None:
    """Build every command of the module into `folder`, each arriving there complete or not at all."""
    check_go(module)
    unfinished = folder.parent / f".{folder.name}-{uuid.uuid4().hex[:8]}"
    unfinished.mkdir(parents=True)
    log = folder.with_suffix(".build.log")
    say(f"building {module.name} from source (once; it is kept in {folder})")
    try:
        for command, package in module.packages.items():
            if (folder / command).is_file():
                continue
            with step(f"building {command}"):
                run_go_build(module, package, unfinished / command, log)
            folder.mkdir(parents=True, exist_ok=True)
            (unfinished / command).rename(folder / command)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def run_go_build(module: GoModule, package: str, target: Path, log: Path) -> None:
    with log.open("wb") as output:
        done = subprocess.run(
            ["go", "build", *build_flags(module), "-o", str(target), package],
            cwd=module.folder,
            env={**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        lines = [
            line for line in log.read_text(errors="replace").splitlines() if not line.startswith("go: downloading")
        ]
        raise ClusterError(f"building {package} failed; all of it is in {log}:\n  " + "\n  ".join(lines[-15:]))


def check_go(module: GoModule) -> None:
    """Raise ClusterError unless a Go that is new enough for the module is on PATH."""
    wanted_match = re.search(r"^go (\d+)\.(\d+)", (module.folder / "go.mod").read_text(), re.MULTILINE)
    assert wanted_match, "a go.mod always names its Go version"
    wanted = (int(wanted_match[1]), int(wanted_match[2]))
    remedy = f"install Go {wanted[0]}.{wanted[1]} or newer (https://go.dev/dl) to build the test cluster"
    if shutil.which("go") is None:
        raise ClusterError(f"Go is not on PATH; {remedy}")
    said = subprocess.run(
        ["go", "version"], capture_output=True, text=True, check=False, env={**os.environ, "GOTOOLCHAIN": "local"}
    ).stdout
    found = re.search(r"go(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < wanted:
        raise ClusterError(f"the Go on PATH is too old for {module.name} ({said.strip() or 'no answer'}); {remedy}")
