"""Fixtures of the unit tests."""

import pytest

from tests.support.clocks import FakeClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The product's only clock, under the test's control."""
    return FakeClock().install(monkeypatch)
