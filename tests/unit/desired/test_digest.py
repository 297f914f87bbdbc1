"""Digests of what defines the work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alo_operator.desired.deadlines import earliest
from alo_operator.desired.digest import DEFINING_FIELDS, short_hash, spec_digest
from alo_operator.desired.fields import MAX_DEPTH, moment, too_deep
from tests.support.builders import NOON, at

SPEC = {
    "job": {"spec": {"template": {"spec": {"containers": [{"name": "main"}]}}}},
    "input": {"b": 1, "a": [1.5, None]},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.promise("ID-8")
def test_a_digest_is_the_same_in_every_version():
    """It is kept in status for ever, so its recipe must not change under the same prefix."""
    assert spec_digest(SPEC) == "v1:sha256:b19d67b131250b7d4e72510cd522542b694fc7afb7751064e2bfd76232fc8b44"


@pytest.mark.promise("ID-8")
def test_the_order_of_keys_does_not_matter():
    """Two clients that say the same have asked for the same."""
    assert spec_digest({"input": {"a": [1.5, None], "b": 1}, "job": SPEC["job"]}) == spec_digest(SPEC)


@pytest.mark.promise("ID-8")
@pytest.mark.parametrize(
    "other",
    [{"input": {"b": 2, "a": [1.5, None]}}, {"input": {"b": 1, "a": [None, 1.5]}}, {"metadata": {}}, {"input": None}],
)
def test_every_change_of_what_defines_the_work_shows(other):
    """A value, an order, a field more or less."""
    assert spec_digest(SPEC | other) != spec_digest(SPEC)


@pytest.mark.promise("ID-8")
def test_what_may_change_is_left_out():
    """suspend, cancel, retention, readyWhen and callbacks do not define the work."""
    assert spec_digest(SPEC | {"suspend": True, "cancel": {}, "readyWhen": "Started"}) == spec_digest(SPEC)
    assert set(DEFINING_FIELDS) == {"templateRef", "job", "input", "metadata", "timeouts"}


def test_numbers_are_told_apart_as_json_tells_them():
    """1 and 1.0 are one number; integers past the exact range of a double count as the double they are read as."""
    assert spec_digest({"input": {"n": 1}}) == spec_digest({"input": {"n": 1.0}})
    assert spec_digest({"input": {"n": 2**53 + 1}}) == spec_digest({"input": {"n": 2**53}})
    assert spec_digest({"input": {"n": 2**53 - 1}}) != spec_digest({"input": {"n": 2**53}})


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("job", "input", "metadata", "other"), JSON)))
def test_any_spec_has_a_digest(spec):
    """Whatever JSON users write, at the same spec always the same digest."""
    assert spec_digest(spec) == spec_digest(dict(reversed(spec.items())))


@pytest.mark.parametrize(
    "value", [10**400, float("1e308"), -(2**63), "\ud800"], ids=["1e400", "1e308", "int64", "half"]
)
def test_extreme_values_have_a_digest_or_none(value):
    """Numbers beyond any double, and halves of characters, do not end the pass."""
    found = spec_digest({"input": {"n": value}})

    assert found is None or found.startswith("v1:sha256:")


def test_depth_is_counted_in_objects_and_lists():
    """The innermost scalar adds no level."""
    assert not too_deep({}, 1)
    assert not too_deep([1, "x"], 1)
    assert too_deep([[1]], 1)
    deep = 1
    for _ in range(MAX_DEPTH):
        deep = [deep]
    assert not too_deep(deep)
    assert too_deep({"a": deep})


def test_short_hashes_are_lower_case_hexadecimal():
    """They become parts of names."""
    assert short_hash("x") == "2d711642b7"
    assert len(short_hash("x", 48)) == 48


def test_the_earliest_moment_is_of_those_that_are_set():
    """None where none is."""
    assert earliest(None, at(2), at(1)) == at(1)
    assert earliest(None, None) is None
    assert earliest() is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01T13:00:00+01:00", NOON),
        ("2026-03-01T12:00:01.000000Z", at(1)),
        ("", None),
        ("yesterday", None),
        ("12026-03-01T12:00:00Z", None),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+05:00", None),
        ("9999-12-31T23:59:59Z", None),
        (5, None),
    ],
)
def test_times_are_read_in_utc_or_not_at_all(text, expected):
    """A wrong one is as good as absent."""
    assert moment({"t": text}, "t") == expected
