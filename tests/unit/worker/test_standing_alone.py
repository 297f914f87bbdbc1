"""The library needs Python and its own few files, nothing else."""

import ast
import subprocess
import sys
import zipfile

import pytest

from tests.support.worker_library import FILES, packed

FOREIGN = ("aiohttp", "alo_operator.api", "jsonschema_rs", "kopf", "prometheus_client", "pydantic", "rfc8785", "yaml")


def test_importing_it_imports_nothing_of_the_operators(tmp_path):
    """Not even where the operator's packages are installed."""
    program = "import sys, alo_operator.worker; print(*sys.modules)"

    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()

    assert "alo_operator.worker.runner" in found
    assert not [name for name in found if name.startswith(FOREIGN)]


@pytest.mark.parametrize("path", sorted(FILES), ids=lambda path: path.name)
def test_it_imports_the_standard_library_only(path):
    """Every import of every file is Python's own, or of the files themselves."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)

    strange = {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {name for name in strange if not name.startswith(("alo_operator.worker", "alo_operator.errors"))} == set()


def test_its_few_files_run_by_themselves(tmp_path):
    """One small archive on the path of a bare Python is enough."""
    archive = tmp_path / "alo-library.zip"
    archive.write_bytes(packed())
    program = "from alo_operator.worker import Work; work = Work.local({'n': 1}); work.result(work.input)"

    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": str(archive)},
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    assert done.stdout == '{"n":1}\n'
    assert archive.stat().st_size < 100 * 1024
    assert len(zipfile.ZipFile(archive).namelist()) == len(FILES)
