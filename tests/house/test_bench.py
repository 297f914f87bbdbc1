"""The measurements' own arithmetic, and that the page says what was measured."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from bench import charts, figures, page, results, store, suite, trail
from bench.loads.filling import copied
from bench.peers.floor_throughput import Held, Pattern
from bench.sizes import Sizes
from tests.house.repository import ROOT

CALLER, OPERATOR = "alo-admin", "system:serviceaccount:alo-system:alo-operator"
CONTROLLER = "system:serviceaccount:kube-system:job-controller"


def line(second, user, verb, resource, name, *, code=200, took=0.001, agent="x"):
    """One line of an audit log, received at that second."""
    resource, _, subresource = resource.partition("/")
    target = {"resource": resource, "subresource": subresource, "namespace": "media", "name": name}
    return {
        "stage": "ResponseComplete",
        "user": {"username": user},
        "userAgent": agent,
        "verb": verb,
        "objectRef": target,
        "responseStatus": {"code": code},
        "requestReceivedTimestamp": f"2026-01-01T00:00:{second:09.6f}Z",
        "stageTimestamp": f"2026-01-01T00:00:{second + took:09.6f}Z",
    }


LIFE = [
    line(1, CALLER, "create", "asyncoperations", "one", agent="alo-bench"),
    line(1.01, OPERATOR, "patch", "asyncoperations", "one"),
    line(1.02, OPERATOR, "create", "jobs", "one-0123456789"),
    line(1.5, CONTROLLER, "update", "jobs/status", "one-0123456789"),
    line(2, CONTROLLER, "update", "jobs/status", "one-0123456789"),
    line(2.01, OPERATOR, "patch", "asyncoperations/status", "one", code=409),
    line(2.02, OPERATOR, "get", "asyncoperations", "one"),
    line(2.03, OPERATOR, "patch", "asyncoperations/status", "one"),
    line(2.04, OPERATOR, "patch", "asyncoperations", "one"),
    line(3, CALLER, "create", "selfsubjectaccessreviews", ""),
]


@pytest.fixture
def log(tmp_path):
    """An audit log with one operation's life, the last line half written."""
    path = tmp_path / "audit.log"
    path.write_text("".join(json.dumps(one) + "\n" for one in LIFE) + '{"stage":', "utf-8")
    return path


def test_a_life_is_read_off_the_audit_log(log):
    """Each step is found with its microseconds, refused writes are told apart, and reads and writes are counted."""
    found = trail.follow(log, 0, "media", ["one"], operator=OPERATOR)

    assert found.steps("applied", "job") == pytest.approx([0.021], abs=1e-5)
    assert found.steps("done", "settled") == pytest.approx([0.03], abs=1e-5)
    assert found.steps("settled", "released") == pytest.approx([0.01], abs=1e-5)
    assert found.span("settled") == pytest.approx(1.031, abs=1e-5)
    assert (found.lives["one"].writes, found.lives["one"].refused) == (4, 1)
    assert found.writes == {"caller": 1, "alo-operator": 5, "job-controller": 2}
    assert found.reads == {"get asyncoperations": 1}
    assert found.refused == {"patch asyncoperations/status 409": 1}


def test_only_what_came_after_the_mark_counts(log):
    """A load is read from its own beginning in the log, and the lines of other namespaces are not its own."""
    offset = len(json.dumps(LIFE[0])) + 1

    assert trail.follow(log, offset, "media", ["one"], operator=OPERATOR).lives["one"].applied is None
    assert trail.follow(log, 0, "billing", ["one"], operator=OPERATOR).writes == {}


@pytest.mark.parametrize(
    ("count", "share", "expected"), [(1, 0.99, 1), (100, 0.99, 99), (100, 0.5, 50), (1000, 0.99, 990)]
)
def test_a_percentile_is_a_value_that_was_measured(count, share, expected):
    """It is the smallest value that so many do not exceed."""
    assert trail.percentile(list(range(1, count + 1)), share) == expected


def test_without_values_there_is_no_percentile():
    """Nothing is made up where nothing was measured."""
    assert trail.percentile([], 0.5) is None
    assert trail.quantiles([], "x") == {"x_p50_ms": None, "x_p99_ms": None, "x_max_ms": None}


def run_of(rate, **more):
    """A run of a burst alone."""
    bare = {"per_second": 40.0, "cpu_ms": {}, "writes": {}}
    burst = {
        "per_second": rate,
        "bare_before": bare,
        "bare_after": bare | {"per_second": 60.0},
        "cpu_ms": {},
        "writes": {},
    }
    return {"burst": burst, "load_average": 0.1, "seconds": 1, "kubernetes": "v1.34.4"} | more


def test_figures_are_medians_of_runs_and_tell_their_spread():
    """The ratio is to the mean of the bare Jobs before and after; what no run has stays unmeasured."""
    found = results.summed([run_of(30.0), run_of(35.0), run_of(45.0)])

    assert found["throughput_ratio"] == 0.7
    assert (found["spread"]["throughput_ratio"]["least"], found["spread"]["throughput_ratio"]["most"]) == (0.6, 0.9)
    assert found["rss_mb_10k"] is None


def test_the_figures_of_a_level_are_those_of_exactly_that_many():
    """Scaled loads never fill the figure of 10,000 operations."""
    run = {"standing": {"levels": [{"standing": 300, "rss_mb": 60.0}]}}

    assert figures.measured([run])["rss_mb_10k"]["median"] is None
    assert Sizes().scaled(0.03).standing == (10, 30, 300, 1500)


