"""Each way in which work can fail, brought about for real: who has to act, in one word, and the chain of causes."""

import pytest

from tests.cluster.providers import Capability
from tests.support.api import path_of
from tests.support.operations import operation, python_job, shell_job
from tests.support.waiting import wait_for
from tests.support.workers import endless_job, pod_spec, result_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

GREEDY_CHILD = """
import os, sys
child = os.fork()
if child == 0:
    hoard = [bytearray(16 << 20) for _ in range(64)]
    os._exit(0)
os.waitpid(child, 0)
sys.exit({code})
"""


def with_memory(job, limit="64Mi"):
    pod_spec(job)["containers"][0]["resources"] = {"limits": {"memory": limit}}
    return job


def until_mended(name, before, **job_spec):
    """Run `before` (shell) in each attempt until the ConfigMap `name` is there; one made after that ends well."""
    job = result_job(f'[ -n "$MENDED" ] || {{ {before}; }}; echo "\\"$ALO_ATTEMPT\\""', **job_spec)
    source = {"configMapKeyRef": {"name": name, "key": "mended", "optional": True}}
    pod_spec(job)["containers"][0]["env"] = [{"name": "MENDED", "valueFrom": source}]
    return job


def on_exit(code, action):
    """A podFailurePolicy with one rule on an exit code."""
    return {"rules": [{"action": action, "onExitCodes": {"operator": "In", "values": [code]}}]}


def filling_job():
    """Write more than the container's limit for local storage, then wait to be thrown out."""
    job = shell_job("head -c 8388608 /dev/zero > /tmp/hoard; echo up; sleep 1000 & wait $!", grace_seconds=1)
    pod_spec(job)["containers"][0]["resources"] = {"limits": {"ephemeral-storage": "1Mi"}}
    return job


def overdue_job():
    job = endless_job()
    pod_spec(job)["activeDeadlineSeconds"] = 3
    return job


OPERATIONS = [
    operation("hoarding", job=filling_job()),
    operation("evicted-once", job=until_mended("evicted-once", "echo up >&2; sleep 1000 & wait $!", grace_seconds=1)),
    operation("evicted", job=endless_job(podFailurePolicy=on_exit(42, "FailJob"), grace_seconds=2)),
    operation("ignored", job=until_mended("ignored", "exit 17", podFailurePolicy=on_exit(17, "Ignore"))),
    operation("counted", job=shell_job("exit 7", backoffLimit=1, podFailurePolicy=on_exit(7, "Count"))),
    operation("at-once", job=shell_job("echo full; exit 42", backoffLimit=5, podFailurePolicy=on_exit(42, "FailJob"))),
    operation("child-lost", job=with_memory(python_job(GREEDY_CHILD.format(code=0)))),
    operation("child-missed", job=with_memory(python_job(GREEDY_CHILD.format(code=3)))),
    operation("overdue", job=overdue_job()),
]


def evict(stage, name):
    """Ask for the pod's eviction, as `kubectl drain` does; return its name."""
    (pod,) = [one["metadata"]["name"] for one in stage.pods(name)]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    stage.api.request("POST", path_of("pods", stage.namespace, pod, "eviction"), body)
    return pod


def mend(stage, name):
    """From now on attempts of a job made by `until_mended` end well."""
    stage.api.create("configmaps", {"metadata": {"name": name}, "data": {"mended": "yes"}}, stage.namespace)


@pytest.fixture(scope="module")
def stage(module_stage):
    stage = module_stage
    stage.create(*OPERATIONS)
    stage.started("evicted")
    evict(stage, "evicted")
    stage.started("evicted-once")
    mend(stage, "evicted-once")
    stage.evicted = evict(stage, "evicted-once")
    wait_for(lambda: len(stage.pods("ignored")) >= 2, 60, "a second attempt was made")
    mend(stage, "ignored")
    return stage


def failed(stage, name, type, reason, *, retryable):
    """The status of an operation that has failed like this, with a chain of causes from the Job on."""
    status = stage.settled(name)
    failure = status["failure"]
    assert (status["phase"], status["promise"]) == ("Failed", "Rejected"), status
    assert (failure["type"], failure["reason"], failure["retryable"]) == (type, reason, retryable), failure
    assert stage.condition(name, "Succeeded")["reason"] == reason
    assert (failure["causes"][0]["kind"], failure["causes"][0]["name"]) == ("Job", status["job"]["name"])
    assert "result" not in status
    return status


