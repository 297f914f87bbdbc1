"""Which tests ran: five tiers, capabilities, and no silent skip.

A pytest plugin (tests/conftest.py loads it). It
- marks each test with its tier, the folder under tests/ it lies in;
- reads `@pytest.mark.needs(Capability.AUDIT_LOG, ...)`: a test whose cluster lacks one is reported as *not run*, with
  the reason, which is neither passed nor skipped;
- turns every plain skip and xfail into a failure: what cannot run has to say which capability is missing;
- keeps `@pytest.mark.full` for `--full`, and prints how many it kept back;
- ends with a table of every tier. Under CI=true or `--require-all-tiers` a test not run, or a tier asked for in which
  nothing ran, makes the exit status non-zero.
"""

import json
import os
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.tally import HEAD, line

TIERS = ("unit", "model", "controlplane", "e2e", "house")
NOT_RUN = "not run"


class NotRun(pytest.skip.Exception):  # type: ignore[misc,name-defined]  # pytest makes the class at run time
    """Raised (by `not_run`) when a test cannot run here; the message says what is missing."""


def not_run(reason: str) -> None:
    """Stop the current test and report it as not run, because of `reason`."""
    raise NotRun(reason)


@dataclass
class Tally:
    """What happened in one tier. `outcomes` maps a test's id to passed, failed or not run; the worst phase wins."""

    asked_for: bool = False
    seconds: float = 0.0
    outcomes: dict[str, str] = field(default_factory=dict)

    def record(self, nodeid: str, outcome: str) -> None:
        if self.outcomes.get(nodeid) != "failed":
            self.outcomes[nodeid] = outcome

    def count(self, outcome: str) -> int:
        return sum(found == outcome for found in self.outcomes.values())

    def counts(self) -> dict[str, float]:
        return {kind: self.count(kind) for kind in ("passed", "failed", NOT_RUN)} | {"seconds": self.seconds}

    @property
    def ran(self) -> bool:
        return self.count("passed") + self.count("failed") > 0


@dataclass
class Tiers:
    """The state of one run, kept in the configuration's stash."""

    strict: bool
    tallies: dict[str, Tally]
    reasons: dict[str, list[str]] = field(default_factory=dict)  # why not run -> ids
    kept_back: int = 0
    uses_cluster: bool = False

    def shortfalls(self) -> list[str]:
        """Return a sentence for each thing asked for that did not run."""
        found = [f"{len(ids)} not run: {reason}" for reason, ids in sorted(self.reasons.items())]
        found += [
            f"tier {name}: no test ran" for name, tally in self.tallies.items() if tally.asked_for and not tally.ran
        ]
        return found


KEY = pytest.StashKey[Tiers]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tiers")
    group.addoption("--require-all-tiers", action="store_true", help="fail if anything asked for was not run")
    group.addoption("--full", action="store_true", help="run the long tests (marked full) too")
    group.addoption("--tally", metavar="FILE", help="write the table and the failures to FILE, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*capabilities): what the cluster must be able to do for this test")
    config.addinivalue_line("markers", "full: long; runs only with --full")
    config.addinivalue_line("markers", "promise(*names): the promises of docs/spec.md that this test holds")
    for tier in TIERS:
        config.addinivalue_line("markers", f"{tier}: lies in tests/{tier}/ (set by itself)")
    asked = asked_for(config.args, config.invocation_params.dir, config.rootpath)
    strict = config.getoption("--require-all-tiers") or os.environ.get("CI", "").lower() in {"1", "true"}
    config.stash[KEY] = Tiers(strict=strict, tallies={name: Tally(asked_for=name in asked) for name in TIERS})


def asked_for(arguments: Iterable[str], started_in: Path, root: Path) -> set[str]:
    """Return the tiers that the command line's paths lie in, or that lie in them."""
    found = set()
    for argument in arguments:
        path = (started_in / argument.split("::")[0]).resolve()
        for name in TIERS:
            folder = (root / "tests" / name).resolve()
            if path.is_relative_to(folder) or folder.is_relative_to(path):
                found.add(name)
    return found


