"""Why a Job failed: from its condition and its pods to one reason, one sentence and a chain of causes."""

import pytest

from alo_operator.api.conditions import FailureType, Reason
from alo_operator.desired.outcome import failed
from tests.support.builders import at, make_job, make_pod


def outcome(*pods, job=None):
    view = (job or make_job().failed(at(5))).view()
    return failed(view, view.end, tuple(pod.view() for pod in pods))


@pytest.mark.parametrize(
    ("pod", "job", "reason", "sentence"),
    [
        (
            make_pod().failed(3, message="no such picture\n"),
            None,
            Reason.NON_ZERO_EXIT,
            "container main exited with code 3: no such picture",
        ),
        (make_pod().failed(1), None, Reason.NON_ZERO_EXIT, "container main exited with code 1"),
        (
            make_pod().failed(137, "OOMKilled", "last words"),
            None,
            Reason.OOM_KILLED,
            "container main was killed: out of memory (exit code 137): last words",
        ),
        (
            make_pod().failed(137, "OOMKilled"),
            None,
            Reason.OOM_KILLED,
            "container main was killed: out of memory (exit code 137)",
        ),
        (
            make_pod().failed(137).status(reason="Evicted", message="low on disk"),
            None,
            Reason.EVICTED,
            "pod resize-x was evicted: low on disk",
        ),
        (
            make_pod().status(phase="Failed").condition("DisruptionTarget", "True", "PreemptionByScheduler"),
            None,
            Reason.EVICTED,
            "pod resize-x was disrupted: PreemptionByScheduler",
        ),
        (
            make_pod().failed(143, message="up").condition("DisruptionTarget", "True", "EvictionByEvictionAPI"),
            None,
            Reason.EVICTED,
            "pod resize-x was disrupted: EvictionByEvictionAPI; container main exited with code 143: up",
        ),
        (
            make_pod().failed(42).condition("DisruptionTarget", "True", "EvictionByEvictionAPI"),
            make_job().failed(at(5), "PodFailurePolicy", "rule at index 0"),
            Reason.NON_ZERO_EXIT,
            "container main exited with code 42",
        ),
        (
            make_pod().failed(143),
            make_job().failed(at(5), "DeadlineExceeded", "Job was active longer than specified deadline"),
            Reason.START_TO_CLOSE_TIMEOUT,
            "the work took longer than it may (timeouts.startToClose); no operator was there to end it sooner",
        ),
        (
            make_pod().failed(143).status(reason="DeadlineExceeded", message="Pod was active too long"),
            make_job().failed(at(5), "BackoffLimitExceeded", ""),
            Reason.DEADLINE_EXCEEDED,
            "pod resize-x met its own activeDeadlineSeconds: Pod was active too long",
        ),
        (
            make_pod().failed(143).status(reason="DeadlineExceeded"),
            None,
            Reason.DEADLINE_EXCEEDED,
            "pod resize-x met its own activeDeadlineSeconds: it ran longer than it may",
        ),
        (
            make_pod().failed(3, "OOMKilled", "no answer"),
            None,
            Reason.OOM_KILLED,
            "container main exited with code 3 after a process in it was killed: out of memory: no answer",
        ),
        (
            make_pod().status(phase="Failed"),
            None,
            Reason.JOB_FAILED,
            "BackoffLimitExceeded: gave up",
        ),
    ],
    ids=[
        "exit code with words",
        "exit code without words",
        "out of memory with words",
        "out of memory",
        "evicted",
        "disrupted",
        "disrupted, and told to stop",
        "disrupted, and failed by a rule of the user's",
        "the Job's deadline",
        "the pod's deadline",
        "the pod's deadline without words",
        "a child out of memory",
        "a pod that tells nothing",
    ],
)
def test_each_way_to_fail_has_its_reason_and_sentence(pod, job, reason, sentence):
    """What the caller reads first is what went wrong, with the worker's own last words where it left some."""
    found = outcome(pod, job=job)

    assert (found.reason, found.message) == (reason, sentence)
    assert (found.failure.reason, found.failure.message) == (reason, sentence)


def test_a_job_without_pods_fails_in_the_jobs_words():
    """A Job can fail before it has any pod, or after all are gone."""
    found = outcome()

    gone = "no failed pod is left that could say why, as after its deletion or eviction"
    assert (found.reason, found.message) == (Reason.JOB_FAILED, f"BackoffLimitExceeded: gave up; {gone}")
    assert found.failure.type == FailureType.INFRASTRUCTURE
    assert found.attempts.last is None