def causes(status):
    """Kind and reason of each cause, outermost first."""
    return [(cause["kind"], cause["reason"]) for cause in status["failure"]["causes"]]


@pytest.mark.promise("FAIL-1")
def test_an_exit_code_may_end_all_tries_at_once(stage):
    """A podFailurePolicy of FailJob on 42 fails the promise at the first attempt, with five more allowed."""
    status = failed(stage, "at-once", "WorkerFailed", "NonZeroExit", retryable=False)

    assert status["attempts"]["count"] == 1
    assert status["failure"]["message"] == "container main exited with code 42: full"
    assert causes(status) == [("Job", "PodFailurePolicy"), ("Pod", "Failed"), ("Container", "Error")]
    assert "exit code 42 matching FailJob rule at index 0" in status["failure"]["causes"][0]["message"]


def test_an_exit_code_that_is_ignored_uses_up_no_attempt(stage):
    """With a backoffLimit of 0 the work is tried until it ends otherwise."""
    status = stage.settled("ignored")

    assert (status["phase"], status["attempts"]["count"]) == ("Succeeded", 1)
    assert "failed" not in stage.job("ignored")["status"]


def test_an_exit_code_that_counts_uses_up_the_tries(stage):
    """A backoffLimit of 1 allows two attempts."""
    status = failed(stage, "counted", "WorkerFailed", "NonZeroExit", retryable=False)

    assert (status["attempts"]["count"], status["attempts"]["last"]["exitCode"]) == (2, 7)
    assert causes(status)[0] == ("Job", "BackoffLimitExceeded")


@pytest.mark.promise("JOB-3")
def test_an_evicted_pod_is_replaced_and_uses_up_no_attempt(stage):
    """As in the drain of a node: the second pod gives the result, and it is the first attempt that counts."""
    status = stage.settled("evicted-once")

    assert (status["phase"], status["attempts"]["count"]) == ("Succeeded", 1)
    assert status["attempts"]["last"]["pod"] != stage.evicted
    assert "failed" not in stage.job("evicted-once")["status"]


def test_an_eviction_that_counts_is_laid_at_nobodys_door(stage):
    """A podFailurePolicy of the user's own takes the place of ours; Kubernetes soon forgets the evicted pod."""
    seen = stage.settled("evicted")["failure"]["reason"] == "Evicted"
    status = failed(stage, "evicted", "InfrastructureFailed", "Evicted" if seen else "JobFailed", retryable=True)

    gone = "no failed pod is left that could say why, as after its deletion or eviction"
    assert ("was disrupted: EvictionByEvictionAPI; container main" if seen else gone) in status["failure"]["message"]
    assert status["attempts"]["count"] == 1


@pytest.mark.promise("FAIL-4")
def test_work_that_takes_too_much_disk_is_evicted_in_the_kubelets_words(stage):
    """The same work would be evicted again, so it is not worth another try."""
    status = failed(stage, "hoarding", "InfrastructureFailed", "Evicted", retryable=False)

    assert status["failure"]["message"].endswith("exceeds the total limit of containers 1Mi.")
    assert causes(status)[1] == ("Pod", "Evicted")


@pytest.mark.promise("FAIL-3")
def test_a_child_killed_for_its_memory_fails_no_work_by_itself(stage):
    """Where the kernel kills one process only, the worker's own exit code decides; the killing is on record."""
    status = stage.settled("child-lost")

    last = status["attempts"]["last"]
    assert last["reason"] == "OOMKilled"
    assert (status["phase"], last["exitCode"]) in {("Succeeded", 0), ("Failed", 137)}  # the latter with cgroup v2


@pytest.mark.promise("FAIL-3")
def test_work_that_fails_for_a_killed_child_says_so(stage):
    """The exit code is the worker's, the reason is the memory."""
    status = failed(stage, "child-missed", "WorkerFailed", "OOMKilled", retryable=False)

    code = status["attempts"]["last"]["exitCode"]
    said = {3: "exited with code 3 after a process in it was killed: out of memory"}
    assert said.get(code, "was killed: out of memory (exit code 137)") in status["failure"]["message"]


def test_a_deadline_of_the_pods_own_is_named(stage):
    """Not to be taken for a timeout of the operation."""
    status = failed(stage, "overdue", "WorkerFailed", "DeadlineExceeded", retryable=False)

    assert "met its own activeDeadlineSeconds" in status["failure"]["message"]
    assert causes(status)[1] == ("Pod", "DeadlineExceeded")
