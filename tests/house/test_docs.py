"""What the documents say is what there is."""

import re
from enum import StrEnum
from pathlib import Path

import pytest
import yaml

from alo_operator.api.conditions import CancelSource, ConditionType, FailureType, Reason
from alo_operator.api.phases import MEANING_OF, Phase
from alo_operator.api.reports import HTTP_STATUS
from alo_operator.api.spec import OperationSpec
from alo_operator.desired.template_view import TemplateView
from tests.house.repository import ROOT, files, text
from tests.support import series

README = Path("README.md")
CONCEPTS = Path("docs/concepts.md")
WORKER = Path("docs/worker.md")
OPERATIONS = Path("docs/operations.md")
DOCUMENTS = [path for path in files() if path.suffix == ".md"]
METRICS = ("controller/metrics.py", "gateway/metrics.py", "effects/measures.py")
FLAGS = ("controller/options.py", "gateway/options.py", "effects/command_line.py")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def code_words(document: str) -> set[str]:
    """Return all that stands between single backticks."""
    return set(re.findall(r"`([^`\n]+)`", document))


def section(document: str, title: str) -> str:
    """Return what stands below the heading of second order `title`."""
    return document.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def first_cells(document: str) -> set[str]:
    """Return the code words in the first cells of tables."""
    rows = [line.split("|")[1] for line in document.splitlines() if line.startswith("| `")]
    return {word for cell in rows for word in code_words(cell)}


def documented_labels(document: str) -> dict[str, set[str]]:
    """Return metric (without _total) -> what the second cell of its row names."""
    rows = [line.split("|") for line in document.splitlines() if line.startswith("| `alo_")]
    return {row[1].strip().strip("`").removesuffix("_total"): code_words(row[2]) for row in rows}


def test_every_reason_is_explained_and_none_is_made_up():
    """The tables of reasons name exactly the reasons of the API."""
    assert first_cells(section(text(CONCEPTS), "Reasons")) == {reason.value for reason in Reason}


@pytest.mark.parametrize(
    ("title", "words"),
    [("Phases", Phase), ("Conditions", ConditionType), ("Failures", FailureType)],
)
def test_every_word_of_the_api_is_explained(title, words: type[StrEnum]):
    """The tables of phases, conditions and failure types name exactly those of the API."""
    assert first_cells(section(text(CONCEPTS), title)) == {word.value for word in words}


def test_every_refusal_of_a_report_is_explained():
    """The table of the worker contract has each reason, with its HTTP status."""
    lines = section(text(WORKER), "Reporting").splitlines()
    rows = [line.split("|")[1:3] for line in lines if line.startswith(("| 4", "| 5"))]
    explained = {(word, int(status)) for status, words in rows for word in code_words(words)}

    assert explained == {(reason.value, status) for reason, status in HTTP_STATUS.items()}


def test_whoever_can_ask_for_a_cancellation_is_named():
    """The sources of a cancellation stand with the condition that carries them."""
    assert {source.value for source in CancelSource} <= code_words(section(text(CONCEPTS), "Conditions"))


def test_the_table_of_phases_is_that_of_the_code():
    """Each phase has the promise, the ALO status and the Nexus state that the code gives it."""
    rows = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in section(text(CONCEPTS), "Phases").splitlines()
        if line.startswith("| `")
    ]

    assert {(row[0], row[1], row[3], row[4]) for row in rows} == {
        (phase.value, meaning.promise.value, meaning.alo.value, meaning.nexus.value)
        for phase, meaning in MEANING_OF.items()
    }


def test_the_readme_lists_every_command():
    """The table of commands has every target of the Makefile."""
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):.*## ", text(Path("Makefile")), re.MULTILINE)) - {"help"}

    assert first_cells(section(text(README), "Commands")) == {f"make {target}" for target in targets}


def test_the_manifest_in_the_readme_is_the_sample():
    """What a reader sees is what the commands below it apply."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", text(README), re.MULTILINE | re.DOTALL)

    assert blocks == [text(Path("manifests/samples/count-words.yaml"))]


def test_samples_and_the_demo_can_be_read():
    """No manifest that we show has anything that the operator would refuse."""
    shown = [path for path in files() if path.match("manifests/samples/*.yaml") or path.match("demo/operations/*.yaml")]
    bodies = {str(path): yaml.safe_load(text(path)) for path in shown}
    specs = {
        path: OperationSpec.model_validate(body["spec"])
        for path, body in bodies.items()
        if body["kind"] == "AsyncOperation"
    }
    templates = {path: TemplateView.from_body(body) for path, body in bodies.items() if path not in specs}

    assert len(specs) >= 5
    assert {path: view.problem for path, view in templates.items()} == dict.fromkeys(templates, "")


def test_every_metric_and_flag_is_documented():
    """docs/operations.md names each metric with its labels and each flag of both programs, and no other."""
    code = "".join(text(Path("operator/alo_operator") / name) for name in METRICS)
    options = "".join(text(Path("operator/alo_operator") / name) for name in FLAGS)
    flags = re.findall(r'"(--[a-z-]+)"', options)
    words = first_cells(text(OPERATIONS))

    assert {word for word in words if word.startswith("alo_")} == set(re.findall(r'"(alo_[a-z_]+)"', code))
    labels = {name.removesuffix("_total"): set(found) for name, found in series.declared().items()}
    assert documented_labels(section(text(OPERATIONS), "Metrics")) == labels
    named = {flag for word in words for flag in re.findall(r"--[a-z-]+", word)}
    assert named == set(flags) - {"--version"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_between_documents_lead_somewhere(document):
    """Each relative link names a file or folder of the repository."""
    targets = LINK.findall(text(document))
    dead = [target for target in targets if not (ROOT / document.parent / target).exists()]

    assert not dead
