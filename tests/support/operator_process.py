"""The operator as users run it: a process of its own environment, under the shipped RBAC."""

import json
import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from tests.support.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".venv-operator" / "bin" / "alo-operator"
SYSTEM_NAMESPACE = "alo-system"
SERVICE_ACCOUNT = "alo-operator"
TRACEBACK = "Traceback (most recent call last)"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class OperatorProcess:
    """One replica: how it is started, and the process while it runs.

    `namespaces` empty means all. `expected_errors` are regular expressions for log lines of level error, or with a
    traceback, that the test expects; anything else of that kind fails the test at its end.
    """

    identity: str
    kubeconfig: Path
    log_file: Path
    namespaces: Sequence[str] = ()
    lease_name: str = "alo-operator"
    lease_namespace: str = SYSTEM_NAMESPACE
    lease_duration: str = "6s"
    lease_renew: str = "2s"
    arguments: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    expected_errors: list[str] = field(default_factory=list)
    process: "subprocess.Popen[bytes] | None" = None
    what: ClassVar[str] = "operator"
    program: ClassVar[Path] = PROGRAM

    def command(self) -> list[str]:
        places = [word for name in self.namespaces for word in ("--namespace", name)] or ["--all-namespaces"]
        # fmt: off
        return [
            str(PROGRAM), "run", *places,
            "--kubeconfig", str(self.kubeconfig),
            "--identity", self.identity,
            "--log-format", "json",
            "--http-address", f"127.0.0.1:{self.port}",
            "--lease-namespace", self.lease_namespace,
            "--lease-name", self.lease_name,
            "--lease-duration", self.lease_duration,
            "--lease-renew", self.lease_renew,
            *self.arguments,
        ]
        # fmt: on

    def start(self, *, wait: bool = True, timeout: float = 30.0) -> Self:
        """Start the process; return when it is ready, or at once with wait=False.

        Raises FileNotFoundError where `.venv-operator` is missing, NotInTime where it does not become ready,
        AssertionError where it ends instead.
        """
        assert self.process is None, f"{self.what} {self.identity} is already running"
        if not self.program.exists():
            raise FileNotFoundError(f"{self.program} is missing; run `make setup`")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KUBE"))}
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=kept | self.environment,
                cwd=self.log_file.parent,
            )
        if wait:
            self.wait_ready(timeout)
        return self

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.what} {self.identity} is not running"
        return self.process.pid

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Return when the readiness probe says yes."""

        def ready() -> bool:
            if not self.running:
                code = self.process.returncode if self.process else None
                raise RuntimeError(f"{self.what} {self.identity} ended with {code} before it was ready:\n{self.tail()}")
            return self.probe("readyz") == 200

        describe = f"{self.what} {self.identity} answers /readyz with 200"
        wait_for(ready, timeout, lambda: f"{describe}; its log ends with:\n{self.tail()}")

    def probe(self, path: str) -> int:
        """Return the HTTP status of a probe (healthz, readyz), 0 where nothing answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def scrape(self) -> str:
        """Return its metrics in Prometheus' text format."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
        return text

    def metrics(self) -> dict[str, float]:
        """Return the samples it serves: `name{labels}` -> value."""
        lines = self.scrape().splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in samples}

    def stop(self, timeout: float = 20.0) -> int:
        """Ask it to end (SIGTERM) and return its exit status. Raises AssertionError if it has to be killed."""
        process = self._take()
        process.send_signal(signal.SIGCONT)  # a paused process could not obey
        process.terminate()
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self.what} {self.identity} did not end {timeout:g} s after SIGTERM") from None

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash of its node would."""
        process = self._take()
        process.kill()
        process.wait()

    def restart(self, *, wait: bool = True, timeout: float = 30.0) -> None:
        """Stop it in order and start it again under the same identity."""
        self.stop()
        self.start(wait=wait, timeout=timeout)

    def pause(self) -> None:
        """Freeze it (SIGSTOP): it keeps its memory and its connections and knows nothing of the time that passes."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        os.kill(self.pid, signal.SIGCONT)

    def expect_errors(self, *patterns: str) -> None:
        """Allow log lines of level error that one of these regular expressions is found in."""
        self.expected_errors += patterns

    def log(self) -> list[dict[str, Any]]:
        """Return its log since the first start; a line that is not JSON becomes {"level": "", "message": line}."""
        return [parse_line(line) for line in self._text().splitlines() if line.strip()]

    def tail(self, lines: int = 25) -> str:
        return "\n".join(self._text().splitlines()[-lines:])

    def unexpected_errors(self) -> list[str]:
        """Return the log lines that nobody expected: level error or worse, or with a traceback."""
        return [
            line
            for line in self._text().splitlines()
            if is_error(line) and not any(re.search(pattern, line) for pattern in self.expected_errors)
        ]

    def _text(self) -> str:
        return self.log_file.read_text("utf-8", errors="replace") if self.log_file.exists() else ""

    def _take(self) -> "subprocess.Popen[bytes]":
        assert self.process is not None, f"{self.what} {self.identity} is not running"
        process, self.process = self.process, None
        return process


def parse_line(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"level": "", "message": line}


def is_error(line: str) -> bool:
    level = str(parse_line(line).get("level") or parse_line(line).get("severity") or "").lower()
    return level in {"error", "critical", "fatal"} or TRACEBACK in line
