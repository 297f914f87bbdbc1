"""JSON Schemas made to do harm: each harms its own operations at most, and those clearly."""

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation, simulated_job, template
from tests.support.stage import Stage

pytestmark = pytest.mark.needs(Capability.SIMULATED_NODES)

STEPS = 40
ROUNDS = 3


def doubling(keyword):
    """A schema that refers to the next step twice at each step: small to write, 2^40 steps to evaluate."""
    steps = {f"s{n}": {keyword: [{"$ref": f"#/$defs/s{n + 1}"}, {"$ref": f"#/$defs/s{n + 1}"}]} for n in range(STEPS)}
    return {"$defs": {**steps, f"s{STEPS}": {"type": "string"}}, "$ref": "#/$defs/s0"}


def nested(levels):
    """A schema so many objects deep."""
    schema = {"type": "string"}
    for _ in range(levels):
        schema = {"properties": {"x": schema}}
    return schema


def pattern(expression):
    return {"properties": {"text": {"pattern": expression}}}


LONG_TEXT = {"text": "a" * 60_000 + "!"}
# Schema, input, and what has to become of the operation: its reason, and words in the message.
HOSTILE = {
    "doubling-any": (doubling("anyOf"), {}, "InvalidTemplate", "more than half a second"),
    "doubling-one": (doubling("oneOf"), {}, "InvalidTemplate", "more than half a second"),
    "endless": ({"$ref": "#"}, {"a": 1}, "Succeeded", ""),
    "in-circles": (
        {"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {},
        "Succeeded",
        "",
    ),
    "backtracking": (pattern("^(a+)+$"), LONG_TEXT, "InvalidInput", "at /text"),
    "counting": (pattern("(a{1000}){1000}"), LONG_TEXT, "InvalidTemplate", "of bounded size"),
    "look-around": (pattern("(?=a)a"), LONG_TEXT, "InvalidTemplate", "without look-around"),
    "remote": ({"$ref": "http://169.254.169.254/latest"}, {}, "InvalidTemplate", "other documents are not followed"),
    "local": ({"$ref": "file:///etc/passwd"}, {}, "InvalidTemplate", "other documents are not followed"),
    "large": ({"description": "x" * 1_000_000}, {}, "InvalidTemplate", "262144"),
    "largish": ({"description": "x" * 100_000}, {}, "InvalidTemplate", "65536"),
    "deep": (nested(40), {}, "InvalidTemplate", "64 levels"),
    "many": ({"properties": {"n": {"enum": list(range(9_000))}}}, {"n": -1}, "InvalidInput", "at /n"),
    "unlike": (
        {"properties": {"n": {"uniqueItems": True}}},
        {"n": [{"n": number} for number in range(4_000)] + [{"n": 0}]},
        "InvalidInput",
        "at /n",
    ),
    "no-schema": ({"type": "strin"}, {}, "InvalidTemplate", '"strin"'),
    "nowhere": ({"$ref": "#/$defs/missing"}, {}, "InvalidTemplate", "missing"),
}


@pytest.fixture
def stage(api, namespace, kubectl, operators):
    return Stage(api, namespace, kubectl, operators)


@pytest.mark.promise("TPL-9")
def test_hostile_schemas_end_their_own_operations_and_no_others(stage):
    """Each gets its clear answer, three at a time; plain operations and those of a good schema go through."""
    operator = stage.operators.start()
    good = {"type": "object", "required": ["width"]}
    for name, (schema, _, _, _) in HOSTILE.items():
        made = template(name, job=simulated_job(message="7"), inputSchema=schema)
        stage.api.create("operationtemplates", made, stage.namespace)
    stage.api.create(
        "operationtemplates", template("good", job=simulated_job(message="7"), inputSchema=good), stage.namespace
    )
    slow = template("slow-result", job=simulated_job(message="{}"), resultSchema=doubling("anyOf"))
    stage.api.create("operationtemplates", slow, stage.namespace)
    as_many = [f"before-{number}" for number in range(ROUNDS * (len(HOSTILE) + 2))]
    stage.create(*(operation(name, template="good", input={"width": 1}) for name in as_many))
    for name in as_many:
        stage.settled(name)
    before = operator.metrics()["alo_loop_lag_max_seconds"]

    stage.create(operation("slow-result", template="slow-result"))
    for turn in range(ROUNDS):
        for name, (_, given, _, _) in HOSTILE.items():
            stage.create(operation(f"{name}-{turn}", template=name, input=given))
        stage.create(operation(f"plain-{turn}", job=simulated_job(message="7")))
        stage.create(operation(f"good-{turn}", template="good", input={"width": 1}))

    for turn in range(ROUNDS):
        for name in ("plain", "good"):
            assert stage.settled(f"{name}-{turn}")["phase"] == "Succeeded"
        for name, (_, _, reason, words) in HOSTILE.items():
            status = stage.settled(f"{name}-{turn}")
            failure = status.get("failure", {"reason": "Succeeded", "message": ""})
            assert (failure["reason"], words in failure["message"]) == (reason, True), (name, status)
            assert len(failure["message"]) <= 1024
            assert ("job" in status) == (reason == "Succeeded")
    failure = stage.settled("slow-result")["failure"]
    assert (failure["reason"], "resultSchema" in failure["message"]) == ("InvalidTemplate", True)
    assert operator.probe("healthz") == operator.probe("readyz") == 200
    lag = operator.metrics()["alo_loop_lag_max_seconds"]
    # Printed and not demanded: on a busy machine it measures the machine.
    print(
        f"the event loop was late by at most {before:.3f} s with as many good operations, {lag:.3f} s with hostile ones"
    )
