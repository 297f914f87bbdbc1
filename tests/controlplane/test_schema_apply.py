"""Applying an operation again, and what may change: the API server alone, no operator runs."""

import pytest

from tests.controlplane.manifests import Object, bare_operation, full_operation, put
from tests.controlplane.settled import condition
from tests.support.api import Api, ApiError
from tests.support.kubectl import Kubectl
from tests.support.operations import API_VERSION, operation


@pytest.mark.promise("ID-2")
@pytest.mark.parametrize("manifest", [full_operation(), bare_operation()], ids=["full", "bare"])
def test_applying_the_same_manifest_again_changes_nothing(
    kubectl: Kubectl, api: Api, namespace: str, manifest: Object
) -> None:
    """The second apply writes nothing, says so, and kubectl diff finds no difference."""
    kubectl.apply(manifest)
    first = api.get("asyncoperations", namespace, manifest["metadata"]["name"])

    assert "unchanged" in kubectl.apply(manifest).stdout
    assert api.get("asyncoperations", namespace, manifest["metadata"]["name"]) == first
    assert kubectl("diff", "-f", "-", input=manifest).stdout == ""


@pytest.mark.promise("ID-2")
@pytest.mark.parametrize("manifest", [full_operation(), bare_operation()], ids=["full", "bare"])
def test_applying_server_side_again_changes_nothing(
    kubectl: Kubectl, api: Api, namespace: str, manifest: Object
) -> None:
    """No difference, no new generation.

    The API server stores the status default with the second write, not with the creation, so the resourceVersion
    rests only from there on.
    """

    def stored() -> Object:
        found = api.get("asyncoperations", namespace, manifest["metadata"]["name"])
        assert found is not None
        return found

    kubectl.apply(manifest, "--server-side")
    first = stored()
    assert kubectl("diff", "--server-side", "-f", "-", input=manifest).stdout == ""
    kubectl.apply(manifest, "--server-side")
    second = stored()
    kubectl.apply(manifest, "--server-side")
    third = stored()

    assert (first["spec"], first["status"]) == (second["spec"], second["status"])
    assert second["metadata"]["generation"] == 1
    assert second == third


def test_applying_client_side_and_then_server_side_is_the_same_operation(
    kubectl: Kubectl, api: Api, namespace: str
) -> None:
    """A tool may take over from another one that applies in the other way."""
    manifest = full_operation()
    kubectl.apply(manifest)
    before = api.get("asyncoperations", namespace, "full")
    kubectl.apply(manifest, "--server-side", "--force-conflicts")
    kubectl.apply(manifest)
    after = api.get("asyncoperations", namespace, "full")

    assert before is not None
    assert after is not None
    assert before["spec"] == after["spec"]
    assert before["metadata"]["generation"] == after["metadata"]["generation"]


def test_a_whole_number_written_as_a_float_counts_as_another_value(api: Api, namespace: str) -> None:
    """The API server stores 1.0 as 1; clients in Go, kubectl among them, write 1 anyway, others have to."""
    api.create("asyncoperations", full_operation(), namespace)

    assert (
        put(api, namespace, full_operation(), lambda spec: spec["input"].update(ratio=1))["metadata"]["generation"] == 1
    )
    with pytest.raises(ApiError, match=r"spec\.input defines the work"):
        put(api, namespace, full_operation(), lambda spec: spec["input"].update(ratio=1.0))


def test_nulls_inside_input_and_job_are_kept(api: Api, namespace: str) -> None:
    """Raw JSON reaches the worker as the caller wrote it, nulls included."""
    manifest = full_operation()
    manifest["spec"]["input"] = {"nothing": None, "deep": {"nothing": None}, "list": [None]}
    api.create("asyncoperations", manifest, namespace)

    assert put(api, namespace, manifest, lambda _: None)["spec"]["input"] == manifest["spec"]["input"]


