"""What is kept of a measurement: bench/results/latest.json."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from bench.figures import Run, measured
from bench.gauges import machine
from bench.ground import LIFTED
from bench.sizes import Sizes
from tests.cluster.providers import ROOT

LATEST = ROOT / "bench" / "results" / "latest.json"


def head(sizes: Sizes) -> dict[str, Any]:
    """What was measured, when and on what; `+` after the commit: the working tree was changed."""
    commit = _git("rev-parse", "--short=12", "HEAD") + ("+" if _git("status", "--porcelain", "-uno") else "")
    return {
        "commit": commit,
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "machine": machine(),
        "conditions": f"simulated nodes; {LIFTED}",
        "sizes": asdict(sizes),
    }


def summed(runs: Sequence[Run]) -> dict[str, Any]:
    """The figures' medians at the top, their spread, and all that was read off each run."""
    spread = measured(runs)
    medians = {key: one["median"] for key, one in spread.items()}
    return {"kubernetes": runs[-1]["kubernetes"], **medians, "spread": spread, "runs": list(runs)}


def latest() -> dict[str, Any] | None:
    """The last results; None where nothing has been measured yet."""
    found: dict[str, Any] | None = json.loads(LATEST.read_text("utf-8")) if LATEST.exists() else None
    return found


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, check=False, capture_output=True, text=True)
    return done.stdout.strip() or ("unknown" if words[0] == "rev-parse" else "")
