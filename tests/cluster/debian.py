import os
import shutil
from pathlib import Path

from tests.cluster.commands import run, succeeds
from tests.cluster.errors import ClusterError
from tests.cluster.progress import say, step

CNI_PLUGINS = Path("/usr/lib/cni")
# What a real node needs: package, and a program of it that shows that it is installed.
PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "containernetworking-plugins": str(CNI_PLUGINS / "bridge"),
    "iptables": "iptables",
    "iproute2": "ip",
    "busybox-static": "/bin/busybox",
    "openssl": "openssl",
}


def missing() -> list[str]:
    """Return the Debian packages that a real node needs and that are not here."""
    return [package for package, program in PACKAGES.items() if shutil.which(program) is None]


def ensure_packages() -> None:
    """Install what is missing where that is possible (root, apt-get). Raises ClusterError where it is not."""
    absent = missing()
    if not absent:
        return
    wish = f"install the Debian packages {' '.join(absent)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ClusterError(f"a real node needs more programs: {wish}, or start without one: up --no-real-node")
    say(f"installing Debian packages: {' '.join(absent)}")
    with step("apt-get install"):
        install = [
            "apt-get", "install", "--yes", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120", *absent,
        ]  # fmt: skip
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        if not succeeds(["apt-cache", "show", *absent]):
            run(["apt-get", "update", "-qq"], seconds=300)
        run(install, env=env, seconds=600)
    if missing():
        raise ClusterError(f"still missing after the installation: {' '.join(missing())}; {wish} by hand")
