"""Expressions for Prometheus, run by Prometheus' own engine (tests/monitoring/promql) over samples of ours."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.cluster.binaries import GoModule, built

ROOT: Final = Path(__file__).resolve().parents[2]
FILES: Final = ROOT / "charts" / "alo-operator" / "files"
PROMQL: Final = GoModule("promql", ROOT / "tests" / "monitoring" / "promql", {"promql": "."})
RATE_INTERVAL: Final = "5m"  # what Grafana puts in for $__rate_interval at a scrape every minute or so
LOOKBACK: Final = 300.0  # Prometheus' default

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Series:
    """One series: its labels with __name__, and (seconds, value) in order."""

    labels: Labels
    samples: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Answer:
    """What one expression gives: an error in words, or (labels, value) pairs; and the metrics it names."""

    error: str
    metrics: tuple[str, ...]
    result: tuple[tuple[Labels, float], ...]


def what_is_missing() -> str | None:
    """Return why nothing can be evaluated here, if so."""
    return None if shutil.which("go") else "Go is not on PATH; it builds what evaluates expressions as Prometheus does"


def evaluate(
    expressions: Sequence[str], series: Sequence[Series], at: float, lookback: float = LOOKBACK
) -> list[Answer]:
    """Return one answer for each expression; the program is built the first time (half a minute) and kept.

    `at` and `lookback` are seconds: a series that has no sample in the last `lookback` is gone.
    """
    program = built((PROMQL,))["promql"]
    asked = {
        "expressions": list(expressions),
        "at": round(at * 1000),
        "lookback": round(lookback * 1000),
        "series": [
            {"labels": dict(one.labels), "samples": [[round(t * 1000), v] for t, v in one.samples]} for one in series
        ],
    }
    done = subprocess.run(
        [str(program)], input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [answer(json.loads(line)) for line in done.stdout.splitlines()]


def answer(line: dict[str, Any]) -> Answer:
    result = tuple((one["labels"], float(one["value"])) for one in line["result"])
    return Answer(line["error"], tuple(line["metrics"]), result)


def scraped(scrapes: Sequence[tuple[float, str]], **target: str) -> list[Series]:
    """Return the series of scrapes (seconds, text) of one target, whose labels are `target`."""
    found: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for when, text in scrapes:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = {"__name__": sample.name, **sample.labels, **target}
                found.setdefault(tuple(sorted(labels.items())), []).append((when, sample.value))
    return [Series(dict(labels), tuple(samples)) for labels, samples in found.items()]


def alerts() -> list[dict[str, Any]]:
    """Return the rules of all alerts that we ship."""
    groups = yaml.safe_load((FILES / "alerts.yaml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana reads it."""
    found: dict[str, Any] = json.loads((FILES / "dashboard.json").read_text("utf-8"))
    return found


def filled(expression: str, rate_interval: str = RATE_INTERVAL) -> str:
    """Return an expression of the dashboard with Grafana's variables put in, "All" being chosen in its lists."""
    for name, value in {"$__rate_interval": rate_interval, "$namespace": ".*", "$job": ".*"}.items():
        expression = expression.replace(name, value)
    return expression


def queries() -> dict[str, str]:
    """Return "panel: legend" -> expression of the dashboard, with Grafana's variables put in."""
    return {
        f"{panel['title']}: {target['legendFormat']}": filled(target["expr"])
        for panel in dashboard()["panels"]
        for target in panel.get("targets", ())
    }