def tier_of(nodeid: str) -> str | None:
    """Return the tier that a node id such as `tests/unit/test_a.py::test_b` belongs to, if any."""
    parts = nodeid.split("::", maxsplit=1)[0].split("/")
    return parts[1] if len(parts) > 1 and parts[0] == "tests" and parts[1] in TIERS else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        tier = tier_of(item.nodeid)
        if tier is None:
            raise pytest.UsageError(f"{item.nodeid} lies in no tier; move it to one of tests/{{{','.join(TIERS)}}}/")
        item.add_marker(tier)
    if config.getoption("--full"):
        return
    kept_back = [item for item in items if item.get_closest_marker("full")]
    if kept_back:
        config.stash[KEY].kept_back = len(kept_back)
        config.hook.pytest_deselected(items=kept_back)
        items[:] = [item for item in items if not item.get_closest_marker("full")]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Start the cluster before the first test that needs one: outside its time limit, and with its progress shown."""
    tiers = session.config.stash[KEY]
    tiers.uses_cluster = any("cluster" in getattr(item, "fixturenames", ()) for item in session.items)
    if tiers.uses_cluster and not session.config.option.collectonly:
        from tests.support.cluster import start

        start()


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if KEY in config.stash and config.stash[KEY].uses_cluster:
        from tests.support.cluster import leave_as_found

        leave_as_found()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    needed = [capability for mark in item.iter_markers("needs") for capability in mark.args]
    if not needed:
        return
    # Imported late: the unit tier must not depend on the cluster's code.
    from tests.support.cluster import what_is_missing

    reason = what_is_missing(needed)
    if reason is not None:
        not_run(reason)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, NotRun):
        report.user_properties.append((NOT_RUN, str(call.excinfo.value)))
    elif report.skipped or hasattr(report, "wasxfail"):
        why = getattr(report, "wasxfail", "") or (str(call.excinfo.value) if call.excinfo else "")
        report.__dict__.pop("wasxfail", None)
        report.outcome = "failed"
        report.longrepr = (
            f"{item.nodeid} was skipped or expected to fail ({why or 'no reason given'}), which hides what does not "
            "work. Fix it, delete it, or name the capability it needs: @pytest.mark.needs(Capability....)"
        )
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped as a whole, which hides what does not work."
    return report


def why_not_run(report: pytest.TestReport) -> str | None:
    """Return why the reported test was not run, or None if it was."""
    return next((str(reason) for name, reason in report.user_properties if name == NOT_RUN), None)


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: object) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    if isinstance(report, pytest.TestReport) and report.skipped and why_not_run(report):
        return NOT_RUN, "N", ("NOT RUN", {"yellow": True})
    return None


class Recorder:
    """Counts reports; an object of its own, as these hooks are not given the configuration."""

    def __init__(self, tiers: Tiers) -> None:
        self.tiers = tiers

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        tally = self.tiers.tallies.get(tier_of(report.nodeid) or "")
        if tally is None:
            return
        tally.seconds += report.duration
        reason = why_not_run(report)
        if report.failed:
            tally.record(report.nodeid, "failed")
        elif report.skipped and reason:
            tally.record(report.nodeid, NOT_RUN)
            self.tiers.reasons.setdefault(reason, []).append(report.nodeid)
        elif report.when == "call":
            tally.record(report.nodeid, "passed")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        tally = self.tiers.tallies.get(tier_of(report.nodeid) or "")
        if tally is not None and report.failed:
            tally.record(report.nodeid, "failed")


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.pluginmanager.register(Recorder(session.config.stash[KEY]), "tiers-recorder")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    tiers = session.config.stash[KEY]
    if session.exitstatus == pytest.ExitCode.OK and tiers.strict and tiers.shortfalls():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if file := session.config.getoption("--tally"):
        asked = {name: tally for name, tally in tiers.tallies.items() if tally.asked_for}
        found = {
            "tiers": {name: tally.counts() for name, tally in asked.items()},
            "failures": [test for tally in asked.values() for test, how in tally.outcomes.items() if how == "failed"],
            "shortfalls": tiers.shortfalls(),
            "kept back": tiers.kept_back,
        }
        Path(file).write_text(json.dumps(found), "utf-8")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.option.collectonly:
        return
    tiers = config.stash[KEY]
    terminalreporter.section("tiers")
    terminalreporter.line(HEAD)
    for name, tally in tiers.tallies.items():
        remark = "" if tally.ran else "   NOT RUN" if tally.asked_for else "   NOT RUN (not asked for)"
        terminalreporter.line(line(name, tally.counts(), remark), yellow=bool(remark) and tally.asked_for)
    for reason, ids in sorted(tiers.reasons.items()):
        terminalreporter.line(f"not run, {len(ids)} tests: {reason}", yellow=True)
    if tiers.kept_back:
        terminalreporter.line(f"{tiers.kept_back} long tests (marked full) kept back; `make test-full` runs them")
    if tiers.strict and tiers.shortfalls():
        terminalreporter.line("Everything asked for has to run here, so this is a failure:", red=True)
        for sentence in tiers.shortfalls():
            terminalreporter.line(f"  {sentence}", red=True)
