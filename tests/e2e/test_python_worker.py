"""Workers that use the library, in real containers with an image that knows nothing of us."""

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
TOO_LARGE = (
    HEAD
    + """
run(lambda work: "x" * 5000)
"""
)


@pytest.fixture(scope="module")
def stage(module_stage):
    module_stage.api.create("configmaps", config_map(), module_stage.namespace)
    module_stage.create(
        operation("whole", job=library_job(RESULT), input={"width": 400}),
        operation("partial", job=library_job(CHECKPOINTS)),
        operation("endless", job=library_job(ENDLESS)),
        operation("broken", job=library_job(BROKEN), input={"height": 1}),
        operation("too-large", job=library_job(TOO_LARGE)),
    )
    for name in ("partial", "endless"):
        module_stage.started(name)
        module_stage.edit(name, cancel={"reason": "enough"})
    return module_stage


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


def test_a_result_without_a_way_says_what_to_do(stage):
    """Without a report endpoint 5 kB do not fit; callers read the size, the limit and the way out."""
    status = stage.settled("too-large")

    assert status["phase"] == "Failed"
    assert "the result has 5002 bytes and may have 4092" in status["failure"]["message"]
