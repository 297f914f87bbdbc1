"""What containers leave behind when their node is stopped: processes, mounts, sockets, links."""

import contextlib
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.controlgroups import kill_members, remove_groups
from tests.cluster.errors import ClusterError
from tests.cluster.layout import Layout
from tests.cluster.node import containerd_socket
from tests.cluster.processes import send
from tests.cluster.waiting import becomes_true

CONTAINER_LOG_LINKS = Path("/var/log/containers")  # kubelet puts links there, whatever its log folder is
NETWORK_RESULTS = Path("/var/lib/cni/results")  # nor can this one be chosen


def clean_up(layout: Layout) -> None:
    """Take away all that the real node left. kubelet and containerd have ended before. Raises ClusterError."""
    folder, group = layout.node_dir, f"alo-{layout.tag}"
    kill_members(group)
    kill_shims(layout)
    for address in (folder / "run").glob("io.containerd.runtime.v2.task/*/*/address"):
        with contextlib.suppress(OSError):
            Path(address.read_text().strip().removeprefix("unix://")).unlink()
    for sandbox in (folder / "run" / "io.containerd.grpc.v1.cri" / "sandboxes").glob("*"):
        for path in NETWORK_RESULTS.glob(f"*-{sandbox.name}-*"):
            path.unlink(missing_ok=True)
    unmount_below(folder)
    remove_groups(group)
    if CONTAINER_LOG_LINKS.is_dir():
        for link in CONTAINER_LOG_LINKS.iterdir():
            if link.is_symlink() and os.readlink(link).startswith(str(folder)):  # noqa: PTH115  # it may dangle
                link.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.is_relative_to(layout.state_dir):
        with contextlib.suppress(OSError):  # other clusters may have theirs beside it
            folder.parent.rmdir()


def shims(layout: Layout) -> Iterator[int]:
    """Yield the pids of the processes that hold this cluster's containers for containerd."""
    address = os.fsencode(containerd_socket(layout))
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            words = (path / "cmdline").read_bytes().split(b"\0")
            if b"containerd-shim" in words[0] and address in words:
                yield int(path.name)


def kill_shims(layout: Layout) -> None:
    for pid in shims(layout):
        send(pid, signal.SIGKILL)
    if not becomes_true(lambda: not list(shims(layout)), seconds=10):
        raise ClusterError(f"processes {list(shims(layout))} of containerd do not end after SIGKILL")


def mounts_below(folder: Path) -> list[str]:
    """Return the mount points in `folder`, the latest first."""
    prefix = f"{folder}/"
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    readable = [re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), point) for point in points]
    return [point for point in reversed(readable) if point.startswith(prefix)]


def unmount_below(folder: Path) -> None:
    points = mounts_below(folder)
    if points:
        run(["umount", "--lazy", *points])
    if mounts_below(folder):
        raise ClusterError(f"still mounted: {', '.join(mounts_below(folder))}")
