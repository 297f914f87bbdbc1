"""The contract's table tells the truth about the tests."""

import pytest

from tests.support.promises import Promise, holdings, problems, promises, table

SPEC = """
# Contract
- **ID-1** One of a name.
- **RUN-2** It runs. *(pods)*
- no promise
"""


@pytest.fixture
def tests_of(tmp_path):
    """Writes test files: `tests_of("e2e", source)`; gives all holdings so far."""

    def write(tier, source):
        folder = tmp_path / "tests" / tier
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"test_{len(list(folder.iterdir()))}.py").write_text(f"import pytest\n{source}")
        return holdings(tmp_path / "tests", tmp_path)

    return write


def test_promises_are_read_with_what_they_need():
    """A name, a sentence, and whether real containers have to show it."""
    assert promises(SPEC) == [Promise("ID-1", "One of a name.", False), Promise("RUN-2", "It runs.", True)]


def test_a_promise_without_a_test_is_told():
    """Each by its name and sentence."""
    assert problems(promises(SPEC), []) == ["ID-1 has no test: One of a name.", "RUN-2 has no test: It runs."]


def test_what_is_about_pods_needs_real_containers(tests_of):
    """A test with simulated pods is not enough there."""
    tests_of("unit", '@pytest.mark.promise("ID-1")\ndef test_a(): ...\n')
    held = tests_of("controlplane", '@pytest.mark.promise("RUN-2")\ndef test_b(): ...\n')

    assert problems(promises(SPEC), held) == [
        "RUN-2 is about pods and has no test with real containers: It runs.",
    ]
    held = tests_of("e2e", '@pytest.mark.promise("RUN-2")\ndef test_c(): ...\n')
    assert problems(promises(SPEC), held) == []


@pytest.mark.parametrize("mark", ["skip", "skipif(True, reason='x')", "xfail(reason='x')"])
def test_a_test_that_may_be_skipped_holds_nothing(tests_of, mark):
    """Whether the marker stands at the test or at the file."""
    held = tests_of("unit", f'@pytest.mark.{mark}\n@pytest.mark.promise("ID-1")\ndef test_a(): ...\n')
    held = tests_of("unit", f'pytestmark = [pytest.mark.{mark}]\n@pytest.mark.promise("ID-1")\ndef test_a(): ...\n')

    said = problems(promises("- **ID-1** One of a name."), held)

    assert [sentence.rpartition("::")[2] for sentence in said] == [
        "test_a holds ID-1, but may be skipped",
        "test_a holds ID-1, but may be skipped",
        "ID-1 has no test: One of a name.",
    ]


def test_a_name_that_is_no_promise_is_told(tests_of):
    """A slip of the pen does not make a promise held."""
    held = tests_of("unit", '@pytest.mark.promise("ID-1", "ID-99")\ndef test_a(): ...\n')

    assert problems(promises("- **ID-1** One of a name."), held) == [
        "tests/unit/test_0.py::test_a holds ID-99, which docs/spec.md lacks"
    ]


def test_the_table_names_tiers_and_tests(tests_of):
    """A row for each tier of a promise; what runs only in the long run says so."""
    tests_of("unit", '@pytest.mark.promise("ID-1")\ndef test_a(): ...\n')
    held = tests_of("e2e", '@pytest.mark.full\n@pytest.mark.promise("ID-1")\ndef test_b(): ...\n')

    assert table(promises(SPEC), held).splitlines()[-2:] == [
        "| **ID-1** | unit | [test_0.py](../tests/unit/test_0.py) test_a |",
        "|  | e2e | [test_0.py](../tests/e2e/test_0.py) test_b *(full)* |",
    ]
