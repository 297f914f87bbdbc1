"""Where things lie and what they are called."""

import fnmatch
import re
import sys
from pathlib import Path

from tests.house.repository import PACKAGE, SOURCE_ROOT, files, python_files, text

LONGEST = 350
LONGER_FOR_A_REASON = {  # pattern -> why
    "LICENSE": "the licence's own text",
    "requirements/*.txt": "generated: one line per hash",
    "crds/*.yaml": "generated from the models",
    "requirements/sbom.cdx.json": "generated from the lock",
    "docs/api.md": "generated from the models",
    "charts/*/crds/*.yaml": "generated from the models",
    "demo/input/*": "data that the demo works on",
    "*go.sum": "written by the go command",
    "bench/results/*.json": "data that was measured",
    "docs/concepts.md": "prose is read, not navigated",
    "docs/spec.md": "prose is read, not navigated",
}
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "stuff"}
# A user's or a build machine's folders; put together from halves, so that this file is clean itself.
MACHINE_PATHS = re.compile("|".join(["/ro" + "ot/", "/ho" + "me/[a-z]", "/Us" + "ers/[a-z]", "/wo" + "rk/"]))


def test_the_source_root_holds_only_the_package():
    """Nothing but alo_operator/ lies in operator/, which would shadow the standard library as a package."""
    found = {path.name for path in SOURCE_ROOT.iterdir()} - {"__pycache__"}

    assert found == {PACKAGE.name}, f"move these out of operator/: {sorted(found - {PACKAGE.name})}"


def test_no_module_is_called_like_one_of_the_standard_library():
    """A module or package of ours never has the name of a standard one, so neither can hide the other."""
    ours = {(part, path) for path in python_files() for part in (*path.parts[:-1], path.stem)}
    clashes = {
        str(path)
        for name, path in ours
        if name in sys.stdlib_module_names and not (name == "operator" and path.is_relative_to("operator/alo_operator"))
    }

    assert not clashes, f"rename: {sorted(clashes)}"


def test_names_say_what_is_inside():
    """No module or folder is called utils, helpers, common or misc."""
    vague = {str(path) for path in python_files() if SAYS_NOTHING & {*path.parts[:-1], path.stem}}

    assert not vague, f"name these after what they do: {sorted(vague)}"


def test_files_stay_short_enough_to_read():
    """No file is longer than 350 lines, but for those with a reason."""
    long = {
        str(path): lines
        for path in files()
        if (lines := text(path).count("\n")) > LONGEST
        and not any(fnmatch.fnmatch(str(path), pattern) for pattern in LONGER_FOR_A_REASON)
    }

    assert not long, f"split these by concern: {long}"


def test_nothing_points_to_somebodys_machine():
    """No committed file names a folder of one machine."""
    found = [
        f"{path}:{number}"
        for path in files()
        for number, line in enumerate(text(path).splitlines(), 1)
        if MACHINE_PATHS.search(line) and not _is_inside_an_image(path, line)
    ]

    assert not found, f"these lines name a machine's folder: {found}"


def _is_inside_an_image(path: Path, line: str) -> bool:
    """Whether the line tells of a container's user, as a passwd file does."""
    return path.is_relative_to("tests/cluster") and ":x:" in line


def test_every_package_folder_is_a_package():
    """Each folder with Python files of ours has an __init__.py, so that pytest and mypy agree on module names."""
    folders = {path.parent for path in python_files() if path.parent.parts}
    missing = {str(folder) for folder in folders if folder / "__init__.py" not in set(files())}

    assert not missing, f"add __init__.py to: {sorted(missing)}"
