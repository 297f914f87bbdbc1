"""Long-running processes by pid file.

A pid file holds the pid, the process's start time and the boot it belongs to, so a pid that was given to somebody
else in the meantime is never taken for ours. Processes get a session of their own: Ctrl-C in the terminal that started
them does not reach them, and they outlive the starter.
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.waiting import becomes_true

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
LOG_TAIL_LINES = 15


@dataclass(frozen=True)
class Processes:
    """The processes whose pid files lie in `state_dir`/pids and whose output goes to `state_dir`/logs."""

    state_dir: Path

    def start(self, name: str, arguments: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> None:
        """Start `name` unless it runs already. Its output is appended to its log."""
        if self.runs(name):
            return
        words = [str(argument) for argument in arguments]
        pid_file = self._pid_file(name)
        pid_file.parent.mkdir(parents=True, exist_ok=True)
        self.log(name).parent.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.state_dir,
                env={**os.environ, **(env or {})},
            )
        pid_file.write_text(json.dumps({"pid": process.pid, "started": start_time(process.pid), "boot": boot_id()}))
        process.returncode = 0  # it is not waited for: it is meant to outlive this program

    def pid(self, name: str) -> int | None:
        """Return the pid of `name` if it runs."""
        try:
            record = json.loads(self._pid_file(name).read_text())
            pid = int(record["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        alive = record.get("boot") == boot_id() and start_time(pid) == record.get("started")
        return pid if alive and start_time(pid) is not None else None

    def runs(self, name: str) -> bool:
        return self.pid(name) is not None

    def names(self) -> list[str]:
        """Return the names that have a pid file, running or not."""
        return sorted(path.stem for path in (self.state_dir / "pids").glob("*.json"))

    def stop(self, name: str, *, patience: float = 5.0, force: bool = False) -> None:
        """End `name`: SIGTERM, after `patience` seconds SIGKILL; `force` sends SIGKILL at once.

        Raises ClusterError if it is still there after SIGKILL.
        """
        pid = self.pid(name)
        if pid is not None:
            if not force:
                send(pid, signal.SIGTERM)
                becomes_true(lambda: not self.runs(name), seconds=patience)
            if self.runs(name):
                send(pid, signal.SIGKILL)
                if not becomes_true(lambda: not self.runs(name), seconds=10):
                    raise ClusterError(f"{name} (pid {pid}) does not end after SIGKILL; see {self.log(name)}")
        self._pid_file(name).unlink(missing_ok=True)

    def log(self, name: str) -> Path:
        return self.state_dir / "logs" / f"{name}.log"

    def log_tail(self, name: str) -> str:
        """Return where the log is and its last lines."""
        try:
            lines = self.log(name).read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        except OSError:
            lines = ["(no log)"]
        return f"The end of {self.log(name)}:\n  " + "\n  ".join(lines)

    def _pid_file(self, name: str) -> Path:
        return self.state_dir / "pids" / f"{name}.json"


def boot_id() -> str:
    return BOOT_ID.read_text().strip()


def start_time(pid: int) -> int | None:
    """Return when the process started, in clock ticks since boot; None if it is gone or only waits to be reaped."""
    try:
        # The command's name stands in brackets and may itself hold brackets and blanks.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # a child of this program would else stay a zombie as long as it runs
    # One that was killed shows as a zombie while other threads of it still hold its ports.
    return None if fields[0] in "ZX" and int(fields[17]) <= 1 else int(fields[19])


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal; a process that is gone already is fine."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
