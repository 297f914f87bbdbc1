"""The commands a contributor is promised."""

import os
import re
import subprocess

import pytest

from tests.house.repository import ROOT, text

PROMISED = [
    *("help", "setup", "cluster", "cluster-down", "operator", "image", "demo"),
    *("unit", "model", "controlplane", "e2e", "house", "test", "test-full"),
    *("bench", "bench-full", "generate", "verify", "lint"),
]


@pytest.mark.parametrize("target", PROMISED)
def test_the_makefile_has_every_promised_target(target):
    """Each promised target exists, is phony, and is listed by `make help`."""
    makefile = text(ROOT / "Makefile")
    phony = re.search(r"^\.PHONY:((?:.*\\\n)*.*)$", makefile, re.MULTILINE)

    assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE)
    assert phony is not None
    assert target in phony.group(1).replace("\\", " ").split()


def test_make_alone_lists_the_targets():
    """Somebody who types `make` learns what there is, and nothing is built."""
    done = subprocess.run(["make", "-C", ROOT], check=True, capture_output=True, text=True, env=clean_environment())

    assert all(re.search(rf"^  {target} ", done.stdout, re.MULTILINE) for target in PROMISED)


def test_the_makefile_keeps_to_old_make():
    """Nothing in it needs more than GNU Make 3.81, which macOS has: no .ONESHELL, $(file), ::= or !=."""
    makefile = text(ROOT / "Makefile")

    assert not re.search(r"\.ONESHELL|\$\(file |::=|!=|\$\(intcmp|\$\(let ", makefile)


def test_ci_runs_the_same_command_as_people():
    """The script of CI is strict, sets CI, and runs `make test`."""
    script = text(ROOT / ".ci" / "run")

    assert re.search(r"^set -euo pipefail$", script, re.MULTILINE)
    assert re.search(r"^export CI=true$", script, re.MULTILINE)
    assert re.search(r"^make test$", script, re.MULTILINE)


def clean_environment() -> dict[str, str]:
    """Return the environment without what an outer `make` hands to inner ones."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
