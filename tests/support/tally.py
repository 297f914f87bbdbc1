"""The sums of several runs of the tests in one table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

HEAD = f"{'tier':<14}{'passed':>8}{'failed':>8}{'not run':>9}{'seconds':>10}"


def line(name: str, counts: Mapping[str, Any], remark: str = "") -> str:
    """One row; `counts` has passed, failed, not run (numbers of tests) and seconds."""
    numbers = f"{counts['passed']:>8}{counts['failed']:>8}{counts['not run']:>9}{counts['seconds']:>10.1f}"
    return f"{name:<14}{numbers}{remark}"


def table(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of the table, and the failures of all runs.

    Each run is what `--tally` wrote, or empty where it ended before it could:
    {"tiers": {name: counts}, "failures": [test id], "shortfalls": [sentence], "kept back": number}.
    """
    yield from ("", "== every tier", HEAD)
    for run in runs:
        for name, counts in run.get("tiers", {}).items():
            yield line(name, counts)
    kept_back = sum(run.get("kept back", 0) for run in runs)
    if kept_back:
        yield f"{kept_back} long tests (marked full) kept back; `make test-full` runs them"
    for run in runs:
        if not run:
            yield "a run of the tests ended before it could say anything; its own output says why"
        yield from (f"FAILED {name}" for name in run.get("failures", ()))
        yield from (f"not run: {sentence}" for sentence in run.get("shortfalls", ()))
