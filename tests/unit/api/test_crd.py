"""The CRDs and the reference: structural, complete, fresh."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from alo_operator.api import crd, generated, reference, rules
from alo_operator.api.conditions import ConditionType
from alo_operator.api.operation import AsyncOperation
from alo_operator.api.schema import structural_schema
from alo_operator.api.spec import Callback, OperationSpec
from alo_operator.api.status import Condition, OperationStatus

ROOT = Path(__file__).resolve().parents[3]
CRDS = {"asyncoperations": crd.operation_crd(), "operationtemplates": crd.template_crd()}

FORBIDDEN = {
    "$ref",
    "$defs",
    "anyOf",
    "allOf",
    "oneOf",
    "title",
    "const",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "uniqueItems",
    "prefixItems",
    "patternProperties",
}


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema node with its path, the root first."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from nodes(schema["additionalProperties"], f"{path}{{}}")


def schema_of(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = CRDS[name]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


NODES = [(f"{name}{path}", node) for name in CRDS for path, node in nodes(schema_of(name))]
FIELDS = [(path, node) for path, node in NODES if not path.endswith("{}")]


@pytest.mark.parametrize(("path", "node"), NODES, ids=[path for path, _ in NODES])
def test_every_node_is_structural(path: str, node: dict[str, Any]) -> None:
    """No keyword that the API server refuses, and a type wherever the value is not raw JSON."""
    assert not FORBIDDEN & set(node)
    assert isinstance(node.get("additionalProperties", {}), dict), "true and false are not structural"
    assert "type" in node or node.get("x-kubernetes-preserve-unknown-fields") is True
    if "properties" in node:
        assert "additionalProperties" not in node
        assert set(node.get("required", ())) <= set(node["properties"])


@pytest.mark.parametrize(("path", "node"), FIELDS, ids=[path for path, _ in FIELDS])
def test_every_field_is_described_in_sentences(path: str, node: dict[str, Any]) -> None:
    """kubectl explain has a text for every field, and it ends like a sentence."""
    if path.endswith(".metadata") and path.count(".") == 1:
        return  # the API server's own ObjectMeta, which it describes itself
    if path.endswith("[]") and "properties" not in node:
        return
    assert node["description"].strip().endswith("."), path


@pytest.mark.parametrize(("path", "node"), NODES, ids=[path for path, _ in NODES])
def test_strings_and_lists_have_a_maximum(path: str, node: dict[str, Any]) -> None:
    """CEL's cost estimate, and the size of a status, rest on maxima everywhere."""
    if path.count(".") == 1:
        return  # apiVersion and kind
    if node.get("type") == "string" and "enum" not in node and node.get("format") != "date-time":
        assert "maxLength" in node, path
    if node.get("type") == "array":
        assert "maxItems" in node, path


def test_the_api_server_fills_in_four_defaults_and_no_more() -> None:
    """Any other default would hide a template's, and show up as a difference in server-side apply."""
    defaults = {path: node["default"] for path, node in NODES if "default" in node}

    assert defaults == {
        "asyncoperations.spec.suspend": False,
        "asyncoperations.spec.readyWhen": "Succeeded",
        "asyncoperations.spec.callbacks[].format": "StandardWebhooks",
        "asyncoperations.status": {"observedGeneration": -1, "promise": "Pending", "phase": "Pending"},
    }


def test_the_status_default_is_what_the_model_says() -> None:
    """The CRD and the model agree on what an unseen operation looks like."""
    assert OperationStatus.model_validate(crd.STATUS_DEFAULT) == OperationStatus()


def test_every_immutable_field_has_a_rule_that_says_what_to_do() -> None:
    """Each of the five fields has one rule, and its message names the field and the way out."""
    spec = schema_of("asyncoperations")["properties"]["spec"]
    messages = [rule["message"] for rule in spec["x-kubernetes-validations"]]

    for field in rules.IMMUTABLE_FIELDS:
        assert field in spec["properties"]
        (message,) = [message for message in messages if f"spec.{field} " in message and "defines" in message]
        assert "under a new name" in message


