"""The worker in docs/worker.md does what stands below it."""

import re
from pathlib import Path

from alo_operator.worker.results import room

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "worker.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


def test_the_worker_of_the_document_runs_on_a_desk(program, tmp_path):
    """Both runs print what the document shows."""
    (text,) = [block for block in blocks("python") if "alo_operator.worker" in block]
    (shown,) = [block for block in blocks("console") if "resize.py" in block]
    given, first, second, _status = shown.removeprefix("$ ").split("\n$ ")
    (tmp_path / "input.json").write_text(re.search("'(.*)'", given)[1])

    with_input = program(text, "--input", str(tmp_path / "input.json"), local=True).ended()
    without = program(text, local=True).ended()

    assert with_input == (0, first.partition("\n")[2] + "\n")
    assert without == (1, second.partition("\n")[2] + "\n")


def test_the_sizes_of_the_document_are_those_of_the_code():
    """What surely fits, for six containers and for one."""
    assert f"up to {room(6)} bytes" in DOCUMENT
    assert f"makes it {room(1)}" in DOCUMENT
