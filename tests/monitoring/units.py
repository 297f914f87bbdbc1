"""Numbers and axes as Grafana writes them, for the units that the dashboard uses."""

import math
from collections.abc import Callable, Sequence
from typing import Final

SECONDS: Final = ((86400, "day"), (3600, "hour"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs"))
SMALL_TO_LARGE: Final = ("", " K", " Mil", " Bil")


def unit(name: str, value: float, decimals: int | None = None) -> str:
    """Return a value as Grafana writes it in a unit of ours. Raises KeyError for any other unit."""
    forms: dict[str, Callable[[float], str]] = {
        "short": lambda v: _scaled(v, 1000, SMALL_TO_LARGE, decimals),
        "ops": lambda v: _scaled(v, 1000, SMALL_TO_LARGE, decimals) + " ops/s",
        "reqps": lambda v: _scaled(v, 1000, SMALL_TO_LARGE, decimals) + " req/s",
        "bytes": lambda v: _scaled(v, 1024, (" B", " KiB", " MiB", " GiB"), decimals),
        "percentunit": lambda v: _plain(v * 100, decimals) + "%",
        "s": _seconds,
    }
    return forms[name](value)


def _seconds(value: float) -> str:
    size, name = next(((size, name) for size, name in SECONDS if abs(value) >= size), (1, "s"))
    return f"{_plain(value / size)} {name}"


def _scaled(value: float, base: int, names: Sequence[str], decimals: int | None) -> str:
    power = min(len(names) - 1, int(math.log(abs(value), base))) if abs(value) >= base else 0
    return _plain(value / base**power, decimals) + names[power]


def _plain(value: float, decimals: int | None = None) -> str:
    return f"{value:.{decimals}f}" if decimals is not None else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def ticks(name: str, most: float) -> tuple[float, float]:
    """Return a distance of two to six lines that is round in this unit, and the end of the axis, at or above `most`."""
    most = most or 1.0
    size = 1.0
    if name == "bytes":
        size = 1024.0 ** int(math.log(max(most, 1.0), 1024))
    elif name == "s" and most > 120:
        size = 60.0
    power = 10.0 ** math.floor(math.log10(most / size))
    step = next(size * power * part for part in (0.2, 0.5, 1, 2, 5) if most / (size * power * part) <= 5)
    return step, step * math.ceil(most / step * 0.9999)
