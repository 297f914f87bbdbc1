"""The plugin that says which tests ran (tests/support/tiers.py), tried on small repositories."""

import os
import subprocess
import sys

import pytest

from tests.house.repository import ROOT

PASSES = "def test_a(): pass\n"


class Result:
    """How a run of pytest ended: exit status, output, and the table's lines by tier."""

    def __init__(self, done):
        self.code, self.output = done.returncode, done.stdout + done.stderr
        rows = (line.split() for line in self.output.partition("= tiers =")[2].splitlines()[2:7])
        self.table = {row[0]: row[1:4] for row in rows}


@pytest.fixture
def run(tmp_path):
    """Runs pytest with the plugin over files given as path -> content."""

    def run_pytest(files, *arguments, **environment):
        for name, content in files.items():
            path = tmp_path / "tests" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, "utf-8")
        (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = tests\n", "utf-8")
        kept = {name: value for name, value in os.environ.items() if name not in {"CI", "ALO_TEST_KUBECONFIG"}}
        program = "import sys; sys.path.append(sys.argv.pop(1)); import pytest; sys.exit(pytest.main())"
        command = [sys.executable, "-I", "-c", program, str(ROOT), "-p", "tests.support.tiers"]
        # Its own `tests` folder has no __init__.py, so the plugin's package is the only one of that name.
        command += ["-p", "no:cacheprovider", "--import-mode=importlib", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=kept | environment, capture_output=True, text=True, check=False
        )
        return Result(done)

    return run_pytest


def test_the_table_names_every_tier(run):
    """All five tiers are listed with their counts, whether or not anything ran in them."""
    result = run({"unit/test_a.py": PASSES, "model/test_b.py": PASSES + "def test_b(): assert False\n"})

    assert result.table == {
        "unit": ["1", "0", "0"],
        "model": ["1", "1", "0"],
        "controlplane": ["0", "0", "0"],
        "e2e": ["0", "0", "0"],
        "house": ["0", "0", "0"],
    }
    assert result.output.count("NOT RUN") == 3
    assert "1 failed, 2 passed in" in result.output.splitlines()[-1]


def test_a_tier_without_tests_fails_only_where_everything_is_required(run):
    """An empty tier is a remark on somebody's own machine and a failure in CI."""
    files = {"unit/test_a.py": PASSES, "model/.keep": ""}

    assert run(files, "tests/unit", "tests/model").code == 0
    assert run(files, "tests/unit", "tests/model", "--require-all-tiers").code == 1
    assert run(files, "tests/unit", "tests/model", CI="true").code == 1
    assert run(files, "tests/unit", CI="true").code == 0


NEEDY = """
import pytest
from tests.cluster.providers import Capability

@pytest.mark.needs(Capability.AUDIT_LOG)
def test_needy(): assert False
def test_other(): pass
"""


def test_a_missing_capability_is_reported_as_not_run(run, tmp_path):
    """A test whose cluster cannot do what it needs is neither passed nor skipped, and the reason is printed."""
    somewhere = str(tmp_path / "kubeconfig")
    files = {"e2e/test_a.py": NEEDY}
    result = run(files, ALO_TEST_KUBECONFIG=somewhere)
    strict = run(files, "--require-all-tiers", "tests/e2e", ALO_TEST_KUBECONFIG=somewhere)

    assert result.table["e2e"] == ["1", "0", "1"]
    assert "not run, 1 tests: " in result.output
    assert "1 passed, 1 not run in" in result.output.splitlines()[-1]
    assert (result.code, strict.code) == (0, 1)


@pytest.mark.parametrize(
    "test",
    [
        "import pytest\ndef test_a(): pytest.skip('later')\n",
        "import pytest\n@pytest.mark.skip\ndef test_a(): pass\n",
        "import pytest\n@pytest.mark.skipif(True, reason='x')\ndef test_a(): pass\n",
        "import pytest\n@pytest.mark.xfail\ndef test_a(): assert False\n",
        "import pytest\n@pytest.mark.xfail\ndef test_a(): pass\n",
        "import pytest\npytest.importorskip('no_such_module')\ndef test_a(): pass\n",
        "import unittest\ndef test_a(): raise unittest.SkipTest('x')\n",
        "import pytest\n@pytest.fixture\ndef f(): pytest.skip('x')\ndef test_a(f): pass\n",
    ],
    ids=["call", "mark", "skipif", "xfail", "xpass", "module", "unittest", "fixture"],
)
def test_nothing_is_skipped_silently(run, test):
    """Each way pytest has to skip a test, or to expect its failure, fails the run."""
    result = run({"unit/test_a.py": test})

    assert result.code != 0
    assert result.table["unit"][:2] == ["0", "1"]
    assert "hides what does not work" in result.output


def test_long_tests_are_kept_back_and_counted(run):
    """A test marked full runs only with --full, and how many were kept back is printed."""
    files = {"unit/test_a.py": "import pytest\n@pytest.mark.full\ndef test_long(): pass\n" + PASSES}

    short, full = run(files), run(files, "--full")

    assert short.table["unit"] == ["1", "0", "0"]
    assert "1 long tests (marked full) kept back" in short.output
    assert full.table["unit"] == ["2", "0", "0"]
    assert "kept back" not in full.output


def test_an_error_in_a_fixture_counts_as_a_failure(run):
    """A test that passes and then breaks in its fixture's end is counted as failed."""
    fixture = "import pytest\n@pytest.fixture\ndef f():\n    yield\n    raise ValueError('late')\n"
    result = run({"unit/test_a.py": fixture + "def test_a(f): pass\n"})

    assert result.table["unit"] == ["0", "1", "0"]
    assert result.code == 1


def test_a_module_that_cannot_be_imported_counts_as_a_failure(run):
    """What breaks before any test exists is counted in its tier."""
    result = run({"model/test_a.py": "import no_such_module\n"})

    assert result.table["model"] == ["0", "1", "0"]
    assert result.code != 0


def test_a_test_outside_the_tiers_is_refused(run):
    """A test that lies in no tier would be counted nowhere, so it is an error."""
    result = run({"other/test_a.py": PASSES})

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert "lies in no tier" in result.output
