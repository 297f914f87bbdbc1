"""What workers report through the gateway, from real containers and from beside them."""

import hashlib
import json

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation, python_job, shell_job
from tests.support.waiting import wait_for
from tests.support.workers import endless_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE, Capability.AUDIT_LOG)

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


@pytest.fixture(scope="module")
def stage(reporting_stage):
    reporting_stage.create(
        operation("shell", job=shell_job(SHELL)),
        operation("python", job=python_job(PYTHON)),
        operation("small", job=endless_job("exit 0", grace_seconds=30)),
    )
    return reporting_stage


def test_a_shell_worker_reports_with_wget(stage):
    """Progress and a result of 6 KB, with what busybox has; the result is in a ConfigMap of the operation's own."""
    status = stage.settled("shell")

    assert status["phase"] == "Succeeded", status
    assert status["progress"]["summary"] == "3/10"
    result = status["result"]
    assert "value" not in result
    held = stage.api.get("configmaps", stage.namespace, result["ref"]["name"])
    raw = held["data"][result["ref"]["key"]].encode()
    assert json.loads(raw) == {"words": ["x" * 6000]}
    assert (result["bytes"], result["sha256"]) == (len(raw), hashlib.sha256(raw).hexdigest())
    assert held["immutable"] is True
    (owner,) = held["metadata"]["ownerReferences"]
    assert owner["uid"] == stage.operation("shell")["metadata"]["uid"]


def test_a_python_worker_reports_with_the_standard_library(stage):
    """900 KiB that are no text arrive byte for byte."""
    status = stage.settled("python")

    assert status["phase"] == "Succeeded", status
    assert status["progress"]["summary"] == "40%"
    assert (status["result"]["bytes"], status["result"]["contentType"]) == (900 * 1024, "image/png")
    assert "reported" not in status


def test_a_small_result_is_in_status(stage):
    """It is on record when it is acknowledged."""
    stage.started("small")
    reporter = stage.reporter("small")

    assert reporter.progress(done=1, total=4) == (202, {"accepted": True})
    code, answer = reporter.result(b'{"width": 800}')

    assert code == 200, answer
    assert stage.status("small")["reported"]["value"] == {"width": 800}
    assert reporter.result(b'{"width": 800}')[0] == 200
    assert reporter.result(b'{"width": 801}')[0] == 409
    wait_for(lambda: stage.status("small").get("progress"), 30, "progress is shown")
