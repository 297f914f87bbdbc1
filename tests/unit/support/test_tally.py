"""Several runs of the tests add up to one table."""

from tests.support.tally import table

COUNTS = {"passed": 3, "failed": 1, "not run": 2, "seconds": 4.5}


def test_each_tier_of_each_run_has_a_row():
    """Passed, failed, not run and seconds, under one head."""
    first = {"tiers": {"unit": COUNTS, "model": COUNTS}, "kept back": 2}
    second = {"tiers": {"e2e": COUNTS}, "kept back": 3}

    lines = list(table([first, second]))

    assert [line.split() for line in lines[3:]] == [
        ["unit", "3", "1", "2", "4.5"],
        ["model", "3", "1", "2", "4.5"],
        ["e2e", "3", "1", "2", "4.5"],
        ["5", "long", "tests", "(marked", "full)", "kept", "back;", "`make", "test-full`", "runs", "them"],
    ]


def test_failures_and_what_was_not_run_come_last():
    """Nobody has to look for them in the output of two runs."""
    lines = list(table([{"failures": ["tests/a.py::test_b"], "shortfalls": ["tier e2e: no test ran"]}]))

    assert lines[-2:] == ["FAILED tests/a.py::test_b", "not run: tier e2e: no test ran"]


def test_a_run_that_wrote_nothing_is_told():
    """A process that died is not taken for one without failures."""
    assert "ended before it could say anything" in list(table([{}]))[-1]
