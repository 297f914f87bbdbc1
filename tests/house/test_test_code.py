"""Tests are held to rules too."""

import ast
from pathlib import Path

from tests.house.repository import dotted, imports, python_files, tree

MAY_SLEEP = {Path("tests/support/waiting.py")}
HIDES = {
    "pytest.skip",
    "pytest.xfail",
    "pytest.importorskip",
    "pytest.mark.skip",
    "pytest.mark.skipif",
    "pytest.mark.xfail",
}
MAY_NAME_THEM = {Path("tests/support/tiers.py")}  # the plugin that forbids them


def test_tests_wait_on_conditions_and_never_sleep():
    """Only the polling function and the cluster's own code may sleep; `asyncio.sleep(0)` only yields."""
    found = [
        f"{path}:{node.lineno}"
        for path in python_files("tests")
        if path not in MAY_SLEEP and not path.is_relative_to("tests/cluster")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and _sleeps(path, node)
    ]

    assert not found, f"use tests.support.waiting.wait_for instead of sleeping: {found}"


def _sleeps(path: Path, call: ast.Call) -> bool:
    name = dotted(call.func)
    if name.rpartition(".")[2] != "sleep":
        return False
    plain = {imported for _, imported in imports(path) if imported in {"time.sleep", "asyncio.sleep"}}
    if name == "sleep" and not plain:
        return False
    if name == "asyncio.sleep" or (name == "sleep" and "asyncio.sleep" in plain):
        return not (call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0)
    return name in {"time.sleep", "sleep"}


def test_no_test_can_hide():
    """No test is skipped or expected to fail: what a cluster cannot do is a capability, and is reported."""
    found = [
        f"{path}:{getattr(node, 'lineno', 0)}"
        for path in python_files("tests")
        if path not in MAY_NAME_THEM
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and dotted(node) in HIDES
    ]

    assert not found, f"name the capability instead (@pytest.mark.needs): {found}"


def test_every_test_says_in_a_sentence_what_it_proves():
    """Each test function has a docstring that begins with one whole sentence, and a body that can fail."""
    found = []
    for path in python_files("tests"):
        if not path.name.startswith("test_"):
            continue
        functions = {node.name: node for node in tree(path).body if isinstance(node, ast.FunctionDef)}
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                sentence = (ast.get_docstring(node) or "").split("\n\n")[0].strip()
                if not sentence.endswith("."):
                    found.append(f"{path}:{node.lineno} {node.name}: docstring")
                if not _can_fail(node, functions):
                    found.append(f"{path}:{node.lineno} {node.name}: asserts nothing")

    assert not found, "\n".join(found)


def _can_fail(test: ast.AST, functions: dict[str, ast.FunctionDef], seen: frozenset[str] = frozenset()) -> bool:
    """Whether the test asserts, expects an exception, or calls something named after a check.

    Calls of the module's own functions are followed; `seen` are those being followed already.
    """
    checks = ("assert", "check", "expect", "wait", "stays", "raises", "must", "run_state_machine", "patch_is")
    for node in ast.walk(test):
        if isinstance(node, ast.Assert | ast.Raise):
            return True
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else dotted(node.func)
            if name.lstrip("_").startswith(checks):
                return True
            own = functions.get(name) if name not in seen else None
            if own is not None and _can_fail(own, functions, seen | {name}):
                return True
    return False
