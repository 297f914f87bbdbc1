"""Workers in a made-up pod, with a report endpoint on loopback."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from alo_operator.worker import Work
from alo_operator.worker import results as handing_in
from tests.support.report_endpoint import serving
from tests.support.waiting import wait_for


@dataclass
class Pod:
    """The environment that a worker finds: files below `folder`, variables in `environ`."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        self.result_file, self.token_file = self.folder / "termination-log", self.folder / "token"
        self.input_file = self.folder / "input.json"
        self.result_file.touch()
        self.token_file.write_text("first\n")
        self.give({"width": 800})
        self.environ |= {
            "ALO_ID": "resize",
            "ALO_NAMESPACE": "media",
            "ALO_UID": "uid-1",
            "ALO_ATTEMPT": "pod-1",
            "ALO_RESULT_FILE": str(self.result_file),
            "ALO_INPUT_FILE": str(self.input_file),
            "ALO_TOKEN_FILE": str(self.token_file),
            "TRACEPARENT": f"00-{'ab' * 16}-{'cd' * 8}-01",
        }

    def give(self, value):
        self.input_file.write_text(json.dumps(value))

    def work(self, **options):
        return Work.from_environment(environ=self.environ, arguments=[], **options)

    @property
    def message(self):
        """What the kubelet would read at the end."""
        return self.result_file.read_bytes()


@dataclass
class Program:
    """A worker program in a process of its own."""

    process: subprocess.Popen[str]
    output: Path

    def told(self, line):
        """Return once the program has printed this line."""
        wait_for(lambda: line in self.output.read_text().splitlines(), 20, f"the program says {line!r}")
        return self

    def stop(self, number):
        self.process.send_signal(number)
        return self

    def ended(self):
        """Return exit status and all that it printed."""
        return self.process.wait(20), self.output.read_text()


@pytest.fixture
def pod(tmp_path):
    return Pod(tmp_path)


@pytest.fixture
def endpoint(pod):
    with serving() as made:
        pod.environ["ALO_REPORT_URL"] = made.url
        yield made


@pytest.fixture
def away(pod):
    """An address at which nobody listens any more."""
    with serving() as made:
        pod.environ["ALO_REPORT_URL"] = made.url
    return made


@pytest.fixture
def quick(monkeypatch):
    """Shorter pauses between attempts, in proportion."""
    monkeypatch.setattr(handing_in, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(handing_in, "ONE_REQUEST", 0.3)


@pytest.fixture
def program(tmp_path, pod):
    """Starts a program: `program(text)` in the pod, `program(text, local=True)` in a terminal without one."""
    started = []

    def start(text, *arguments, local=False, given=None):
        script, output = tmp_path / "worker.py", tmp_path / "output"
        script.write_text(text)
        own = {name: value for name, value in os.environ.items() if not name.startswith("ALO_")}
        with output.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-u", str(script), *arguments],
                env=own if local else own | pod.environ,
                stdin=subprocess.PIPE if given is not None else subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
            )
        started.append(process)
        if given is not None:
            process.stdin.write(given)
            process.stdin.close()
        return Program(process, output)

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
