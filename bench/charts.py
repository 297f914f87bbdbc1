"""Three kinds of chart as SVG, drawn by hand: no dates, no ids, the same text for the same figures."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, LEFT, RIGHT, ROW, TOP = 720, 110, 90, 34, 44
COLOURS = ("#2f6f9f", "#e08a3c", "#5b9b57", "#b4534f", "#8a6bb0", "#8c7a5b", "#9aa0a6")


def bars(title: str, values: Mapping[str, float], unit: str) -> str:
    """One horizontal bar for each value."""
    return stacks(title, {name: {"": value} for name, value in values.items()}, unit)


def stacks(title: str, values: Mapping[str, Mapping[str, float]], unit: str) -> str:
    """Horizontal bars made of parts; the parts have one colour each, and a legend where there are several."""
    parts = list(dict.fromkeys(part for one in values.values() for part in one))
    most = max((sum(one.values()) for one in values.values()), default=0) or 1
    scale = (WIDTH - LEFT - RIGHT) / most
    body = []
    for row, (name, one) in enumerate(values.items()):
        y, x = TOP + row * ROW, float(LEFT)
        body.append(_text(LEFT - 8, y + 16, name, "end"))
        for part, value in one.items():
            colour = COLOURS[parts.index(part) % len(COLOURS)]
            body.append(f'<rect x="{x:.1f}" y="{y}" width="{value * scale:.1f}" height="22" fill="{colour}"/>')
            x += value * scale
        body.append(_text(x + 6, y + 16, f"{sum(one.values()):.3g} {unit}"))
    bottom = TOP + len(values) * ROW
    if len(parts) > 1:
        for index, part in enumerate(parts):
            x, y = 16 + index % 4 * 176, bottom + 6 + index // 4 * 20
            body.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{COLOURS[index % len(COLOURS)]}"/>')
            body.append(_text(x + 18, y + 11, part))
        bottom += 10 + (len(parts) + 3) // 4 * 20
    return _svg(title, body, bottom + 10)


def line(title: str, points: Sequence[tuple[float, float]], unit: str) -> str:
    """A line through the points, one step to the right for each, with x and y written at each."""
    height, most = 180, max(y for _, y in points) or 1
    step = (WIDTH - LEFT - RIGHT) / max(1, len(points) - 1)
    places = [(LEFT + index * step, TOP + 20 + height * (1 - y / most)) for index, (_, y) in enumerate(points)]
    floor = TOP + 20 + height
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    body = [
        f'<line x1="{LEFT}" y1="{floor}" x2="{WIDTH - RIGHT}" y2="{floor}" stroke="#999999"/>',
        f'<polyline points="{path}" fill="none" stroke="{COLOURS[0]}" stroke-width="2"/>',
    ]
    for (x, y), (count, value) in zip(places, points, strict=True):
        body.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{COLOURS[0]}"/>')
        body.append(_text(x, y - 8, f"{value:.3g} {unit}", "middle"))
        body.append(_text(x, floor + 18, f"{count:,.0f}", "middle"))
    return _svg(title, body, floor + 30)


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(title: str, body: Sequence[str], height: int) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12" fill="#222222" role="img">'
    )
    back = f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
    caption = f'<text x="16" y="26" font-size="15" font-weight="bold">{escape(title)}</text>'
    return "\n".join([head, f"<title>{escape(title)}</title>", back, caption, *body, "</svg>"]) + "\n"
