"""Run every tier: two processes side by side, each with a cluster of its own, and one table at the end.

    python -m scripts.run_tests [--full] [further arguments of pytest, such as -x]

What the first process prints is shown as it comes, that of the second when the first is through. Anything not run is a
failure. Exit status: 0 where everything ran and passed, else 1; 130 after Ctrl-C.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

from tests.cluster import binaries
from tests.cluster.errors import ClusterError
from tests.cluster.providers import NAME_VARIABLE, Options, Provider, choose, wanted_name
from tests.support import helm, promql, verdicts
from tests.support.tally import table

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = (verdicts.VERDICTS, promql.PROMQL, helm.PROGRAM)  # that single tests need
TIERS = ("model", "controlplane"), ("unit", "house", "e2e")  # two halves that take about the same time


class Group:
    """Some tiers in one process of pytest; what it prints waits until it may be shown."""

    def __init__(self, tiers: tuple[str, ...], cluster: str, tally: Path, arguments: list[str]) -> None:
        self.tiers, self.tally = tiers, tally
        command = [sys.executable, "-m", "pytest", "--require-all-tiers", f"--tally={tally}", *arguments]
        self.process = subprocess.Popen(
            [*command, *(f"tests/{tier}" for tier in tiers)],
            cwd=ROOT,
            env=os.environ | {NAME_VARIABLE: cluster, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._said: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def show(self) -> None:
        """Print what it has said and says, until its end."""
        print(f"\n== {', '.join(self.tiers)}", flush=True)
        while said := self._said.get():
            sys.stdout.buffer.write(said)
            sys.stdout.buffer.flush()
        self.process.wait()

    def counts(self) -> dict[str, Any]:
        """What it wrote about its tests; empty where it did not come that far."""
        try:
            found: dict[str, Any] = json.loads(self.tally.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def _listen(self) -> None:
        stdout = self.process.stdout
        assert stdout
        while said := os.read(stdout.fileno(), 65536):
            self._said.put(said)
        self._said.put(b"")


def main() -> int:
    """Clusters up, both groups through, clusters down, sums."""
    began = time.monotonic()
    names = (f"{wanted_name()}-cp", wanted_name())
    provider, ours = choose(), list[str]()
    try:
        # One after the other: on a fresh machine the first builds what both need.
        bring_up(provider, names, ours)
        build_programs()
        good = run(names, sys.argv[1:])
    except KeyboardInterrupt:
        return 130
    finally:
        for name in ours:
            provider.down(name)
    print(f"{'all passed' if good else 'NOT all passed'}, in {time.monotonic() - began:.0f} s", flush=True)
    return 0 if good else 1


def bring_up(provider: Provider, names: tuple[str, ...], ours: list[str]) -> None:
    """Start the clusters that are not up, adding their names to `ours`; without them the tests say what is missing."""
    try:
        for name in names:
            if provider.available() is None and provider.find(name) is None:
                ours.append(name)
                provider.up(Options(name=name, services=True))
    except ClusterError as error:
        print(f"tests: no cluster: {error}", file=sys.stderr, flush=True)


def build_programs() -> None:
    """Build what single tests need before their time limits count; what cannot be built, those tests say."""
    try:
        binaries.built(PROGRAMS)
    except ClusterError as error:
        print(f"tests: {error}", file=sys.stderr, flush=True)


def run(names: tuple[str, ...], arguments: list[str]) -> bool:
    """Both groups at once; whether all is well."""
    with tempfile.TemporaryDirectory() as folder:
        groups = [
            Group(tiers, name, Path(folder) / f"{name}.json", arguments)
            for tiers, name in zip(TIERS, names, strict=True)
        ]

        def stop(_signal: int, _frame: FrameType | None) -> None:
            for group in groups:
                group.process.terminate()

        signal.signal(signal.SIGTERM, stop)
        try:
            for group in groups:
                group.show()
        finally:
            for group in groups:  # after Ctrl-C they have had it too, and end their operators first
                group.process.wait()
        print("\n".join(table([group.counts() for group in groups])), flush=True)
        return all(group.process.returncode == 0 for group in groups)


if __name__ == "__main__":
    sys.exit(main())
