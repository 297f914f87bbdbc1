"""What Flux, Helm 4 and Argo CD say of an object, from their own code (tests/gitops/verdicts)."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.binaries import GoModule, built

ROOT = Path(__file__).resolve().parents[2]
HEALTH_SCRIPT = ROOT / "manifests" / "gitops" / "argocd-health.lua"
VERDICTS = GoModule("verdicts", ROOT / "tests" / "gitops" / "verdicts", {"verdicts": "."})

Object = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """`kstatus`: InProgress, Current, Failed or Terminating. `argo`: Progressing, Healthy, Suspended or Degraded."""

    kstatus: str
    kstatus_message: str
    argo: str
    argo_message: str


def what_is_missing() -> str | None:
    """Return why nothing can be judged here, if so."""
    return None if shutil.which("go") else "Go is not on PATH; it builds what judges objects as Flux and Argo CD do"


def judge(objects: Sequence[Object]) -> list[Verdict]:
    """Return one verdict for each object; the program is built the first time (half a minute) and kept.

    Raises AssertionError where an object or the health script is not understood.
    """
    program = built((VERDICTS,))["verdicts"]
    done = subprocess.run(
        [str(program), str(HEALTH_SCRIPT)],
        input="\n".join(json.dumps(one) for one in objects),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [Verdict(line["kstatus"], line["kstatusMessage"], line["argo"], line["argoMessage"]) for line in lines]
