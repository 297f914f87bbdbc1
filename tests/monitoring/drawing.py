"""The dashboard drawn on its own grid, from what Prometheus' engine answers at each moment of a recording.

It is a drawing after Grafana's rules for the few settings that the dashboard uses (places, units, legends, stacks,
thresholds, colours by name), and not Grafana's own.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

from tests.monitoring.units import ticks, unit
from tests.support import promql

COLUMN, ROW, GAP = 56, 36, 8  # pixels
STEPS: Final = 100
COLOURS: Final = {
    "green": "#56a64b",
    "yellow": "#e0b400",
    "blue": "#3274d9",
    "orange": "#ff780a",
    "red": "#e02f44",
    "purple": "#a352cc",
    "text": "#24292e",
}
PALETTE: Final = (*list(COLOURS.values())[:6], "#37872d", "#8a6d00", "#1250b0", "#a3490a", "#8f0f22", "#6b2a8a")
Panel = dict[str, Any]
Points = list[float | None]


@dataclass
class Line:
    """One series of a panel: a value for each moment, None where there is none."""

    name: str
    colour: str
    points: Points


@dataclass
class Recording:
    """Scrapes, and the moments (seconds) at which all queries of the dashboard are run over them."""

    scrapes: Sequence[tuple[float, Mapping[str, str], str]]
    times: list[float] = field(default_factory=list)

    def answers(self, queries: Sequence[str], every: float) -> list[list[promql.Answer]]:
        """Return the answers at each moment; a target that is not scraped twice is gone, as Prometheus has it."""
        moments = [when for when, _, _ in self.scrapes]
        first, last = min(moments), max(moments)
        self.times = [first + (last - first) * step / STEPS for step in range(STEPS + 1)]
        targets: dict[tuple[tuple[str, str], ...], list[tuple[float, str]]] = {}
        for when, labels, text in self.scrapes:
            targets.setdefault(tuple(labels.items()), []).append((when, text))
        series = [one for labels, told in targets.items() for one in promql.scraped(told, **dict(labels))]
        return [promql.evaluate(queries, series, at, lookback=2 * every) for at in self.times]


def drawn(scrapes: Sequence[tuple[float, Mapping[str, str], str]], every: float) -> str:
    """Return the dashboard as one SVG, one panel a line. `every` is the time between scrapes, in seconds."""
    panels = promql.dashboard()["panels"]
    targets = [(panel["id"], target) for panel in panels for target in panel.get("targets", ())]
    recording = Recording(scrapes)
    found = recording.answers([promql.filled(target["expr"], f"{4 * every:g}s") for _, target in targets], every)
    body = []
    for panel in panels:
        own = [index for index, (owner, _) in enumerate(targets) if owner == panel["id"]]
        lines = _lines(panel, [(targets[index][1], [at[index] for at in found]) for index in own])
        body.append(_panel(panel, lines, recording.times))
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) * ROW
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {24 * COLUMN + GAP} {height + GAP}" '
        'font-family="DejaVu Sans, sans-serif" font-size="11" fill="#24292e">'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="#f4f5f5"/>', *body, "</svg>"]) + "\n"


def _lines(panel: Panel, asked: Sequence[tuple[Mapping[str, Any], Sequence[promql.Answer]]]) -> list[Line]:
    """Return the series in the order in which Grafana numbers its colours: by query, then as they come."""
    own = {
        override["matcher"]["options"]: one["value"]["fixedColor"]
        for override in panel.get("fieldConfig", {}).get("overrides", ())
        for one in override["properties"]
        if one["id"] == "color"
    }
    found: list[Line] = []
    for target, answers in asked:
        assert not answers[0].error, f"{panel['title']}: {answers[0].error}"
        several: dict[tuple[tuple[str, str], ...], Points] = {}
        for index, answer in enumerate(answers):
            for labels, value in answer.result:
                points = several.setdefault(tuple(sorted(labels.items())), [None] * len(answers))
                points[index] = value if math.isfinite(value) else None
        for key, points in sorted(several.items()):
            name = _legend(target["legendFormat"], dict(key))
            colour = COLOURS.get(own.get(name, ""), PALETTE[len(found) % len(PALETTE)])
            found.append(Line(name, colour, points))
    return found


def _legend(form: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"{{\s*(\w+)\s*}}", lambda name: labels.get(name[1], ""), form).strip()


def _panel(panel: Panel, lines: list[Line], times: Sequence[float]) -> str:
    place = panel["gridPos"]
    width, height = place["w"] * COLUMN - GAP, place["h"] * ROW - GAP
    head = f'<g transform="translate({GAP + place["x"] * COLUMN} {GAP + place["y"] * ROW})">'
    if panel["type"] == "row":
        return f"{head}{_text(0, 20, '▾ ' + panel['title'], size=15)}</g>"
    frame = f'<rect width="{width}" height="{height}" fill="#ffffff" stroke="#dddee0"/>'
    title = f"<g>{_text(8, 18, panel['title'], size=13)}<title>{escape(panel['description'])}</title></g>"
    shown = [line for line in lines if any(point is not None for point in line.points)]
    if not shown:
        silent = panel["fieldConfig"]["defaults"].get("noValue", "No data")
        inside = _text(width / 2, height / 2 + 6, silent, "middle", 13, "#8e8e8e")
    elif panel["type"] == "stat":
        inside = _stat(panel, shown, width, height)
    else:
        inside = _chart(panel, shown, times, width, height)
    return f"{head}{frame}{title}{inside}</g>"


def _stat(panel: Panel, lines: Sequence[Line], width: int, height: int) -> str:
    """The last value of each series, in the colour of its threshold, above a small course of it."""
    defaults, parts = panel["fieldConfig"]["defaults"], []
    share = (height - 28) / len(lines)
    for index, line in enumerate(lines):
        last = [point for point in line.points if point is not None][-1]
        reached = [step for step in defaults["thresholds"]["steps"] if step["value"] is None or last >= step["value"]]
        colour = COLOURS[reached[-1]["color"]]
        floor = 28 + share * (index + 1)
        most = max(*(point or 0 for point in line.points), 1e-9)
        across = (width - 2) / max(1, len(line.points) - 1)
        places = [(1 + i * across, floor - 2 - (p or 0) / most * share * 0.4) for i, p in enumerate(line.points)]
        parts.append(f'<path d="M1 {floor:.0f} {_through(places)} V{floor:.0f}Z" fill="{colour}" opacity=".2"/>')
        named = f"{line.name} " if len(lines) > 1 else ""
        value = named + unit(defaults["unit"], last, defaults.get("decimals"))
        parts.append(_text(width / 2, floor - share / 2 + 10, value, "middle", 26, colour))
    return "".join(parts)


def _chart(panel: Panel, lines: Sequence[Line], times: Sequence[float], width: int, height: int) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    names, bottom = _legends(lines, width, height)
    left, right, top, floor = 62, width - 12, 32, bottom - 22
    stacked = defaults["custom"]["stacking"]["mode"] == "normal"
    courses: list[Points] = []
    floors: list[list[float]] = []
    below = [0.0] * len(times)
    for line in lines:
        floors.append([value * stacked for value in below])
        courses.append([None if p is None else p + below[i] * stacked for i, p in enumerate(line.points)])
        below = [below[i] + (p or 0) for i, p in enumerate(line.points)]
    largest = max(point for course in courses for point in course if point is not None)
    step, most = ticks(defaults["unit"], largest)

    def down(value: float) -> float:
        return floor - (floor - top) * value / most

    parts = []
    for index in range(round(most / step) + 1):
        y = down(index * step)
        parts.append(f'<path d="M{left} {y:.1f}H{right}" stroke="#ececed"/>')
        parts.append(_text(left - 6, y + 4, unit(defaults["unit"], index * step), "end", fill="#6e7077"))
    across = (right - left) / (times[-1] - times[0])
    parts += [
        _text(left + minute * 60 * across, floor + 17, f"{minute}:00", "middle", fill="#6e7077")
        for minute in range(int((times[-1] - times[0]) / 60) + 1)
    ]
    xs = [left + (at - times[0]) * across for at in times]
    opacity = defaults["custom"]["fillOpacity"] / 100
    for line, course, under in zip(lines, courses, floors, strict=True):
        for run in _runs(course):
            places = [(xs[i], down(course[i] or 0)) for i in run]
            x, y = places[0]
            if len(run) == 1:
                parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{line.colour}"/>')
                continue
            path = _through(places)
            if opacity:
                back = _through([(xs[i], down(under[i])) for i in reversed(run)])
                parts.append(f'<path d="M{x:.1f} {y:.1f}{path}{back}Z" fill="{line.colour}" opacity="{opacity:g}"/>')
            parts.append(f'<path d="M{x:.1f} {y:.1f}{path}" fill="none" stroke="{line.colour}" stroke-width="1.3"/>')
    if defaults["custom"].get("thresholdsStyle", {}).get("mode") == "dashed":
        for one in defaults["thresholds"]["steps"]:
            if one["value"] is not None and one["value"] <= most:
                y, colour = down(one["value"]), COLOURS[one["color"]]
                parts.append(f'<path d="M{left} {y:.1f}H{right}" stroke="{colour}" stroke-dasharray="6 4"/>')
    return "".join(parts) + names


def _legends(lines: Sequence[Line], width: int, height: int) -> tuple[str, float]:
    """Return the legend as a list that wraps, and where it begins."""
    places, x, row = [], 10.0, 0
    for line in lines:
        long = 26 + 6.6 * len(line.name)
        if x > 10 and x + long > width:
            x, row = 10.0, row + 1
        places.append((x, row, line))
        x += long
    begin = height - 10 - 16 * row
    parts = [
        f'<rect x="{x:.0f}" y="{begin + 16 * at - 6}" width="14" height="4" fill="{line.colour}"/>'
        + _text(x + 18, begin + 16 * at, line.name)
        for x, at, line in places
    ]
    return "".join(parts), begin - 10


def _runs(course: Points) -> list[list[int]]:
    """Return the stretches without a gap, as indices."""
    runs: list[list[int]] = []
    for index, point in enumerate(course):
        if point is not None:
            if index and course[index - 1] is not None:
                runs[-1].append(index)
            else:
                runs.append([index])
    return runs


def _through(places: Sequence[tuple[float, float]]) -> str:
    return "".join(f"L{x:.1f} {y:.1f}" for x, y in places)


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 11, fill: str = "#24292e") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{fill}">{escape(text)}</text>'
    )
