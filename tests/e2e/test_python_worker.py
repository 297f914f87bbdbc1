"""Workers that use the library, in real containers with an image that knows nothing of us."""

import json

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation
from tests.support.worker_library import config_map, library_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

HEAD = "from alo_operator.worker import Cancelled, run\n"
RESULT = (
    HEAD
    + """
def main(work):
    work.progress(done=1, total=1)
    return {"double": work.input["width"] * 2, "for": [work.id, work.namespace, work.uid, work.attempt]}
run(main)
"""
)
CHECKPOINTS = (
    HEAD
    + """
def main(work):
    done = []
    try:
        for number in range(1000):
            with work.uninterrupted():
                done.append(number)
                work.progress(done=number)
                if number == 3:
                    print("up")
            if number == 3:
                work.wait()
    except Cancelled as told:
        return {"done": done, "whole": False, "told": str(told)}
run(main)
"""
)
ENDLESS = (
    HEAD
    + """
import time
def main(work):
    print("up")
    time.sleep(1000)
run(main)
"""
)
BROKEN = (
    HEAD
    + """
def main(work):
    return {"double": work.input["width"] * 2}
run(main)
"""
)
LARGE = (
    HEAD
    + """
def main(work):
    for done in range(100):
        work.progress(done=done + 1, total=100, unit="rows")
    return {"rows": ["naïve ☃" * 100] * work.input["rows"]}
run(main)
"""
)
LARGE_PARTIAL = (
    HEAD
    + """
def main(work):
    try:
        print("up")
        work.wait()
    except Cancelled:
        return ["half"] * 1000
run(main)
"""
)
TOO_LARGE = (
    HEAD
    + """
run(lambda work: "x" * 1_000_000)
"""
)


@pytest.fixture(scope="module")
def stage(reporting_stage):
    reporting_stage.api.create("configmaps", config_map(), reporting_stage.namespace)
    reporting_stage.create(
        operation("whole", job=library_job(RESULT), input={"width": 400}),
        operation("partial", job=library_job(CHECKPOINTS)),
        operation("endless", job=library_job(ENDLESS)),
        operation("broken", job=library_job(BROKEN), input={"height": 1}),
        operation("large", job=library_job(LARGE), input={"rows": 100}),
        operation("large-partial", job=library_job(LARGE_PARTIAL)),
        operation("too-large", job=library_job(TOO_LARGE)),
    )
    for name in ("partial", "endless", "large-partial"):
        reporting_stage.started(name)
        reporting_stage.edit(name, cancel={"reason": "enough"})
    return reporting_stage


def kept(stage, result):
    """The result that lies in a ConfigMap, as JSON."""
    held = stage.api.get("configmaps", stage.namespace, result["ref"]["name"])
    return json.loads(held["data"][result["ref"]["key"]])


@pytest.mark.promise("WORK-2", "WORK-5", "RESULT-1")
def test_what_main_returns_becomes_the_result(stage):
    """Input in, value out, and the worker knows for whom it works."""
    status = stage.settled("whole")

    (pod,) = stage.pods("whole")
    identity = ["whole", stage.namespace, stage.operation("whole")["metadata"]["uid"], pod["metadata"]["uid"]]
    assert status["phase"] == "Succeeded"
    assert status["result"]["value"] == {"double": 800, "for": identity}
    assert status["result"]["contentType"] == "application/json"


@pytest.mark.promise("WORK-5", "CANCEL-4")
def test_a_cancelled_worker_gives_what_it_has(stage):
    """SIGTERM becomes Cancelled in the worker; what it returns then is the partial result."""
    status = stage.settled("partial")

    assert (status["phase"], status["attempts"]["last"]["exitCode"]) == ("Cancelled", 0)
    assert status["result"]["partial"] is True
    assert status["result"]["value"] == {"done": [0, 1, 2, 3], "whole": False, "told": "told to stop by SIGTERM"}


@pytest.mark.promise("CANCEL-3")
def test_a_worker_that_takes_no_notice_is_ended_at_once(stage):
    """As the first process of its container it would otherwise sleep through its whole grace period."""
    status = stage.settled("endless")

    assert (status["phase"], status["attempts"]["last"]["exitCode"]) == ("Cancelled", 143)
    assert "result" not in status


@pytest.mark.promise("FAIL-2")
def test_an_exception_is_the_operations_failure(stage):
    """In one line: what, and where."""
    failure = stage.settled("broken")["failure"]

    assert failure["reason"] == "NonZeroExit"
    assert failure["message"].endswith("KeyError: 'width' (<string>, line 4)")


@pytest.mark.promise("WORK-5", "REPORT-1")
def test_a_large_result_and_the_last_progress_arrive(stage):
    """100 KB go to the gateway by themselves, and of a hundred reports in a moment the last is on record."""
    status = stage.settled("large")

    assert status["phase"] == "Succeeded", status
    assert kept(stage, status["result"]) == {"rows": ["naïve ☃" * 100] * 100}
    assert status["result"]["contentType"] == "application/json"
    assert status["progress"]["summary"] == "100/100"


@pytest.mark.promise("CANCEL-4")
def test_a_large_partial_result_arrives_after_sigterm(stage):
    """A pod that is being stopped may still hand in what it has."""
    status = stage.settled("large-partial")

    assert (status["phase"], status["attempts"]["last"]["exitCode"]) == ("Cancelled", 0), status
    assert status["result"]["partial"] is True
    assert kept(stage, status["result"]) == ["half"] * 1000


def test_a_result_without_a_way_says_what_to_do(stage):
    """A million bytes fit nowhere; callers read the size, the limit and the way out."""
    status = stage.settled("too-large")

    assert status["phase"] == "Failed"
    assert "1000002 bytes and may have 921600" in status["failure"]["message"]
    assert "object store" in status["failure"]["message"]
