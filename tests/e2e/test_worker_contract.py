"""What a worker is given, and what becomes of what it leaves."""

import hashlib
import json
import re

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation, shell_job
from tests.support.waiting import wait_for
from tests.support.workers import pod_spec, result_job, with_more_containers

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

INPUT = {
    "source": "s3://in/café.png",
    "width": 800,
    "ratio": 1.5,
    "quote": 'it\'s "quoted" & <escaped> \\ \n',
    "deep": {"list": [1, "2", None, {"three": True}], "empty": {}},
}
ENVIRONMENT = ("ALO_ID", "ALO_NAMESPACE", "ALO_UID", "ALO_ATTEMPT", "ALO_RESULT_FILE", "TRACEPARENT")
RESULT = {"none": None, "list": [None, {"inner": None}], "ratio": 0.1, "tiny": 1e-9, "word": "naïve ☃ 𝄞", "big": 2**62}
PRINT_ENVIRONMENT = (
    'printf \'{\'; for name in %s; do printf \'"%%s":"%%s",\' $name "$(eval echo \\$$name)"; done; printf \'"end":1}\''
)


def chosen_container():
    untouched = '[ -z "$ALO_ID" ] && [ ! -e /alo/in ] && echo "\\"from the first\\"" > /dev/termination-log'
    job = with_more_containers(shell_job(untouched), 1)
    job["spec"]["template"]["metadata"] = {"annotations": {"kubectl.kubernetes.io/default-container": "chosen"}}
    chosen = pod_spec(job)["containers"][1]
    chosen |= {"name": "chosen", "command": ["/bin/sh", "-c", 'echo "\\"chosen $ALO_ID\\"" > "$ALO_RESULT_FILE"']}
    return job


OPERATIONS = [
    operation("input", job=result_job("cat /alo/in/input.json"), input=INPUT),
    operation("no-input", job=result_job("cat /alo/in/input.json")),
    operation("environment", job=result_job(PRINT_ENVIRONMENT % " ".join(ENVIRONMENT))),
    operation(
        "traced",
        job=result_job('printf %s "$TRACEPARENT"'),
        annotations={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"},
    ),
    operation("json", job=result_job(f"cat <<'EOT'\n{json.dumps(RESULT, ensure_ascii=False)}\nEOT")),
    operation("text", job=result_job("echo 'All 3 files were copied.'")),
    operation("silent", job=shell_job("echo 'this is a log, not a result'")),
    operation("chosen", job=chosen_container()),
    operation("own-path", job=result_job("echo '[\"kept\"]'")),
]
pod_spec(OPERATIONS[-1]["spec"]["job"])["containers"][0]["terminationMessagePath"] = "/tmp/result"


@pytest.fixture(scope="module")
def stage(module_stage):
    module_stage.create(*OPERATIONS)
    return module_stage


@pytest.mark.promise("WORK-2")
def test_the_input_arrives_byte_for_byte(stage):
    """/alo/in/input.json holds the input as compact JSON, every character and null in place."""
    written = json.dumps(INPUT, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()

    result = stage.settled("input")["result"]

    assert result["value"] == INPUT
    assert (result["bytes"], result["sha256"]) == (len(written), hashlib.sha256(written).hexdigest())


@pytest.mark.promise("WORK-2")
def test_work_without_input_finds_an_empty_object(stage):
    """A worker may always parse its input file."""
    assert stage.settled("no-input")["result"]["value"] == {}


@pytest.mark.promise("WORK-3")
def test_a_worker_knows_who_it_works_for(stage):
    """The environment names the operation, and the attempt by the pod's uid."""
    value = stage.settled("environment")["result"]["value"]
    metadata = stage.operation("environment")["metadata"]
    (pod,) = stage.pods("environment")

    assert value.pop("end") == 1
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", value.pop("TRACEPARENT"))
    assert value == {
        "ALO_ID": "environment",
        "ALO_NAMESPACE": stage.namespace,
        "ALO_UID": metadata["uid"],
        "ALO_ATTEMPT": pod["metadata"]["uid"],
        "ALO_RESULT_FILE": "/dev/termination-log",
    }


@pytest.mark.promise("WORK-3")
def test_a_callers_trace_goes_on_in_the_worker(stage):
    """A traceparent annotation on the operation reaches the worker as it is."""
    assert stage.settled("traced")["result"]["value"] == f"00-{'ab' * 16}-{'cd' * 8}-01"


@pytest.mark.promise("RESULT-1", "RESULT-3")
def test_a_json_result_is_kept_whole(stage):
    """Nested nulls, fractions, large numbers and characters beyond the basic plane come back as they were written."""
    status = stage.settled("json")

    assert (status["phase"], status["promise"]) == ("Succeeded", "Fulfilled")
    assert status["result"]["value"] == RESULT
    assert status["result"]["contentType"] == "application/json"


@pytest.mark.promise("RESULT-1")
def test_a_result_that_is_not_json_is_text(stage):
    """Any words are a result."""
    result = stage.settled("text")["result"]

    assert (result["value"], result["contentType"]) == ("All 3 files were copied.\n", "text/plain")


@pytest.mark.promise("WORK-1")
def test_a_worker_that_knows_nothing_of_us_succeeds_by_exit_code_0(stage):
    """An image that writes no result fulfils its promise, and its log does not pass for one."""
    status = stage.settled("silent")

    assert status["phase"] == "Succeeded"
    assert "result" not in status


@pytest.mark.promise("WORK-3", "WORK-4")
def test_the_default_container_is_the_worker(stage):
    """The annotation kubectl uses too chooses the container that is equipped and heard; others see nothing of ours."""
    assert stage.settled("chosen")["result"]["value"] == "chosen chosen"
    (pod,) = stage.pods("chosen")
    other, chosen = pod["spec"]["containers"]
    assert (other["name"], chosen["name"]) == ("main", "chosen")
    assert "env" not in other
    assert not [mount for mount in other.get("volumeMounts", []) if mount["mountPath"].startswith("/alo")]


@pytest.mark.promise("WORK-3")
def test_a_result_path_of_the_users_own_is_respected(stage):
    """ALO_RESULT_FILE names the container's own terminationMessagePath."""
    assert stage.settled("own-path")["result"]["value"] == ["kept"]


@pytest.mark.promise("START-1", "STATUS-5")
def test_a_settled_operation_tells_when_and_where_it_ran(stage):
    """Start, end, Job and attempt are in status, the finalizer is off, and every condition agrees with the outcome."""
    stage.settled("silent")
    wait_for(lambda: not stage.operation("silent")["metadata"].get("finalizers"), 30, "the finalizer is off")
    status = stage.status("silent")
    (job,) = stage.jobs("silent")

    assert status["startTime"] <= status["completionTime"]
    assert status["job"] == {"name": job["metadata"]["name"], "uid": job["metadata"]["uid"]}
    assert (status["attempts"]["count"], status["attempts"]["last"]["exitCode"]) == (1, 0)
    shown = {condition["type"]: condition["status"] for condition in status["conditions"]}
    assert shown == {"Accepted": "True", "Started": "True", "Completed": "True", "Succeeded": "True", "Ready": "True"}
