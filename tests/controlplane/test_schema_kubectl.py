"""What kubectl shows of the two kinds: texts, columns, selectors; no operator runs."""

import pytest

from alo_operator.api import crd
from tests.controlplane.manifests import Object, bare_operation, full_operation
from tests.support.api import Api
from tests.support.kubectl import Kubectl
from tests.support.operations import template


def levels() -> list[str]:
    """Every object of both kinds, as kubectl explain takes it; it prints the fields of each along with it."""
    found = []

    def walk(path: str, schema: Object) -> None:
        fields = schema.get("items", schema).get("properties")
        if fields:
            found.append(path)
            for name, child in fields.items():
                walk(f"{path}.{name}", child)

    for part in ("spec", "status"):
        walk(f"aop.{part}", crd.operation_schema()["properties"][part])
    walk("aot.spec", crd.template_schema()["properties"]["spec"])
    return found


def test_kubectl_explains_every_field_on_every_level(kubectl: Kubectl) -> None:
    """Each level of both kinds answers with our own text for itself and for its fields."""
    silent = []
    for path in levels():
        text = kubectl("explain", path).stdout
        if "<no description>" in text or text.partition("DESCRIPTION:")[2].strip() == "":
            silent.append(path)

    assert silent == []
    assert "durable promise" in kubectl("explain", "aop").stdout
    assert "platform team" in kubectl("explain", "aot").stdout


def test_the_table_has_the_documented_columns(kubectl: Kubectl, api: Api, namespace: str) -> None:
    """kubectl get shows the state at a glance, and with -o wide where it comes from."""
    api.create("asyncoperations", bare_operation(), namespace)
    status = {
        "phase": "Running",
        "progress": {"summary": "3/10"},
        "startTime": "2026-01-01T00:00:00Z",
        "job": {"name": "bare-x", "uid": "u"},
        "conditions": [
            {
                "type": "Succeeded",
                "status": "Unknown",
                "reason": "Running",
                "message": "the work runs",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
    }
    api.patch("asyncoperations", "bare", {"status": status}, namespace, subresource="status")
    header, row = kubectl("get", "aop").stdout.splitlines()
    wide_header, wide_row = kubectl("get", "alo", "-o", "wide").stdout.splitlines()

    assert header.split() == ["NAME", "PHASE", "PROGRESS", "REASON", "STARTED", "FINISHED", "AGE"]
    assert row.split()[:4] == ["bare", "Running", "3/10", "Running"]
    assert wide_header.split()[-3:] == ["TEMPLATE", "JOB", "MESSAGE"]
    assert "resize-image" in wide_row
    assert wide_row.strip().endswith("bare-x   the work runs")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("status.phase=Pending", {"bare", "full"}),
        ("status.phase!=Pending", set()),
        ("status.promise=Pending", {"bare", "full"}),
        ("spec.templateRef.name=resize-image", {"bare"}),
        ("status.phase=Pending,spec.templateRef.name=resize-image", {"bare"}),
    ],
)
def test_field_selectors_work_where_no_operator_has_been(
    kubectl: Kubectl, api: Api, namespace: str, selector: str, expected: set[str]
) -> None:
    """The status default makes new operations selectable at once."""
    for manifest in (bare_operation(), full_operation()):
        api.create("asyncoperations", manifest, namespace)

    found = kubectl.json("get", "aop", "--field-selector", selector)["items"]
    assert {item["metadata"]["name"] for item in found} == expected


def test_a_template_is_accepted_and_may_change(kubectl: Kubectl, api: Api, namespace: str) -> None:
    """A template with every field applies twice without a change, and can be edited."""
    manifest = template(
        "resize-image",
        service="media",
        description="Resizes an image.",
        inputSchema={"type": "object", "properties": {"width": {"$ref": "#/$defs/w"}}, "$defs": {"w": True}},
        resultSchema={"type": "string"},
        env=[{"name": "WIDTH", "fromInput": "width"}],
        timeouts={"startToClose": "1h"},
        retention={"job": "1h"},
        concurrency={"limit": 10},
    )
    kubectl.apply(manifest)
    assert "unchanged" in kubectl.apply(manifest).stdout
    stored = api.get("operationtemplates", namespace, "resize-image")
    assert stored is not None
    assert stored["spec"] == manifest["spec"]

    manifest["spec"]["concurrency"] = {"limit": 20}
    assert "configured" in kubectl.apply(manifest).stdout