def test_only_the_documented_defaults_are_filled_in(api: Api, namespace: str) -> None:
    """A bare operation gets suspend, readyWhen and the status of one that nobody has seen."""
    stored = api.create("asyncoperations", bare_operation(), namespace)

    assert stored["spec"] == {"templateRef": {"name": "resize-image"}, "suspend": False, "readyWhen": "Succeeded"}
    assert stored["status"] == {"observedGeneration": -1, "promise": "Pending", "phase": "Pending"}


def test_a_callback_is_signed_unless_it_says_otherwise(api: Api, namespace: str) -> None:
    """The format's default is StandardWebhooks, and that needs a key."""
    unsigned = operation("unsigned", callbacks=[{"name": "a", "url": "https://a.example"}])
    with pytest.raises(ApiError, match="give secretRef, or use the format CloudEvents"):
        api.create("asyncoperations", unsigned, namespace)

    unsigned["spec"]["callbacks"][0]["secretRef"] = {"name": "hook", "key": "key"}
    stored = api.create("asyncoperations", unsigned, namespace)
    assert stored["spec"]["callbacks"][0]["format"] == "StandardWebhooks"


@pytest.mark.promise("ID-4")
@pytest.mark.parametrize(
    "change",
    [
        {"suspend": True},
        {"cancel": {"reason": "withdrawn"}},
        {"cancel": {}},
        {"readyWhen": "Accepted"},
        {"retention": {"job": "5m"}},
        {"callbacks": [{"name": "new", "url": "https://new.example", "format": "CloudEvents"}]},
    ],
    ids="-".join,
)
def test_everything_else_may_change(api: Api, namespace: str, change: Object) -> None:
    """Pausing, cancelling, keeping and telling are requests to a running operation."""
    api.create("asyncoperations", bare_operation(), namespace)
    answer = api.patch("asyncoperations", "bare", {"spec": change}, namespace)

    assert {field: answer["spec"][field] for field in change} == change
    assert answer["metadata"]["generation"] == 2


@pytest.mark.promise("ID-4", "CANCEL-6")
def test_a_cancel_request_may_leave_the_spec_again(api: Api, namespace: str) -> None:
    """A sync that does not know of the request takes it out; refusing that would break the sync for good."""
    api.create("asyncoperations", full_operation(), namespace)

    assert "cancel" not in put(api, namespace, full_operation(), lambda spec: spec.pop("cancel"))["spec"]


@pytest.mark.promise("ID-4")
def test_a_callback_can_be_added_and_removed_but_not_changed(api: Api, namespace: str) -> None:
    """Entries are told apart by name; what stands under a name stays as it is."""
    manifest = full_operation()
    api.create("asyncoperations", manifest, namespace)
    more = {"name": "audit", "url": "https://audit.example", "format": "CloudEvents"}

    put(api, namespace, manifest, lambda spec: spec["callbacks"].insert(0, more))
    with pytest.raises(ApiError, match="a callback cannot be changed: remove this one and add another"):
        put(api, namespace, manifest, lambda spec: spec["callbacks"][1].update(url="https://evil.example"))
    with pytest.raises(ApiError, match="a callback cannot be changed"):
        put(api, namespace, manifest, lambda spec: spec["callbacks"][1].update(secretRef={"name": "s", "key": "k"}))
    left = put(api, namespace, manifest, lambda spec: spec["callbacks"].pop(1))

    assert left["spec"]["callbacks"] == [more]


def test_a_condition_that_somebody_else_applies_stands_beside_ours(api: Api, namespace: str) -> None:
    """Each manager owns its own entries of the list, and takes none away by leaving it out."""
    ours, theirs = condition("Ready", "False"), condition("Audited", "True")
    api.create("asyncoperations", bare_operation(), namespace)
    for who, one in (("us", ours), ("them", theirs)):
        body = {"apiVersion": API_VERSION, "kind": "AsyncOperation", "status": {"conditions": [one]}}
        api.patch("asyncoperations", "bare", body, namespace, how="apply", subresource="status", fieldManager=who)

    stored = api.get("asyncoperations", namespace, "bare")
    assert stored is not None
    assert stored["status"]["conditions"] == [ours, theirs]
