"""The picture of the dashboard, and what draws it."""

import pytest

from tests.house.repository import text
from tests.monitoring.units import ticks, unit
from tests.support import promql

PICTURE = "docs/dashboard.svg"
PANELS = promql.dashboard()["panels"]


@pytest.mark.parametrize("panel", [one for one in PANELS if one["type"] != "row"], ids=lambda panel: panel["title"])
def test_the_picture_shows_each_panel_as_it_is_now(panel):
    """Title and description of each panel are in the picture, and its unit is one that can be drawn."""
    assert f"{panel['title']}<" in text(PICTURE).replace("&amp;", "&")
    assert panel["description"] in text(PICTURE).replace("&amp;", "&").replace("&#x27;", "'")
    assert unit(panel["fieldConfig"]["defaults"]["unit"], 1.0)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("s", 0.0, "0 s"),
        ("s", 0.0123, "12.3 ms"),
        ("s", 90.0, "1.5 min"),
        ("bytes", 64 * 1024 * 1024, "64 MiB"),
        ("percentunit", 0.25, "25%"),
        ("ops", 1500.0, "1.5 K ops/s"),
        ("short", 3.0, "3"),
    ],
)
def test_a_value_is_written_in_its_unit(name, value, shown):
    """Small and large values alike can be read at a glance."""
    assert unit(name, value) == shown


@pytest.mark.parametrize("name", ["s", "bytes", "short"])
@pytest.mark.parametrize("most", [0.0, 0.003, 0.9, 1.0, 7.3, 99.0, 500.0, 123456.0, 8e7])
def test_an_axis_reaches_its_largest_value_and_has_few_lines(name, most):
    """One to six steps, round in the unit."""
    step, end = ticks(name, most)

    assert end >= most * 0.999
    assert 1 <= round(end / step) <= 6
