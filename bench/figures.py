"""The figures that count: what each must reach, and how it is read off a run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Run = Mapping[str, Any]
Read = Callable[[Run], float | None]


@dataclass(frozen=True)
class Figure:
    """`must` and `aim`: lower bounds where `more_is_better`, else upper ones. `beside`: what to compare with."""

    key: str
    title: str
    unit: str
    must: float
    aim: float
    read: Read
    beside: Callable[[Run], str] = lambda _: ""
    more_is_better: bool = False

    def verdict(self, value: float | None) -> str:
        """In a word: `aim`, `must` or `missed`; `not measured` where there is no value."""
        if value is None:
            return "not measured"
        reached = [value >= bound if self.more_is_better else value <= bound for bound in (self.aim, self.must)]
        return "aim" if reached[0] else "must" if reached[1] else "missed"


def of(run: Run, *path: str) -> Any:
    """The value at a path of keys, None where it is not there."""
    found: Any = run
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def ratio(run: Run, load: str) -> float | None:
    """Operations a second by bare Jobs a second, those before and after the load taken together."""
    rates = [of(run, load, place, "per_second") for place in ("bare_before", "bare_after")]
    own = of(run, load, "per_second")
    return None if own is None or None in rates else round(own / statistics.mean(rates), 3)


def level(run: Run, count: int) -> Run:
    """The figures with exactly so many settled operations; empty where that was not measured."""
    found = of(run, "standing", "levels") or ()
    return next((one for one in found if one["standing"] == count), {})


def floor(run: Run) -> float | None:
    """CPU in ms for each operation that Kopf without handlers and the bare writes take."""
    events, write = of(run, "floor_events", "cpu_ms"), of(run, "floor_writes", "cpu_ms")
    writes = of(run, "burst", "own_writes")
    return None if None in (events, write, writes) else round(events + writes * write, 2)


def textbook(*path: str, unit: str = "") -> Callable[[Run], str]:
    """Words on the textbook operator's figure."""
    return lambda run: _said("textbook", of(run, "textbook", *path), unit)


def _said(what: str, value: float | None, unit: str = "") -> str:
    return "" if value is None else f"{what} {value:g}{unit and ' ' + unit}"


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


FIGURES = (
    Figure(
        "throughput_ratio",
        "operations per second by bare Jobs per second, 1,000 at once",
        "",
        0.65,
        0.75,
        lambda run: ratio(run, "burst"),
        lambda run: _joined(_said("floor", ratio(run, "floor_throughput")), _said("textbook", ratio(run, "textbook"))),
        more_is_better=True,
    ),
    Figure(
        "own_writes_per_operation",
        "own writes per operation",
        "",
        5,
        4,
        lambda run: of(run, "steady", "own_writes"),
        textbook("own_writes"),
    ),
    Figure(
        "own_writes_per_operation_preset",
        "own writes per operation, finalizer set at creation",
        "",
        4,
        3,
        lambda run: of(run, "preset", "own_writes"),
    ),
    Figure(
        "cpu_ms_per_operation",
        "operator CPU per operation, 1,000 at once",
        "ms",
        7,
        4,
        lambda run: of(run, "burst", "cpu_ms", "operator"),
        lambda run: _joined(
            _said("floor", of(run, "floor_throughput", "cpu_ms", "operator"), "ms"),
            _said("with Kopf", floor(run), "ms"),
            _said("textbook", of(run, "textbook", "cpu_ms", "operator"), "ms"),
        ),
    ),
    Figure(
        "apply_to_job_p99_ms",
        "apply to Job created at 5 operations/s, p99",
        "ms",
        100,
        50,
        lambda run: of(run, "steady", "apply_to_job_p99_ms"),
        textbook("steady", "apply_to_job_p99_ms", unit="ms"),
    ),
    Figure(
        "job_done_to_settled_p99_ms",
        "Job complete to settled at 5 operations/s, p99",
        "ms",
        150,
        75,
        lambda run: of(run, "steady", "job_done_to_settled_p99_ms"),
        textbook("steady", "job_done_to_settled_p99_ms", unit="ms"),
    ),
    Figure(
        "rss_mb_10k",
        "resident memory with 10,000 settled operations",
        "MB",
        150,
        100,
        lambda run: of(level(run, 10_000), "rss_mb"),
        lambda run: _said("at its peak", of(level(run, 10_000), "restart_peak_mb"), "MB"),
    ),
    Figure(
        "rss_mb_50k",
        "resident memory with 50,000 settled operations",
        "MB",
        300,
        180,
        lambda run: of(level(run, 50_000), "rss_mb"),
        lambda run: _said("at its peak", of(level(run, 50_000), "restart_peak_mb"), "MB"),
    ),
    Figure(
        "restart_to_first_reconcile_s_10k",
        "restart to first reconcile with 10,000 settled operations",
        "s",
        10,
        5,
        lambda run: of(level(run, 10_000), "restart_to_first_reconcile_s"),
    ),
)


def median(values: Sequence[float]) -> float | None:
    """Rounded to three places; None of nothing."""
    return round(statistics.median(values), 3) if values else None


def measured(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """Median, smallest and largest of each figure over the runs that have it, by key."""
    found = {}
    for figure in FIGURES:
        values = [value for run in runs if (value := figure.read(run)) is not None]
        beside = [text for run in runs if (text := figure.beside(run))]
        found[figure.key] = {
            "median": median(values),
            "least": min(values, default=None),
            "most": max(values, default=None),
            "beside": beside[len(beside) // 2] if beside else "",
        }
    return found
