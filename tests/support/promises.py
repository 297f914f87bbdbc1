"""Which tests hold which promise of docs/spec.md, read from the source: nothing is imported or run."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "docs" / "spec.md"
TABLE = ROOT / "docs" / "spec-tests.md"
TESTS = ROOT / "tests"

_PROMISE = re.compile(r"^- \*\*([A-Z]+-[0-9]+)\*\* (.+?)( \*\(pods\)\*)?$")
_OFF = {"skip", "skipif", "xfail"}


@dataclass(frozen=True)
class Promise:
    """One promise; `pods`: it has to be held by a test with real containers."""

    name: str
    sentence: str
    pods: bool


@dataclass(frozen=True)
class Holding:
    """One test that says it holds a promise; `full`: it runs in `make test-full` only; `off`: it may be skipped."""

    promise: str
    path: str
    test: str
    full: bool
    off: bool

    @property
    def tier(self) -> str:
        return self.path.split("/")[1]


def promises(text: str) -> list[Promise]:
    """The promises of a text like docs/spec.md, in their order."""
    found = (_PROMISE.match(line) for line in text.splitlines())
    return [Promise(match[1], match[2], bool(match[3])) for match in found if match]


def holdings(folder: Path = TESTS, root: Path = ROOT) -> list[Holding]:
    """Every use of the marker `promise` below `folder`, with paths as seen from `root`."""
    return [one for file in sorted(folder.rglob("test_*.py")) for one in _of_file(file, root)]


def problems(spec: Sequence[Promise], held: Sequence[Holding]) -> list[str]:
    """What is wrong: promises without a test (about pods: without real containers), and names that are no promise."""
    names = [promise.name for promise in spec]
    said = [f"{name} stands twice in docs/spec.md" for name in sorted({n for n in names if names.count(n) > 1})]
    said += [
        f"{one.path}::{one.test} holds {one.promise}, which docs/spec.md lacks"
        for one in held
        if one.promise not in names
    ]
    said += [f"{one.path}::{one.test} holds {one.promise}, but may be skipped" for one in held if one.off]
    for promise in spec:
        tiers = {one.tier for one in held if one.promise == promise.name and not one.off}
        if not tiers:
            said.append(f"{promise.name} has no test: {promise.sentence}")
        elif promise.pods and "e2e" not in tiers:
            said.append(f"{promise.name} is about pods and has no test with real containers: {promise.sentence}")
    return said


def table(spec: Sequence[Promise], held: Sequence[Holding]) -> str:
    """docs/spec-tests.md."""
    lines = [
        "<!-- Made by `make generate` from docs/spec.md and the tests' markers; do not edit. -->",
        "# Which tests hold which promise",
        "",
        "The promises are those of [spec.md](spec.md). Tiers: `unit`, `model`: no cluster; `controlplane`:",
        "a real control plane with simulated pods; `e2e`: containers that a real kubelet runs. *full*: only in",
        "`make test-full`.",
        "",
        "| promise | tier | tests |",
        "|---|---|---|",
    ]
    for promise in spec:
        mine = [one for one in held if one.promise == promise.name]
        for index, tier in enumerate(sorted({one.tier for one in mine}, key=_TIER_ORDER.index)):
            tests = "<br>".join(_link(one) for one in mine if one.tier == tier)
            lines.append(f"| {f'**{promise.name}**' if index == 0 else ''} | {tier} | {tests} |")
    return "\n".join(lines) + "\n"


_TIER_ORDER = ("unit", "model", "controlplane", "e2e", "house")


def _link(one: Holding) -> str:
    file = one.path.rpartition("/")[2]
    return f"[{file}](../{one.path}) {one.test}" + (" *(full)*" if one.full else "")


def _of_file(file: Path, root: Path) -> Iterator[Holding]:
    tree = ast.parse(file.read_text("utf-8"))
    path = file.relative_to(root).as_posix()
    everywhere = [mark for node in tree.body if isinstance(node, ast.Assign) for mark in _module_marks(node)]
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not node.name.startswith("test_"):
            continue
        marks = [*everywhere, *(_mark(decorator) for decorator in node.decorator_list)]
        kinds = {name for name, _ in marks}
        for name, arguments in marks:
            if name == "promise":
                for promise in arguments:
                    yield Holding(promise, path, node.name, full="full" in kinds, off=bool(_OFF & kinds))


def _module_marks(node: ast.Assign) -> Iterator[tuple[str, list[str]]]:
    if any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets):
        values = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
        yield from (_mark(value) for value in values)


def _mark(node: ast.expr) -> tuple[str, list[str]]:
    """The name of a `pytest.mark.NAME(...)` and its constant arguments; "" for any other expression."""
    called = node.func if isinstance(node, ast.Call) else node
    if not (isinstance(called, ast.Attribute) and ast.unparse(called).startswith("pytest.mark.")):
        return "", []
    given = node.args if isinstance(node, ast.Call) else []
    constants = [argument.value for argument in given if isinstance(argument, ast.Constant)]
    return called.attr, [value for value in constants if isinstance(value, str)]
