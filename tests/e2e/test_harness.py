"""What every other test of this tier leans on: real containers from images that are never pulled."""

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import python_job, shell_job
from tests.support.waiting import wait_for

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)


def end_of(api, namespace, name, job):
    """Create the Job and return how its container ended."""
    api.create("jobs", {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}} | job, namespace)

    def terminated():
        pods = api.list("pods", namespace, labelSelector=f"job-name={name}")
        states = [status.get("state", {}) for pod in pods for status in pod["status"].get("containerStatuses", [])]
        return next((state["terminated"] for state in states if "terminated" in state), None)

    return wait_for(terminated, timeout=60, describe=f"the container of Job {name} has ended")


def test_a_shell_script_leaves_its_message_and_exit_code(api, namespace, kubectl):
    """A real container's exit code, termination message and log can be read."""
    end = end_of(api, namespace, "shell", shell_job("echo hello; printf '{\"n\": 1}' > /dev/termination-log; exit 3"))

    assert (end["exitCode"], end["message"]) == (3, '{"n": 1}')
    assert kubectl("logs", "job/shell").stdout == "hello\n"


def test_a_python_program_runs_with_its_standard_library(api, namespace):
    """Workers in Python find json, hashlib and ssl in the image."""
    script = "import hashlib, json, ssl; open('/dev/termination-log', 'w').write(json.dumps({'ok': True}))"

    end = end_of(api, namespace, "python", python_job(script))

    assert (end["exitCode"], end["message"]) == (0, '{"ok": true}')
