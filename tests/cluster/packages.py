"""Debian packages as the stuff of images: downloaded with apt-get, unpacked without installing them."""

import subprocess
import tempfile
from pathlib import Path

from tests.cluster.commands import run, succeeds
from tests.cluster.errors import ClusterError
from tests.cluster.rootfs import Tree

# CPython with the whole standard library that a worker may want, and the libraries that they load.
PYTHON_PACKAGES = (
    "libbz2-1.0",
    "libc6",
    "libcrypt1",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "liblzma5",
    "libncursesw6",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libreadline8",
    "libsqlite3-0",
    "libssl3",
    "libtinfo6",
    "libuuid1",
    "python3.11",
    "python3.11-minimal",
    "zlib1g",
)
NOT_NEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/share/applications")


def unpacked(packages: tuple[str, ...], tree: Tree) -> None:
    """Add the files of Debian packages to the tree. Raises ClusterError if they cannot be had."""
    with tempfile.TemporaryDirectory() as folder:
        download(packages, Path(folder))
        for path in sorted(Path(folder).glob("*.deb")):
            done = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(path)], capture_output=True, check=False)
            if done.returncode != 0:
                raise ClusterError(f"{path.name} cannot be unpacked: {done.stderr.decode(errors='replace').strip()}")
            tree.add_tar(done.stdout, without=NOT_NEEDED)


def download(packages: tuple[str, ...], folder: Path) -> None:
    # apt's own sandbox user may not write into this folder, which apt only complains about.
    command = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages]
    if succeeds(["apt-cache", "show", *packages]) and fetched(command, folder):
        return
    # The lists of packages are missing, or name versions that are no longer served.
    run(["apt-get", "update", "-qq"], seconds=300)
    try:
        run(command, cwd=folder, seconds=600)
    except ClusterError as error:
        raise ClusterError(f"the Python image needs Debian 12's packages, which cannot be had: {error}") from error


def fetched(command: list[str], folder: Path) -> bool:
    try:
        run(command, cwd=folder, seconds=600)
    except ClusterError:
        return False
    return True
