"""Running kubectl: for what users do (apply, wait, delete, logs). For polling use tests/support/api.py."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

Manifests = str | Mapping[str, Any] | Sequence[Mapping[str, Any]]


class KubectlFailed(AssertionError):
    """kubectl ended with another exit status than 0; the message has the command and what it printed."""


@dataclass(frozen=True)
class Output:
    """What one kubectl run left. `code` is its exit status."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Kubectl:
    """kubectl as the user of one kubeconfig, in one namespace if given.

    kubectl("get", "jobs"), kubectl.json("get", "pods"), kubectl.apply(manifest), kubectl.as_user(kubeconfig)(...)
    """

    binary: Path
    kubeconfig: Path
    namespace: str | None = None

    def inside(self, namespace: str) -> "Kubectl":
        return replace(self, namespace=namespace)

    def as_user(self, kubeconfig: Path) -> "Kubectl":
        return replace(self, kubeconfig=kubeconfig)

    def __call__(
        self, *args: str | Path, input: Manifests | None = None, check: bool = True, timeout: float = 60.0
    ) -> Output:
        """Run kubectl; `input` (text or manifests) goes to its standard input, so add "-f", "-".

        Raises KubectlFailed for an exit status other than 0 unless `check` is False, subprocess.TimeoutExpired after
        `timeout` seconds.
        """
        command = self.command(*args)
        text = None if input is None else input if isinstance(input, str) else to_yaml(input)
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=timeout, env=self.environment(), check=False
        )
        if check and done.returncode:
            raise KubectlFailed(f"{' '.join(command[3:])} ended with {done.returncode}: {done.stderr or done.stdout}")
        return Output(done.returncode, done.stdout, done.stderr)

    def command(self, *args: str | Path) -> list[str]:
        """Return the full command line, for tests that start kubectl in the background."""
        place = ["--namespace", self.namespace] if self.namespace else []
        return [str(self.binary), "--kubeconfig", str(self.kubeconfig), *place, *map(str, args)]

    def environment(self) -> dict[str, str]:
        # A kubeconfig or a kuberc file of the person running the tests must not change what kubectl does.
        return {name: value for name, value in os.environ.items() if name != "KUBECONFIG"} | {"KUBERC": "off"}

    def json(self, *args: str | Path, check: bool = True, timeout: float = 60.0) -> Any:
        """Run kubectl with `-o json` and return what it printed, parsed; None if it failed and `check` is False."""
        output = self(*args, "-o", "json", check=check, timeout=timeout)
        return json.loads(output.stdout) if output.code == 0 else None

    def apply(self, manifests: Manifests, *flags: str, check: bool = True) -> Output:
        return self("apply", *flags, "-f", "-", input=manifests, check=check)


def to_yaml(manifests: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
    documents = [manifests] if isinstance(manifests, Mapping) else list(manifests)
    return yaml.safe_dump_all([dict(document) for document in documents], sort_keys=False)
