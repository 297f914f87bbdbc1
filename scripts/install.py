"""Make a virtual environment: a locked set of packages, and this project in editable form.

    python3 scripts/install.py .venv requirements/dev.txt
    python3 scripts/install.py .venv-operator requirements/operator.txt --builder .venv

The project goes in without its dependencies being looked at again. It is built by the hatchling of the dev environment
(`--builder`), never in an isolated one: nothing is downloaded that the locks do not name.
Exit status: 0 done, 2 with one sentence on what is missing.
"""

import argparse
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
BUILD_WHEEL = "import sys, hatchling.build as build; print(build.build_editable(sys.argv[1]))"


def main() -> int:
    """Run the command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Make a virtual environment from a locked set of packages.")
    parser.add_argument("target", help="folder of the environment, relative to the repository")
    parser.add_argument("lock", help="requirements file with exact versions and hashes")
    parser.add_argument("--builder", help="environment whose hatchling builds the project (default: the target)")
    options = parser.parse_args()
    missing = what_is_missing()
    if missing:
        print("setup: " + missing, file=sys.stderr)
        return 2
    target, lock = ROOT / options.target, ROOT / options.lock
    builder = ROOT / (options.builder or options.target)
    try:
        # Two `make` at once must not both build the same environment; the second finds it done.
        with (ROOT / f"{options.target}.lock").open("w") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            make(target, lock, builder)
    except subprocess.CalledProcessError as error:
        shutil.rmtree(target, ignore_errors=True)
        print("setup: " + " ".join(map(str, error.cmd[:4])) + " ... failed; the reason is above.", file=sys.stderr)
        return 2
    return 0


def what_is_missing() -> "str | None":
    """Return one sentence on what has to be installed first, or None."""
    if sys.version_info < OLDEST:
        return (
            "Python 3.11 or newer is needed, and {} is {}.{}. "
            "Install it, or name another: make setup PYTHON=/path/to/python3.11"
        ).format(sys.executable, *sys.version_info[:2])
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        return "this Python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"
    return None


def make(target: Path, lock: Path, builder: Path) -> None:
    """Bring `target` up to date: anew if its lock changed, else only the project. Raises CalledProcessError."""
    pip: list[str | Path] = [
        target / "bin" / "python",
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "install",
    ]
    mark, wanted = target / ".lock", f"{sys.version}\n{hashlib.sha256(lock.read_bytes()).hexdigest()}\n"
    if not mark.is_file() or mark.read_text("utf-8") != wanted:
        shutil.rmtree(target, ignore_errors=True)
        say(f"making {target.name} with Python {'.'.join(map(str, sys.version_info[:3]))}")
        run(sys.executable, "-m", "venv", target)
        say(f"installing {count(lock)} packages of {lock.relative_to(ROOT)} (the first time they are downloaded)")
        run(*pip, "--require-hashes", "--only-binary", ":all:", "-r", lock)
        mark.write_text(wanted, "utf-8")
    say(f"installing the project itself in {target.name}, editable")
    with tempfile.TemporaryDirectory() as scratch:
        made = run(builder / "bin" / "python", "-c", BUILD_WHEEL, scratch, capture=True)
        run(*pip, "--no-deps", "--no-index", "--force-reinstall", Path(scratch) / made.strip().splitlines()[-1])


def run(*command: "str | Path", capture: bool = False) -> str:
    """Run a step in the repository; return what it printed if `capture`. Raises CalledProcessError."""
    # PYTHONPATH and the like of the caller must not leak packages into an environment that is meant to be exact.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command],
        check=True,
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE if capture else None,
    )
    return done.stdout if capture else ""


def count(lock: Path) -> int:
    return sum("==" in line and not line.startswith((" ", "#")) for line in lock.read_text("utf-8").splitlines())


def say(text: str) -> None:
    print("setup: " + text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
