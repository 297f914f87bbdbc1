"""What real workers report through a real gateway, with what their images have."""

import hashlib
import json

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation, python_job, shell_job, template
from tests.support.waiting import wait_for
from tests.support.workers import endless_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

WGET = 'wget -q -O - --header "Authorization: Bearer $(cat /alo/token)"'
SHELL = f"""
{WGET} --post-data '{{"done": 3, "total": 10, "unit": "files"}}' "$ALO_REPORT_URL/progress"
printf '{{"words": ["%s"]}}' "$(head -c 6000 /dev/zero | tr '\\0' x)" > /tmp/result.json
{WGET} --header 'Content-Type: application/json' --post-file /tmp/result.json "$ALO_REPORT_URL/result"
"""
PYTHON = """
import os, urllib.request

def report(method, what, body, kind):
    headers = {"Authorization": "Bearer " + open("/alo/token").read(), "Content-Type": kind}
    url = os.environ["ALO_REPORT_URL"] + "/" + what
    return urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method)).read()

report("POST", "progress", b'{"percent": 40}', "application/json")
print(report("PUT", "result", bytes(range(256)) * 3600, "image/png"))
"""
# The gateway may be away for as long as it likes: the work goes on, and says what it has to say when it is back.
PATIENT = f"""
trap 'exit 143' TERM; echo up
until {WGET} --post-data '"at last"' "$ALO_REPORT_URL/result" > /tmp/answer; do sleep 0.5; done
cat /tmp/answer
"""
# The first attempt hands in a result and fails; the second hands in another.
RETRIED = f"""
{WGET} --post-data "\\"$ALO_ATTEMPT\\"" "$ALO_REPORT_URL/result" || exit 9
[ -e /shared/tried ] && exit 0
touch /shared/tried; exit 1
"""
STOPPED = endless_job(f'{WGET} --post-data "[1, 2]" "$ALO_REPORT_URL/result"; exit 1', grace_seconds=30)


def judged(longest):
    """A template whose results are lists of words, none longer than that."""
    words = {"type": "array", "items": {"type": "string", "maxLength": longest}}
    return {"job": shell_job(SHELL), "resultSchema": {"type": "object", "properties": {"words": words}}}


def retried_job(namespace):
    """A Job with one retry; both attempts see the same folder of their node."""
    job = shell_job(RETRIED, backoffLimit=1)
    pod = job["spec"]["template"]["spec"]
    pod["volumes"] = [{"name": "shared", "hostPath": {"path": f"/tmp/{namespace}", "type": "DirectoryOrCreate"}}]
    pod["containers"][0]["volumeMounts"] = [{"name": "shared", "mountPath": "/shared"}]
    return job


@pytest.fixture(scope="module")
def stage(reporting_stage):
    for name, longest in (("long-words", 6000), ("short-words", 10)):
        made = template(name, **judged(longest))
        reporting_stage.api.create("operationtemplates", made, reporting_stage.namespace)
    reporting_stage.create(
        operation("long-words", template="long-words"),
        operation("short-words", template="short-words"),
        operation("retried", job=retried_job(reporting_stage.namespace)),
        operation("shell", job=shell_job(SHELL)),
        operation("python", job=python_job(PYTHON)),
        operation("stopped", job=STOPPED),
    )
    return reporting_stage


@pytest.mark.promise("REPORT-1", "REPORT-4")
def test_a_shell_worker_reports_with_wget(stage):
    """Progress and a result of 6 KB, with what busybox has; the result is in a ConfigMap of the operation's own."""
    status = stage.settled("shell")

    assert status["phase"] == "Succeeded", status
    assert status["progress"]["summary"] == "3/10"
    result = status["result"]
    held = stage.api.get("configmaps", stage.namespace, result["ref"]["name"])
    raw = held["data"][result["ref"]["key"]].encode()
    assert json.loads(raw) == {"words": ["x" * 6000]}
    assert (result["bytes"], result["sha256"]) == (len(raw), hashlib.sha256(raw).hexdigest())


@pytest.mark.promise("REPORT-1", "REPORT-2")
def test_a_python_worker_reports_with_the_standard_library(stage):
    """900 KiB that are no text arrive; the gateway's answer is what the worker printed."""
    status = stage.settled("python")

    assert status["phase"] == "Succeeded", status
    assert status["progress"]["summary"] == "40%"
    assert (status["result"]["bytes"], status["result"]["contentType"]) == (900 * 1024, "image/png")
    assert status["result"]["sha256"] in stage.log(stage.pod("python")["metadata"]["name"])


def test_work_that_is_told_to_stop_hands_in_what_it_has(stage):
    """After SIGTERM, within its grace period; it counts though the worker exits 1."""
    stage.started("stopped")
    stage.edit("stopped", cancel={"reason": "enough"})

    status = stage.settled("stopped")

    assert (status["phase"], status["attempts"]["last"]["exitCode"]) == ("Cancelled", 1)
    assert (status["result"]["value"], status["result"]["partial"]) == ([1, 2], True)


@pytest.mark.promise("REPORT-3")
def test_the_attempt_that_succeeds_gives_the_result(stage):
    """What a failed attempt has handed in before counts for nothing."""
    status = stage.settled("retried")

    assert (status["phase"], status["attempts"]["count"]) == ("Succeeded", 2), status
    (last,) = [pod for pod in stage.pods("retried") if pod["status"]["phase"] == "Succeeded"]
    assert status["result"]["value"] == last["metadata"]["uid"]


@pytest.mark.promise("TPL-3")
def test_a_reported_result_is_judged_by_the_schema_of_its_template(stage):
    """Also one that is in a ConfigMap."""
    assert "ref" in stage.settled("long-words")["result"]

    failure = stage.settled("short-words")["failure"]

    assert (failure["reason"], "at /words/0: the value is longer than 10" in failure["message"]) == (
        "InvalidResult",
        True,
    ), failure


@pytest.mark.promise("REPORT-8")
def test_a_gateway_that_is_away_harms_no_work(stage):
    """The worker tries again, and its result is taken when the gateway is back."""
    stage.gateway.stop()
    stage.create(operation("patient", job=shell_job(PATIENT)))
    stage.started("patient")
    stage.has_condition("patient", "Started", "True", "Started")

    stage.gateway.start()

    status = stage.settled("patient")
    assert (status["phase"], status["result"]["value"]) == ("Succeeded", "at last")
    wait_for(lambda: not stage.operation("patient")["metadata"].get("finalizers"), 30, "the finalizer is off")
