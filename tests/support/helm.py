"""Running Helm on the chart: it renders, installs, upgrades and uninstalls as users do."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.binaries import KUBERNETES_VERSION, GoModule, built
from tests.support.kubectl import Output

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "alo-operator"
VERSION = "v3.22.0"
PROGRAM = GoModule(
    name=f"Helm {VERSION}",
    folder=ROOT / "tests" / "cluster" / "helm",
    packages={"helm": "helm.sh/helm/v3/cmd/helm"},
    linker_flags=(f"-X helm.sh/helm/v3/internal/version.version={VERSION}",),
)

Object = dict[str, Any]
Values = Mapping[str, Any]
Key = tuple[str, str, str]  # kind, namespace ("" outside of namespaces), name


class HelmFailed(AssertionError):
    """Helm ended with another exit status than 0; the message has the command and what it printed."""


def what_is_missing() -> str | None:
    """Return why Helm cannot be run here, if so."""
    return None if shutil.which("go") else "Go is not on PATH; it builds Helm"


@dataclass(frozen=True)
class Helm:
    """Helm for one release of `chart` in one namespace; `home` keeps its files, `kubeconfig` is who runs it.

    helm("lint"), helm.template(values={"crds": {"enabled": False}}), helm.release("install", values=..., ...)
    """

    home: Path
    kubeconfig: Path = Path("/dev/null")
    namespace: str = "alo-system"
    name: str = "alo-operator"
    chart: Path = CHART
    program: Path = field(default_factory=lambda: built((PROGRAM,))["helm"])  # built the first time: a minute or two

    def __call__(self, *args: str | Path, check: bool = True, timeout: float = 180.0) -> Output:
        """Run Helm. Raises HelmFailed for an exit status other than 0 unless `check` is False."""
        places = ("CACHE", "CONFIG", "DATA")
        own = {f"HELM_{place}_HOME": str(self.home / place.lower()) for place in places}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBE"))}
        done = subprocess.run(
            [str(self.program), *map(str, args), "--namespace", self.namespace, "--kubeconfig", str(self.kubeconfig)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=kept | own,
            check=False,
        )
        if check and done.returncode:
            raise HelmFailed(f"helm {' '.join(map(str, args))} ended with {done.returncode}: {done.stderr}")
        return Output(done.returncode, done.stdout, done.stderr)

    def run(self, command: str, *args: str | Path, values: Values | None = None, check: bool = True) -> Output:
        """Run a command on the release that takes chart and values: template, install, upgrade."""
        return self(command, self.name, self.chart, "--values", self._written(values), *args, check=check)

    def of(self, name: str, **settings: Any) -> "Helm":
        """Return the same for a release of another name."""
        return replace(self, name=name, **settings)

    def lint(self, values: Values | None = None) -> str:
        """Return what `helm lint --strict` says. Raises HelmFailed."""
        file = self._written(values)
        return self("lint", self.chart, "--strict", "--kube-version", KUBERNETES_VERSION, "--values", file).stdout

    def template(self, values: Values | None = None) -> dict[Key, Object]:
        """Return what the chart makes, by kind, namespace and name. Raises AssertionError for one made twice."""
        shown = self.run("template", "--kube-version", KUBERNETES_VERSION, values=values).stdout
        return by_key(yaml.safe_load_all(shown))

    def _written(self, values: Values | None) -> Path:
        file = self.home / f"{self.name}-values.yaml"
        file.write_text(json.dumps(values or {}), "utf-8")
        return file


def by_key(objects: Iterable[Object | None]) -> dict[Key, Object]:
    """Return manifests by kind, namespace and name; empty documents are left out."""
    found: dict[Key, Object] = {}
    for one in objects:
        if one is None:
            continue
        key = (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"])
        assert key not in found, f"{key} is made twice"
        found[key] = one
    return found
