"""What the API server refuses at creation, and what just fits; no operator runs."""

import pytest

from tests.controlplane.manifests import Object, bare_operation, put
from tests.support.api import Api, ApiError
from tests.support.operations import operation, shell_job, template

REFUSED: dict[str, tuple[Object, str]] = {
    "both sources": (operation("a", job=shell_job(""), templateRef={"name": "t"}), "exactly one of spec.templateRef"),
    "no source": ({**bare_operation("a"), "spec": {}}, "exactly one of spec.templateRef"),
    "long name": (operation("a" * 64, template="t"), "a DNS label: .* at most 63 characters"),
    "dotted name": (operation("a.b", template="t"), "a DNS label"),
    "job without spec": (operation("a", job={"metadata": {}}), "spec.job.spec: Required value"),
    "job spec of text": (operation("a", job={"spec": "x"}), "spec.job.spec: .* must be of type object"),
    "input of text": (operation("a", template="t") | {"spec": {"input": "x"}}, "spec.input: .* of type object"),
    "too many words": (operation("a", template="t", metadata={str(i): "" for i in range(65)}), "at most 64 items"),
    "too much text": (
        operation("a", template="t", metadata={"a": "x" * 5000, "b": "x" * 5000}),
        "spec.metadata is too large: .* 8192 characters in all",
    ),
    "unknown field": (operation("a", template="t", timeout="1h"), 'unknown field "spec.timeout"'),
    "wrong enum": (operation("a", template="t", readyWhen="Done"), 'supported values: "Accepted"'),
    "two callbacks of one name": (
        operation("a", template="t", callbacks=[{"name": "a", "url": "http://a", "format": "CloudEvents"}] * 2),
        "Duplicate value",
    ),
    "callback without host": (operation("a", template="t", callbacks=[{"name": "a", "url": "a"}]), "should match"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_operation_is_refused_at_once(api: Api, namespace: str, case: str) -> None:
    """Nothing is stored, and the message says what is wrong."""
    manifest, problem = REFUSED[case]
    with pytest.raises(ApiError, match=f"(?s){problem}"):
        api.create("asyncoperations", manifest, namespace)

    assert api.list("asyncoperations", namespace) == []


@pytest.mark.parametrize("text", ["", "1", "1d", "-1s", "1.5h", "5s1m", " 1h"])
def test_a_wrong_duration_is_refused(api: Api, namespace: str, text: str) -> None:
    """The schema knows the grammar of durations."""
    with pytest.raises(ApiError, match=r"spec\.timeouts\.startToClose"):
        api.create("asyncoperations", operation("a", template="t", timeouts={"startToClose": text}), namespace)


def test_the_longest_name_is_accepted(api: Api, namespace: str) -> None:
    """63 characters are a DNS label."""
    assert api.create("asyncoperations", bare_operation("a" * 63), namespace)["metadata"]["name"] == "a" * 63


def test_a_large_input_is_accepted(api: Api, namespace: str) -> None:
    """64 KiB of input, in few or in many fields, pass the API server and its cost limits, also on later writes."""
    inputs: dict[str, Object] = {"one": {"text": "x" * (64 * 1024 - 20)}, "many": {f"k{i:05}": i for i in range(4500)}}
    for name, value in inputs.items():
        manifest = operation(name, template="t", input=value)
        api.create("asyncoperations", manifest, namespace)
        put(api, namespace, manifest, lambda spec: spec.update(suspend=True))
        with pytest.raises(ApiError, match=r"spec\.input defines the work"):
            put(api, namespace, manifest, lambda spec: spec["input"].popitem())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"concurrency": {"limit": 0}}, "greater than or equal to 1"),
        ({"env": [{"name": "A=B", "fromInput": "a"}]}, "should match"),
        ({"job": None}, "spec.job: Required value"),
    ],
    ids=["limit", "env", "job"],
)
def test_a_wrong_template_is_refused_at_once(api: Api, namespace: str, change: Object, problem: str) -> None:
    """Nothing is stored, and the message says what is wrong."""
    manifest = template("wrong")
    manifest["spec"] = {key: value for key, value in (manifest["spec"] | change).items() if value is not None}
    with pytest.raises(ApiError, match=problem):
        api.create("operationtemplates", manifest, namespace)