def test_a_job_that_gives_no_reason_has_still_failed():
    """Nothing that a third controller leaves out makes the sentence empty."""
    assert outcome(job=make_job().failed(at(5), "", "")).message.startswith("Failed: the Job failed; no failed pod")


@pytest.mark.parametrize(
    ("pod", "kind", "retryable"),
    [
        (make_pod().failed(1), FailureType.WORKER, False),
        (make_pod().failed(137, "OOMKilled"), FailureType.WORKER, False),
        (
            make_pod().failed(1).status(reason="Evicted").condition("DisruptionTarget", "True", "TerminationByKubelet"),
            FailureType.INFRASTRUCTURE,
            True,
        ),
        (make_pod().failed(1).status(reason="Evicted"), FailureType.INFRASTRUCTURE, False),
    ],
)
def test_a_failure_says_whose_it_is_and_whether_trying_again_may_help(pod, kind, retryable):
    """The worker's no is final; what the surroundings did may go better under a new name."""
    found = outcome(pod)

    assert (found.failure.type, found.failure.retryable) == (kind, retryable)


@pytest.mark.promise("FAIL-1")
def test_causes_go_from_the_job_down_to_the_container():
    """Outermost first, each in the words of whoever noticed."""
    pod = make_pod().failed(3, message=" no such picture \n").status(message="the pod's own words")

    job, pod_cause, container = outcome(pod).failure.causes

    assert (job.kind, job.name, job.reason, job.message) == (
        "Job",
        make_job().view().name,
        "BackoffLimitExceeded",
        "gave up",
    )
    assert (pod_cause.kind, pod_cause.name, pod_cause.reason, pod_cause.message) == (
        "Pod",
        "resize-x",
        "Failed",
        "the pod's own words",
    )
    assert (container.kind, container.name, container.reason, container.exit_code, container.message) == (
        "Container",
        "main",
        "Error",
        3,
        "no such picture",
    )


def test_the_pod_that_failed_last_explains():
    """Earlier attempts are not what ended the work; a pod that succeeded explains nothing."""
    pods = [
        make_pod("first").failed(1, message="first", finished=at(1)),
        make_pod("last").failed(2, message="last", finished=at(4)),
        make_pod("middle").failed(3, message="middle", finished=at(3)),
        make_pod("fine").succeeded("fine"),
    ]

    found = outcome(*pods, job=make_job().failed(at(5)).status(failed=3))

    assert found.message == "container main exited with code 2: last"
    assert (found.attempts.count, found.attempts.last.pod, found.attempts.last.exit_code) == (3, "last", 2)


def test_the_worker_explains_where_a_sidecar_failed_too():
    """A sidecar that is stopped by the end of the worker often ends badly as well."""
    pod = make_pod().containers("sidecar", "work").worker_is("work").status(phase="Failed")
    pod.exited("sidecar", 143, "Error", "stopped").exited("work", 7, "Error", "really")

    assert outcome(pod).message == "container work exited with code 7: really"


def test_an_init_container_explains_where_the_worker_never_ran():
    """The one container that failed is named, though it is not the worker."""
    pod = make_pod().containers("main", init=["fetch"]).status(phase="Failed")
    pod.exited("fetch", 1, "Error", "no network", init=True)

    assert outcome(pod).message == "container fetch exited with code 1: no network"


def test_a_sidecar_explains_where_the_worker_did_well():
    """A pod fails with its worst container."""
    pod = make_pod().containers("main", "sidecar").status(phase="Failed")
    pod.exited("main", 0, "Completed", "fine").exited("sidecar", 9, "Error", "crashed")

    found = outcome(pod)

    assert found.message == "container sidecar exited with code 9: crashed"
    assert found.attempts.last.exit_code == 0


def test_no_words_of_others_can_outgrow_their_fields():
    """Log tails and messages of other controllers are clipped to what the schema allows."""
    pod = make_pod().failed(1, "R" * 500, "x" * 9000).status(message="y" * 9000)

    found = outcome(pod, job=make_job().failed(at(5), "Q" * 500, "z" * 9000))

    assert len(found.message) == 1024
    assert max(len(cause.message or "") for cause in found.failure.causes) == 1024
    assert max(len(cause.reason or "") for cause in found.failure.causes) == 128
