"""What the repository holds, for the tests of this tier."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOT = ROOT / "operator"
PACKAGE = SOURCE_ROOT / "alo_operator"


@cache
def files() -> tuple[Path, ...]:
    """Return all files that are committed, or would be: relative paths, sorted. What git ignores is not among them."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return tuple(sorted(Path(name) for name in done.stdout.split("\0") if name and (ROOT / name).is_file()))


@cache
def text(path: Path) -> str:
    """Return the content of a file, empty for a binary one."""
    content = (ROOT / path).read_bytes()
    return "" if b"\0" in content else content.decode("utf-8")


def python_files(*folders: str) -> list[Path]:
    """Return the Python files below these folders, or all of them."""
    return [
        path
        for path in files()
        if path.suffix == ".py" and (not folders or any(path.is_relative_to(f) for f in folders))
    ]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(text(path), str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of each absolute import, wherever in the file it stands."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def dotted(node: ast.expr) -> str:
    """Return `a.b.c` for such an expression, else an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        front = dotted(node.value)
        return f"{front}.{node.attr}" if front else ""
    return ""