def test_the_freeze_names_every_field() -> None:
    """One rule compares all fields, and its message says what is kept and what to do."""
    status = schema_of("asyncoperations")["properties"]["status"]
    (freeze,) = status["x-kubernetes-validations"]

    for field in rules.FROZEN_FIELDS:
        assert field in status["properties"]
        assert all(re.search(rf"dyn\({side}\)\.\?{field}\b", freeze["rule"]) for side in ("self", "oldSelf"))
        assert field in freeze["message"]
    assert set(rules.FROZEN_CONDITIONS) <= set(ConditionType)
    assert "under a new name" in freeze["message"]


def test_the_status_itself_is_kept_by_a_rule_at_the_root() -> None:
    """A rule lower down would not see `status: null`; whoever tries reads the same message."""
    stay = schema_of("asyncoperations")["x-kubernetes-validations"][-1]

    assert stay["rule"].startswith("has(self.status) || ")
    assert stay["message"] == rules.FROZEN_MESSAGE


def test_what_the_operator_writes_is_owned_as_a_whole() -> None:
    """Server-side apply owns each object of a status, and each entry of its lists, undivided; lists go by their key."""
    status = schema_of("asyncoperations")["properties"]["status"]["properties"]
    lists = {name: node for name, node in status.items() if node["type"] == "array"}
    whole = [node for node in status.values() if node["type"] == "object"] + [node["items"] for node in lists.values()]

    assert all(node["x-kubernetes-map-type"] == "atomic" for node in whole)
    assert {name: node["x-kubernetes-list-map-keys"] for name, node in lists.items()} == {
        "conditions": ["type"],
        "deliveries": ["name"],
    }


def test_the_documented_condition_types_are_all_there_are() -> None:
    """The description of a condition's type lists every type the code knows."""
    text = Condition.model_fields["type"].description or ""

    assert all(kind.value in text for kind in ConditionType)


@pytest.mark.parametrize(
    ("folder", "files"), [("crds", crd.files()), ("docs", reference.files())], ids=["crds", "reference"]
)
def test_generated_files_are_fresh(folder: str, files: dict[str, str]) -> None:
    """What is in the tree is what the models say; `make generate` makes it so."""
    for name, content in files.items():
        assert (ROOT / folder / name).read_text("utf-8") == content, f"{folder}/{name} is stale: run `make generate`"


def test_a_crd_file_reads_back_as_the_crd() -> None:
    """The YAML written is the manifest, without anchors, and starts with a line that says it is generated."""
    for name, content in crd.files().items():
        assert content.startswith("# Generated")
        assert yaml.safe_load(content) == CRDS[name.removesuffix(".yaml")]


def test_a_stale_file_is_shown_and_fails_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Checking writes nothing, prints the difference and names the command that helps."""
    files = {"a.yaml": "new\n", "b.yaml": "same\n"}
    (tmp_path / "a.yaml").write_text("old\n")
    (tmp_path / "b.yaml").write_text("same\n")

    assert generated.run(files, "make generate", ["--check", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert "-old" in printed.out
    assert "+new" in printed.out
    assert "1 of 2" in printed.err
    assert "make generate" in printed.err
    assert (tmp_path / "a.yaml").read_text() == "old\n"


def test_written_files_pass_the_check(tmp_path: Path) -> None:
    """Writing creates the folder, and checking right after finds nothing."""
    folder = tmp_path / "new"

    assert generated.run({"a": "x\n"}, "make generate", ["--write", str(folder)]) == 0
    assert generated.run({"a": "x\n"}, "make generate", ["--check", str(folder)]) == 0


def test_a_field_that_no_structural_schema_can_say_is_an_error() -> None:
    """A union of two types stops the generator instead of reaching the API server."""

    class Odd(BaseModel):
        both: int | str

    with pytest.raises(TypeError, match=r"Odd\.both: a choice between 2 types"):
        structural_schema(Odd, {})


def test_a_keyword_the_generator_does_not_know_is_an_error() -> None:
    """A constraint that would silently be lost stops the generator."""

    class Odd(BaseModel):
        pair: tuple[int, str]

    with pytest.raises(TypeError, match=r"Odd\.pair"):
        structural_schema(Odd, {})


def test_the_reference_has_every_field() -> None:
    """docs/api.md names every field of a spec and a status."""
    text = reference.files()["api.md"]

    for model in (OperationSpec, OperationStatus, Callback):
        for field in model.model_fields.values():
            assert f"{field.alias}`" in text
    assert (AsyncOperation.__doc__ or "").splitlines()[0] in text
