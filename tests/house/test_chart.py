"""The chart's own papers agree with each other and with the package."""

import json
import re
from pathlib import Path

import jsonschema_rs
import yaml

from alo_operator import __version__
from tests.house.repository import ROOT, files, text

CHART = Path("charts/alo-operator")
FREE = {"commonLabels", "labels", "annotations", "resources", "podLabels", "podAnnotations", "nodeSelector", "affinity"}


def names(values, prefix=""):
    """Return the dotted names of all values; what users fill with keys of their own counts as one."""
    for key, value in values.items():
        if isinstance(value, dict) and key not in FREE:
            yield from names(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def allowed(schema, definitions, prefix=""):
    """Return the dotted names of all values that the schema knows."""
    for key, given in schema["properties"].items():
        rule = definitions[given["$ref"].rpartition("/")[2]] if "$ref" in given else given
        if "properties" in rule:
            assert rule["additionalProperties"] is False, f"{prefix}{key} takes what nobody knows"
            yield from allowed(rule, definitions, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def test_the_schema_knows_each_value_and_no_other():
    """What values.yaml shows is what may be set; `global` is what Helm adds for charts that contain ours."""
    values = yaml.safe_load(text(CHART / "values.yaml"))
    schema = json.loads(text(CHART / "values.schema.json"))

    assert set(names(values)) == set(allowed(schema, schema["definitions"])) - {"global"}
    jsonschema_rs.validator_for(schema).validate(values)


def test_the_chart_is_of_this_version():
    """The version of the programs that it installs is the package's."""
    chart = yaml.safe_load(text(CHART / "Chart.yaml"))

    assert chart["appVersion"] == __version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", chart["version"])


def test_the_manifests_have_the_image_of_this_version():
    """What kustomize installs is the same version."""
    kustomization = yaml.safe_load(text(Path("manifests/install/kustomization.yaml")))

    assert kustomization["images"] == [{"name": "alo-operator", "newTag": __version__}]


def test_the_examples_for_gitops_lead_somewhere():
    """Each path in them is one of the repository, and each version the present one."""
    examples = [path for path in files() if path.is_relative_to("manifests/gitops") and path.suffix == ".yaml"]
    shown = "".join(text(path) for path in examples)
    paths = re.findall(r"^ *(?:path|chart): (\S*/\S+)$", shown, re.MULTILINE)
    versions = re.findall(r"(?:targetRevision: v|tag: v|newTag: )([0-9.]+[0-9])", shown)

    assert len(paths) >= 5
    assert [path for path in paths if not (ROOT / path).is_dir()] == []
    assert set(versions) == {__version__}
    assert len(versions) == 4
