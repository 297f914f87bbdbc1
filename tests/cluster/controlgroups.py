"""The control group that holds all pods of a cluster, in both versions of control groups."""

import contextlib
import os
import signal
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.processes import send
from tests.cluster.waiting import becomes_true

MOUNT = Path("/sys/fs/cgroup")


def hierarchies() -> list[Path]:
    """Return where groups can be made: one folder in version 2, one for each controller in version 1."""
    if (MOUNT / "cgroup.controllers").exists():
        return [MOUNT]
    seen: dict[tuple[int, int], Path] = {}
    for path in sorted(MOUNT.iterdir()):
        # Controllers that are mounted together show as links to one folder.
        if (path / "cgroup.procs").exists():
            seen.setdefault((path.stat().st_dev, path.stat().st_ino), path)
    return list(seen.values())


def create_groups(name: str) -> None:
    """Make the group of this name in every hierarchy. Fine if it is there."""
    for hierarchy in hierarchies():
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        if (hierarchy / "cgroup.controllers").exists():
            wanted = (hierarchy / "cgroup.controllers").read_text().split()
            for folder in (hierarchy, group):
                for controller in wanted:
                    with contextlib.suppress(OSError):  # not every controller can be handed on everywhere
                        (folder / "cgroup.subtree_control").write_text(f"+{controller}")
        for file in ("cpuset.cpus", "cpuset.mems"):
            # In version 1 a new group has no processors and no memory until they are given to it.
            if (group / file).exists() and not (group / file).read_text().strip():
                with contextlib.suppress(OSError):
                    (group / file).write_text((hierarchy / file).read_text())


def members(name: str) -> set[int]:
    """Return the pids of all processes in the group of this name, subgroups included."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        for folder, _, files in os.walk(hierarchy / name):
            if "cgroup.procs" in files:
                with contextlib.suppress(OSError):
                    found.update(int(line) for line in Path(folder, "cgroup.procs").read_text().split())
    found.discard(0)
    return found


def kill_members(name: str) -> None:
    """Kill every process in the group; raises ClusterError if some stay."""

    def none_left() -> bool:
        for pid in members(name):
            send(pid, signal.SIGKILL)
        return not members(name)

    if not becomes_true(none_left, seconds=15):
        raise ClusterError(f"processes {sorted(members(name))} of the cluster's pods do not end after SIGKILL")


def remove_groups(name: str) -> None:
    """Remove the empty group with its subgroups."""
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy / name, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