def test_every_load_with_bare_jobs_says_how_many():
    """Those that are made at once are compared with as many Jobs; the names are those of loads and of sizes."""
    sizes = Sizes()

    assert set(suite.BARE) <= {name for name, _ in suite.ORDER}
    assert {name: getattr(sizes, count) for name, count in suite.BARE.items()} == {
        "burst": 1000,
        "floor_throughput": 1000,
        "textbook": 1000,
        "steady": 300,
        "cancel": 300,
        "standing": 300,
    }


def test_the_floor_stands_beside_our_figures():
    """What the operator's requests alone reach is told with the ratio and with the CPU."""
    bare = {"per_second": 50.0, "cpu_ms": {}, "writes": {}}
    floor = {"per_second": 45.0, "bare_before": bare, "bare_after": bare, "cpu_ms": {"operator": 2.0}, "writes": {}}

    found = figures.measured([run_of(30.0, floor_throughput=floor)])

    assert found["throughput_ratio"]["beside"] == "floor 0.9"
    assert found["cpu_ms_per_operation"]["beside"] == "floor 2 ms"
    assert "| per second | 40 | 45 | 30 |" in page.generated(
        results.head(Sizes()) | results.summed([run_of(30.0, floor_throughput=floor)])
    )


def test_objects_are_stored_in_transactions_that_etcd_takes():
    """No more than 128 puts and about a megabyte in each, in their order; what is too large by itself goes alone."""
    many = [(f"key-{number:03d}", b"x") for number in range(300)]
    large = [("one", b"x" * 600_000), ("two", b"x" * 600_000), ("three", b"x" * 2_000_000), ("four", b"x")]

    assert [len(some) for some in store.batches(many)] == [128, 128, 44]
    assert [pair for some in store.batches(many) for pair in some] == many
    assert [[key for key, _ in some] for some in store.batches(large)] == [["one"], ["two"], ["three"], ["four"]]
    assert list(store.batches([])) == []


def test_a_copy_differs_in_name_and_uid_alone():
    """The stored form stays as it is byte for byte; one that has them twice is refused instead of guessed at."""
    model = b'{"metadata":{"name":"one","uid":"1-1"},"spec":{"text":"one"}}\n'

    assert copied(model, ("one", "1-1"), ("two", "2-2")) == model.replace(b'"name":"one"', b'"name":"two"').replace(
        b"1-1", b"2-2"
    )
    with pytest.raises(ValueError, match="2 times"):
        copied(model.replace(b'"text"', b'"name"'), ("one", "1-1"), ("two", "2-2"))


def test_a_body_of_one_operation_serves_for_another():
    """The floor's client puts names and uids into a body as the operator made it, and changes nothing else."""
    one, two = Held("a-1", "u-1", "a-1-123", {}, "j-1"), Held("a-2", "u-2", "a-2-456", {}, "j-2")
    body = {"name": "a-1-123", "owner": {"name": "a-1", "uid": "u-1"}, "job": "j-1", "pod": "a-1-123-xyz"}

    assert Pattern(body, one).of(one) == body
    assert Pattern(body, one).of(two) == {
        "name": "a-2-456",
        "owner": {"name": "a-2", "uid": "u-2"},
        "job": "j-2",
        "pod": "a-2-456-xyz",
    }


@pytest.mark.parametrize(("value", "verdict"), [(None, "not measured"), (0.6, "missed"), (0.65, "must"), (0.8, "aim")])
def test_a_figure_is_judged_by_its_bounds(value, verdict):
    """Bounds count as reached, in the figure's own direction."""
    assert figures.FIGURES[0].verdict(value) == verdict


def test_a_run_with_failed_loads_can_be_shown():
    """What could not be measured is left out of the page, and the rest stands."""
    shown = page.generated(results.head(Sizes()) | results.summed([run_of(30.0, cancel={"failed": "x"}, large={})]))

    assert "| 0.6 | missed |" in shown
    assert "Cancelled while running" not in shown


@pytest.mark.parametrize(
    "drawing",
    [
        charts.bars("a < b", {"ours": 3.0, "bare": 4.0}, "/s"),
        charts.stacks("a", {"x": {"operator": 1.0, "etcd": 2.0}}, "ms"),
        charts.line("a", [(100, 1.0), (1000, 2.0)], "MB"),
        charts.line("a", [(100, 0.0)], "MB"),
    ],
    ids=["bars", "stacks", "line", "one point"],
)
def test_charts_are_xml(drawing):
    """A browser can read each kind of chart."""
    assert ET.fromstring(drawing).tag.endswith("svg")  # noqa: S314 - our own text


def test_the_page_says_what_was_measured():
    """docs/performance.md and its charts are those of bench/results/latest.json."""
    last = results.latest()
    text = page.PAGE.read_text("utf-8")
    between = text.partition(page.BEGIN)[2].partition(page.END)[0].strip()

    assert between == page.generated(last).strip(), "run: .venv/bin/python -m bench --page"
    assert {name: (page.CHARTS / name).read_text("utf-8") for name in page.drawings(last)} == page.drawings(last)


def test_the_results_have_every_figure_and_name_no_machine():
    """Each figure is at the top of the results, and the commit, the date and the versions are there."""
    last = results.latest() or results.head(Sizes()) | results.summed([run_of(30.0)])

    assert {figure.key for figure in figures.FIGURES} <= set(last)
    assert {"commit", "date", "machine", "kubernetes", "sizes", "runs", "conditions"} <= set(last)
    assert set(last["machine"]) == {"cores", "processor", "memory_gb", "kernel", "python"}


def test_the_command_explains_itself():
    """`python -m bench --help` lists every load."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--help"], check=True, capture_output=True, text=True, cwd=ROOT
    )

    assert "standing" in done.stdout
    assert "--runs" in done.stdout
