"""The programs that the demo runs: kubectl, as a user would, the operator and its gateway."""

import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from demo.screen import Screen

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv-operator" / "bin"


class DemoError(Exception):
    """The demo cannot be shown; the message says what to do."""


class Heard:
    """A program in the background, each of whose lines `hear` is given as it comes."""

    def __init__(self, command: list[str], hear: Callable[[str], None], *, errors_too: bool = False) -> None:
        self._hear = hear
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if errors_too else subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself, or was stopped."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._hear(line)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass(frozen=True)
class Kubectl:
    """The cluster's kubectl in the demo's namespace, run from the repository's root."""

    binary: Path
    kubeconfig: Path
    namespace: str
    screen: Screen

    def command(self, *words: str) -> list[str]:
        return [str(self.binary), "--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace, *words]

    def quiet(self, *words: str, feed: str | None = None, check: bool = True, seconds: float = 90) -> Done:
        """Run it without a word. Raises DemoError where it fails, unless `check` is False."""
        done = subprocess.run(
            self.command(*words),
            input=feed,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=os.environ | {"KUBERC": "off"},
            timeout=seconds,
            check=False,
        )
        if check and done.returncode:
            raise DemoError(f"kubectl {' '.join(words)} failed: {done.stderr.strip()}")
        return Done(done.returncode, done.stdout, done.stderr)

    def shown(self, *words: str, feed: str | None = None, check: bool = True, before: str = "") -> Done:
        """Run it for the audience: the command (after `before`, where it gets its input from), then its output."""
        self.screen.command(f"{before}kubectl {' '.join(words)}")
        done = self.quiet(*words, feed=feed, check=False)
        self.screen.output(done.text)
        if check and done.code:
            raise DemoError(f"kubectl {' '.join(words)} failed, see above")
        return done


def free_port(host: str = "127.0.0.1") -> int:
    with socket.create_server((host, 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Program:
    """A program of ours as users run it: from its own environment, under its own service account."""

    kubeconfig: Path
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    name = ""

    def command(self) -> list[str]:
        """What to run after the name of the program."""
        raise NotImplementedError

    @property
    def address(self) -> str:
        """HOST:PORT where it says whether it is ready."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    def start(self, seconds: float = 30) -> None:
        """Return when it is ready. Raises DemoError where it ends or takes too long."""
        program = BIN / self.name
        if not program.exists():
            raise DemoError(f"{program.relative_to(ROOT)} is missing: run `make setup`")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KUBE"))}
        with self.log.open("ab") as log:
            # Out of reach of the terminal's Ctrl-C: it has to clean up after everybody else.
            self.process = subprocess.Popen(
                [str(program), *self.command()],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=kept,
                start_new_session=True,
            )
        deadline = time.monotonic() + seconds
        while not self._ready():
            if self.process.poll() is not None:
                raise DemoError(f"{self.name} ended with status {self.process.returncode}:\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise DemoError(f"{self.name} is not ready after {seconds:g} s:\n{self.last_words()}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self, seconds: float = 15) -> None:
        """End it in order; where it does not obey, at once."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def last_words(self, lines: int = 12) -> str:
        text = self.log.read_text("utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.address}/readyz", timeout=2) as answer:
                return int(answer.status) == 200
        except (urllib.error.URLError, OSError):
            return False


@dataclass
class Operator(Program):
    """The controller, for one namespace; `report_url` is where workers find the gateway."""

    namespace: str = ""
    report_url: str = ""
    port: int = field(default_factory=free_port)
    name = "alo-operator"

    def command(self) -> list[str]:
        # fmt: off
        return [
            "run", "--namespace", self.namespace,
            "--kubeconfig", str(self.kubeconfig),
            "--identity", "demo",
            "--lease-namespace", "alo-system", "--lease-name", self.namespace,
            "--http-address", self.address,
            "--report-url", self.report_url,
            "--delivery-allow", "127.0.0.0/8",
        ]
        # fmt: on

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@dataclass
class Gateway(Program):
    """What workers report to, on an address that pods reach."""

    host: str = ""
    port: int = field(default_factory=free_port)
    reports: int = 0
    name = "alo-gateway"

    def __post_init__(self) -> None:
        self.reports = free_port(self.host)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.reports}"

    def command(self) -> list[str]:
        # fmt: off
        return [
            "run", "--listen", f"{self.host}:{self.reports}",
            "--kubeconfig", str(self.kubeconfig),
            "--http-address", self.address,
        ]
        # fmt: on

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"
