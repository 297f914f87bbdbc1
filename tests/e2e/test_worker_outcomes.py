"""How work fails, is tried again, and counts."""

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation, python_job, shell_job
from tests.support.waiting import wait_for
from tests.support.workers import pod_spec, result_job, with_more_containers

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

SETTINGS = "third-time-lucky"  # the ConfigMap that decides how the next attempt ends


def greedy_job():
    job = python_job("hoard = [bytearray(16 << 20) for _ in range(64)]; print(len(hoard))")
    pod_spec(job)["containers"][0]["resources"] = {"limits": {"memory": "64Mi"}}
    return job


def lucky_job():
    job = shell_job('echo "attempt ends with $VERDICT"; exit $VERDICT', backoffLimit=6)
    source = {"configMapKeyRef": {"name": SETTINGS, "key": "verdict"}}
    pod_spec(job)["containers"][0]["env"] = [{"name": "VERDICT", "valueFrom": source}]
    return job


def broken_sidecar_job():
    job = with_more_containers(result_job("echo '\"fine\"'"), 1)
    pod_spec(job)["containers"][1]["command"] = ["/bin/sh", "-c", "printf 'no disk' > /dev/termination-log; exit 9"]
    return job


OPERATIONS = [
    operation("lucky", job=lucky_job()),
    operation("counted", job=shell_job("sleep 2", completions=4)),
    operation("failed", job=shell_job("echo 'reading input'; echo 'disk full' >&2; exit 7")),
    operation("worded", job=shell_job("echo noise; printf 'no such bucket' > $ALO_RESULT_FILE; exit 3")),
    operation("half-done", job=result_job("echo '{\"done\": 1}'; exit 4")),
    operation("greedy", job=greedy_job()),
    operation("sidecar", job=broken_sidecar_job()),
    operation(
        "indexed",
        job=result_job(
            'echo "{\\"index\\": $JOB_COMPLETION_INDEX}"', completions=3, parallelism=3, completionMode="Indexed"
        ),
    ),
]


@pytest.fixture(scope="module")
def stage(module_stage):
    module_stage.api.create(
        "configmaps", {"metadata": {"name": SETTINGS}, "data": {"verdict": "1"}}, module_stage.namespace
    )
    module_stage.since = module_stage.now()
    module_stage.create(*OPERATIONS)
    return module_stage


@pytest.mark.promise("JOB-4")
def test_retries_are_the_jobs_own_and_are_counted(stage):
    """An operation that fails twice within its backoffLimit and then succeeds is fulfilled, at the third attempt."""

    def failures():
        return stage.job("lucky")["status"].get("failed", 0)

    wait_for(lambda: failures() >= 2, 90, "two attempts have failed", interval=0.5)
    assert stage.status("lucky")["promise"] == "Pending"
    stage.api.patch("configmaps", SETTINGS, {"data": {"verdict": "0"}}, stage.namespace)
    status = stage.settled("lucky")

    # On a machine that was busy just then, a third failure may have come before the change.
    assert (status["phase"], status["attempts"]["count"]) == ("Succeeded", failures() + 1)
    assert status["attempts"]["last"]["exitCode"] == 0


@pytest.mark.promise("WORK-1", "FAIL-1", "FAIL-2")
def test_a_failure_shows_exit_code_log_tail_and_causes(stage):
    """The end of the log becomes the failure's message, and the causes lead from the Job down to the container."""
    status = stage.settled("failed")
    failure = status["failure"]

    assert (status["phase"], status["promise"]) == ("Failed", "Rejected")
    assert (failure["type"], failure["reason"], failure["retryable"]) == ("WorkerFailed", "NonZeroExit", False)
    exit_code, _, log = failure["message"].partition(": ")
    assert exit_code == "container main exited with code 7"
    # Two streams, two readers: lines written at the same time may change places.
    assert sorted(log.splitlines()) == ["disk full", "reading input"]
    assert [cause["kind"] for cause in failure["causes"]] == ["Job", "Pod", "Container"]
    assert failure["causes"][0]["reason"] == "BackoffLimitExceeded"
    assert failure["causes"][2]["exitCode"] == 7
    assert status["attempts"]["last"]["exitCode"] == 7
    assert "result" not in status


@pytest.mark.promise("FAIL-2")
def test_a_failures_own_words_come_before_the_log(stage):
    """A worker that explains itself in the result file is quoted; its log is not."""
    assert stage.settled("worded")["failure"]["message"] == "container main exited with code 3: no such bucket"


@pytest.mark.promise("RESULT-1")
def test_what_a_failed_worker_left_is_no_result(stage):
    """JSON in the result file of a worker that exits 4 is failure text, never a value."""
    status = stage.settled("half-done")

    assert status["phase"] == "Failed"
    assert "result" not in status
    assert '{"done": 1}' in status["failure"]["message"]


@pytest.mark.promise("FAIL-3")
def test_a_worker_without_memory_is_reported_as_such(stage):
    """The kernel's killing of the main process is named, with its exit code."""
    status = stage.settled("greedy")

    assert (status["phase"], status["failure"]["reason"]) == ("Failed", "OOMKilled")
    assert status["failure"]["causes"][2]["exitCode"] == 137


def test_a_failing_container_beside_the_worker_is_named(stage):
    """A sidecar that fails the pod fails the promise, and the message says which container it was."""
    status = stage.settled("sidecar")

    assert status["phase"] == "Failed"
    assert status["failure"]["message"] == "container more-0 exited with code 9: no disk"
    assert "result" not in status


@pytest.mark.promise("RESULT-5")
def test_an_indexed_jobs_result_is_that_of_index_0(stage):
    """Of three completions one gives the value; progress counts all."""
    status = stage.settled("indexed")

    assert status["result"]["value"] == {"index": 0}
    assert status["progress"]["summary"] == "3/3"


@pytest.mark.promise("RESULT-5", "REPORT-7")
def test_many_completions_show_progress_and_give_no_value(stage):
    """A Job of four completions is seen on its way, and ends with counters instead of a result."""
    status = stage.settled("counted")
    seen = [event.object["status"] for event in stage.events("asyncoperations", stage.since) if event.name == "counted"]
    summaries = [one["progress"]["summary"] for one in seen if one["phase"] == "Running" and "progress" in one]

    assert (status["phase"], status["progress"]["summary"], status["progress"]["percent"]) == ("Succeeded", "4/4", 100)
    assert "result" not in status
    assert {"1/4", "2/4", "3/4"} & set(summaries), summaries
