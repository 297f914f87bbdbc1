"""What is installed, and from where."""

import re
import subprocess

import pytest

from tests.house.repository import ROOT, text

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
OPERATOR_PYTHON = ROOT / ".venv-operator" / "bin" / "python"


def entries(lock: str) -> list[str]:
    """Return one logical line per package, continuation lines joined."""
    joined = lock.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def pins(lock: str) -> dict[str, str]:
    matches = (re.match(r"([a-z0-9._-]+)==([^\s;]+)", line) for line in entries(lock))
    return {match[1]: match[2] for match in matches if match}


@pytest.mark.parametrize("module", ["kubernetes", "kubernetes_asyncio", "pykube", "pytest"])
def test_the_operators_environment_lacks_what_it_must_not_load(module):
    """Kopf would import the Kubernetes client when it is there, which costs every operator 19 MB."""
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is not None)"
    done = subprocess.run([OPERATOR_PYTHON, "-c", code], check=False, cwd=ROOT.parent)

    assert done.returncode == 0, f"{module} can be imported in .venv-operator"


def test_the_operators_environment_holds_exactly_its_lock():
    """Nothing is installed for the operator but what requirements/operator.txt names, the project, and pip's own."""
    code = "import importlib.metadata as m; print(*sorted(f'{d.name}=={d.version}' for d in m.distributions()))"
    done = subprocess.run([OPERATOR_PYTHON, "-I", "-c", code], check=True, capture_output=True, text=True)
    installed = dict(part.lower().replace("_", "-").split("==") for part in done.stdout.split())
    locked = pins(text(ROOT / "requirements" / "operator.txt"))
    conditional = {
        line.split("==")[0] for line in entries(text(ROOT / "requirements" / "operator.txt")) if " ; " in line
    }

    expected = {name: version for name, version in locked.items() if name not in conditional}
    for name in ("pip", "setuptools", "alo-operator", *conditional):
        installed.pop(name, None)
    assert installed == expected, "run `make setup`"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_name_exact_versions_with_hashes_and_no_index(lock):
    """Each line of a lock is one exact version with hashes; no address of any index is in it."""
    loose = [
        line for line in entries(text(lock)) if not re.match(r"[a-z0-9._-]+==\S+", line) or "--hash=sha256:" not in line
    ]

    assert not loose, f"not pinned with hashes: {loose}"
    assert "://" not in text(lock)
    assert "--index" not in text(lock)


def test_the_dev_set_runs_the_operators_versions():
    """What is tested is what runs: the dev set has every package of the operator's at the same version."""
    operator = pins(text(ROOT / "requirements" / "operator.txt"))
    dev = pins(text(ROOT / "requirements" / "dev.txt"))

    assert operator.items() <= dev.items(), "run `make requirements`"
