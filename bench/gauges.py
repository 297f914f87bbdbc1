"""What the kernel says about processes: processor time and memory."""

import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
CALM = 0.04  # of one core: a process below that has nothing to do
LOOK = 0.5


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, user and kernel, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_mb(pid: int, field: str = "VmRSS") -> float:
    """Resident memory in MB (10**6 bytes); field VmHWM: the most it ever was."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError(f"process {pid} has no {field}")


def calm(pid: int, patience: float = 120.0, share: float = CALM) -> None:
    """Return when the process has used no more than `share` of a core for a second. Raises TimeoutError."""
    deadline = time.monotonic() + patience
    quiet = 0
    while quiet < 2:
        before = cpu_seconds(pid)
        time.sleep(LOOK)
        quiet = quiet + 1 if cpu_seconds(pid) - before <= share * LOOK else 0
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {pid} is still busy after {patience:g} s")


class Meter:
    """Processor time of several processes, by name, from its making on."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._before = {name: cpu_seconds(pid) for name, pid in self._pids.items()}

    def used(self) -> dict[str, float]:
        """Seconds since the start, by name."""
        return {name: cpu_seconds(pid) - self._before[name] for name, pid in self._pids.items()}


def load() -> float:
    """The machine's load average of the last minute."""
    return os.getloadavg()[0]


def machine() -> dict[str, object]:
    """What the figures were measured on; nothing that names the machine."""
    cpus = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in cpus if line.startswith("model name")), "")
    total = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return {
        "cores": os.cpu_count(),
        "processor": model,
        "memory_gb": round(int(total.split()[1]) * 1024 / 1e9),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
    }
