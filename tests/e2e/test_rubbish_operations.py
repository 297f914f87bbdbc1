"""Operations that cannot run as they are written: each is refused or rejected clearly, and harms no other."""

import json

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation, shell_job
from tests.support.waiting import wait_for
from tests.support.workers import image_job, pod_spec

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)


def altered(change, **job_spec):
    job = shell_job("exit 0", **job_spec)
    change(job)
    return job


def without_containers(job):
    pod_spec(job)["containers"] = []


def on_failure(job):
    pod_spec(job)["restartPolicy"] = "OnFailure"


def misspelt_in_the_pod(job):
    pod_spec(job)["containers"][0]["comand"] = ["true"]


REFUSED_JOBS = {  # name -> the Job, and words that the failure must contain
    "no-containers": (
        altered(without_containers),
        ["spec.job.spec.template.spec.containers", "at least one container"],
    ),
    "misspelt": (altered(lambda job: job["spec"].update(backofLimit=1)), ["backofLimit"]),
    "misspelt-deep": (altered(misspelt_in_the_pod), ["comand"]),
    "wrong-type": ({"spec": {"template": "busybox"}}, ["spec.job.spec.template", "not an object"]),
    "wrong-number": (altered(lambda job: job["spec"].update(completions="many")), ["completions"]),
    "no-template": ({"spec": {"backoffLimit": 1}}, ["spec.job.spec.template", "missing"]),
    "on-failure": (altered(on_failure), ["restartPolicy", "OnFailure", "use Never"]),
    "own-selector": (altered(lambda job: job["spec"].update(selector={"matchLabels": {"a": "b"}})), ["selector"]),
    "negative": (altered(lambda job: job["spec"].update(backoffLimit=-1)), ["backoffLimit"]),
}


@pytest.fixture(scope="module")
def stage(module_stage):
    module_stage.create(
        *[operation(name, job=job) for name, (job, _) in REFUSED_JOBS.items()],
        operation("bad-image-name", job=image_job("UPPER CASE!!")),
        operation("too-much-input", job=shell_job("exit 0"), input={"text": "x" * 64 * 1024}),
    )
    return module_stage


@pytest.mark.promise("JOB-1", "JOB-2")
@pytest.mark.parametrize("name", REFUSED_JOBS)
def test_a_job_that_cannot_be_is_rejected_in_words(stage, name):
    """The promise is rejected as InvalidJob at once, names the place, and no Job is left."""
    status = stage.settled(name)
    failure = status["failure"]

    assert (status["phase"], failure["type"], failure["reason"]) == ("Failed", "InvalidRequest", "InvalidJob")
    assert not failure["retryable"]
    for words in REFUSED_JOBS[name][1]:
        assert words in failure["message"]
    assert stage.jobs(name) == []


@pytest.mark.promise("START-3")
def test_an_image_name_that_cannot_be_is_rejected(stage):
    """The kubelet says that it never can be pulled; the promise is rejected and the pod goes."""
    status = stage.settled("bad-image-name")

    assert (status["phase"], status["failure"]["reason"]) == ("Failed", "InvalidImageName")
    assert "UPPER CASE!!" in status["failure"]["message"]
    wait_for(lambda: not stage.pods("bad-image-name"), 30, "the pod is gone")


def test_an_input_above_64_kilobytes_is_rejected_with_the_sizes(stage):
    """The input never reaches a pod; the failure says how large it is, may be, and where large data belongs."""
    status = stage.settled("too-much-input")

    assert (status["phase"], status["failure"]["reason"]) == ("Failed", "InputTooLarge")
    assert "65547 bytes" in status["failure"]["message"]
    assert "65536" in status["failure"]["message"]
    assert stage.jobs("too-much-input") == []


@pytest.mark.promise("STATUS-8")
def test_an_input_of_five_thousand_levels_blinds_no_operator(stage):
    """Deep JSON is rejected alone, and an operator that finds it in its first list still does all other work."""
    manifest = json.dumps(operation("abyss", job=shell_job("exit 0"), input={"deep": "DEEP"}))
    # As text: Python's own JSON gives up long before.
    stage.kubectl("create", "-f", "-", input=manifest.replace('"DEEP"', "[" * 5000 + "]" * 5000))
    try:
        failed = "--for=jsonpath={.status.failure.reason}=InputTooLarge"
        stage.kubectl("wait", failed, "aop/abyss", "--timeout=60s", timeout=90)
        (replica,) = stage.operators.started
        replica.restart()
        stage.create(operation("beside-the-abyss", job=shell_job("exit 0")))
        assert stage.settled("beside-the-abyss")["phase"] == "Succeeded"
    finally:
        stage.kubectl("delete", "aop", "abyss", "--timeout=10s")


def test_a_name_of_64_characters_is_refused_at_admission(stage):
    """A name that could be no label is refused before anything happens."""
    refused = stage.kubectl.apply(operation("n" * 64, job=shell_job("exit 0")), check=False)

    assert refused.code == 1
    assert "at most 63 characters" in refused.stderr


def test_a_name_of_63_characters_runs(stage):
    """The longest name still fits everywhere."""
    stage.create(operation("n" * 63, job=shell_job("exit 0")))

    assert stage.settled("n" * 63)["phase"] == "Succeeded"


@pytest.mark.promise("STATUS-2")
def test_a_settled_status_cannot_be_written_by_hand(stage):
    """Not even the administrator can change an answer: the API server refuses."""
    stage.settled("misspelt")

    for change in ('{"status":{"phase":"Succeeded","promise":"Fulfilled"}}', '{"status":null}'):
        command = ("patch", "aop", "misspelt", "--subresource=status", "--type=merge", "--patch", change)
        assert "settled" in stage.kubectl(*command, check=False).stderr

    assert stage.status("misspelt")["phase"] == "Failed"


@pytest.mark.promise("STATUS-8")
def test_healthy_work_beside_all_this_succeeds_promptly(stage):
    """An operation created after all the rubbish is not held up by it."""
    stage.create(operation("healthy", job=shell_job("printf 1 > $ALO_RESULT_FILE")))

    assert stage.settled("healthy", timeout=60)["result"]["value"] == 1
