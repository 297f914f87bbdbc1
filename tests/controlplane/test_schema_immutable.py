"""What defines the work is fixed at creation: the API server alone, no operator runs."""

import pytest

from alo_operator.api.rules import IMMUTABLE_FIELDS, immutable_message
from tests.controlplane.manifests import Change, bare_operation, full_operation, put
from tests.support.api import Api, ApiError
from tests.support.kubectl import Kubectl, KubectlFailed
from tests.support.operations import operation, shell_job

INVALID = 422

CHANGED: dict[str, list[Change]] = {
    "job": [
        lambda spec: spec["job"]["spec"].update(backoffLimit=3),
        lambda spec: spec["job"]["spec"].update(completions=spec["job"]["spec"].pop("backoffLimit")),
        lambda spec: spec["job"]["spec"]["template"]["spec"]["containers"][0].update(image="other"),
        lambda spec: spec["job"]["metadata"]["labels"].update(team="other"),
        lambda spec: spec["job"]["metadata"].update(annotations={}),
        lambda spec: spec["job"].pop("metadata"),
    ],
    "input": [
        lambda spec: spec["input"].update(width=801),
        lambda spec: spec["input"].update(height=spec["input"].pop("width")),
        lambda spec: spec["input"].update(more=None),
        lambda spec: spec["input"].pop("width"),
        lambda spec: spec["input"]["deep"]["list"][2].update(three=4),
        lambda spec: spec["input"]["deep"]["list"].reverse(),
        lambda spec: spec["input"].update(width="800"),
        lambda spec: spec.update(input={}),
    ],
    "metadata": [
        lambda spec: spec["metadata"].update(requestedBy="other"),
        lambda spec: spec["metadata"].update(askedBy=spec["metadata"].pop("requestedBy")),
        lambda spec: spec["metadata"].update(more="x"),
    ],
    "timeouts": [
        lambda spec: spec["timeouts"].update(startToClose="2h"),
        lambda spec: spec["timeouts"].pop("startToClose"),
        lambda spec: spec["timeouts"].update(startToClose="60m"),
    ],
}
CASES = [(field, index) for field, changes in CHANGED.items() for index in range(len(changes))]


@pytest.mark.promise("ID-3")
@pytest.mark.parametrize(("field", "index"), CASES, ids=[f"{field}-{index}" for field, index in CASES])
def test_what_defines_the_work_cannot_be_changed(api: Api, namespace: str, field: str, index: int) -> None:
    """Any change at any depth is refused, a renamed key included, and the message says to use a new name."""
    api.create("asyncoperations", full_operation(), namespace)
    with pytest.raises(ApiError) as caught:
        put(api, namespace, full_operation(), CHANGED[field][index])

    assert caught.value.status == INVALID
    assert immutable_message(field) in str(caught.value)


@pytest.mark.promise("ID-3")
@pytest.mark.parametrize("field", ["input", "metadata", "timeouts"])
def test_what_defines_the_work_cannot_be_added_or_removed(api: Api, namespace: str, field: str) -> None:
    """A field that was left out stays out; one that was given stays."""
    api.create("asyncoperations", full_operation(), namespace)
    api.create("asyncoperations", bare_operation(), namespace)

    with pytest.raises(ApiError, match="create an operation under a new name"):
        put(api, namespace, full_operation(), lambda spec: spec.pop(field))
    with pytest.raises(ApiError, match="create an operation under a new name"):
        put(api, namespace, bare_operation(), lambda spec: spec.update({field: full_operation()["spec"][field]}))


@pytest.mark.promise("ID-3")
@pytest.mark.parametrize("field", IMMUTABLE_FIELDS)
def test_no_field_that_defines_the_work_can_be_nulled_by_a_patch(api: Api, namespace: str, field: str) -> None:
    """A merge patch that sets the field to null is refused, or touches nothing where the field is absent."""
    manifest = bare_operation() if field == "templateRef" else full_operation()
    api.create("asyncoperations", manifest, namespace)

    with pytest.raises(ApiError, match=f"spec.{field} defines the work"):
        api.patch("asyncoperations", manifest["metadata"]["name"], {"spec": {field: None}}, namespace)


@pytest.mark.promise("ID-3")
def test_a_template_reference_cannot_be_changed(api: Api, namespace: str) -> None:
    """An operation stays with its template."""
    api.create("asyncoperations", bare_operation(), namespace)
    with pytest.raises(ApiError, match=r"spec\.templateRef defines the work"):
        api.patch("asyncoperations", "bare", {"spec": {"templateRef": {"name": "other"}}}, namespace)


@pytest.mark.promise("ID-3")
@pytest.mark.parametrize("direction", ["job-to-template", "template-to-job"])
def test_the_source_of_the_work_cannot_be_switched(api: Api, namespace: str, direction: str) -> None:
    """Neither a job becomes a template reference nor the other way round; both fields are named."""
    job, reference = {"job": shell_job("exit 0")}, {"templateRef": {"name": "resize-image"}}
    if direction == "job-to-template":
        manifest, patch = operation("a", job=job["job"]), {"spec": {"job": None, **reference}}
    else:
        manifest, patch = operation("a", template="resize-image"), {"spec": {"templateRef": None, **job}}
    api.create("asyncoperations", manifest, namespace)

    with pytest.raises(ApiError) as caught:
        api.patch("asyncoperations", "a", patch, namespace)
    assert immutable_message("job") in str(caught.value)
    assert immutable_message("templateRef") in str(caught.value)


def test_kubectl_shows_the_message_when_an_apply_changes_the_work(kubectl: Kubectl) -> None:
    """What a user sees after editing a manifest is the reason and the way out."""
    kubectl.apply(full_operation())
    changed = full_operation()
    changed["spec"]["input"]["width"] = 801
    for flags in ((), ("--server-side", "--force-conflicts")):
        with pytest.raises(KubectlFailed, match=r"spec\.input defines the work .* under a new name"):
            kubectl.apply(changed, *flags)
