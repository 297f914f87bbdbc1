"""Writing generated files, or checking that those in the tree are fresh: the two modes of every generator."""

import argparse
import difflib
import sys
from collections.abc import Mapping
from pathlib import Path


def run(files: Mapping[str, str], remedy: str, arguments: list[str] | None = None) -> int:
    """The command line `--write FOLDER` or `--check FOLDER`; `files` maps file names to their content.

    Returns the exit status: 0, or 1 when a check finds a stale or missing file; then the differences are printed and
    `remedy` is the command that makes them fresh.
    """
    parser = argparse.ArgumentParser(description="Write generated files, or check that they are fresh.")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", metavar="FOLDER", type=Path, help="write the files into FOLDER")
    mode.add_argument("--check", metavar="FOLDER", type=Path, help="exit 1 and show a diff where FOLDER is stale")
    options = parser.parse_args(arguments)
    if options.write:
        _write(files, options.write)
        return 0
    return _check(files, options.check, remedy)


def _write(files: Mapping[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
        sys.stdout.write(f"wrote {folder / name}\n")


def _check(files: Mapping[str, str], folder: Path, remedy: str) -> int:
    stale = 0
    for name, content in files.items():
        path = folder / name
        current = path.read_text(encoding="utf-8") if path.exists() else ""
        if current == content:
            continue
        stale += 1
        lines = difflib.unified_diff(
            current.splitlines(keepends=True), content.splitlines(keepends=True), str(path), f"{path} (fresh)"
        )
        sys.stdout.writelines(lines)
    if stale:
        sys.stderr.write(f"{stale} of {len(files)} generated files are stale: run `{remedy}`\n")
        return 1
    return 0
