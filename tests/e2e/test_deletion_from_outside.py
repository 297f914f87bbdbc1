"""Deletion of whole namespaces, deletion as the operator starts, and deletion where none runs."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.cluster.providers import Capability
from tests.support.history import deletion_of
from tests.support.operations import operation, shell_job
from tests.support.waiting import stays, wait_for
from tests.support.workers import endless_job, unschedulable_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

UNINSTALL = Path(__file__).resolve().parents[2] / "docs" / "uninstall.md"
FINALIZER = "alo-operator.io/cancel-work"
POLITE = 'printf "told to stop" > "$ALO_RESULT_FILE"; exit 42'


@pytest.fixture(scope="module")
def doomed(module_stage):
    """A stage whose namespace is being deleted with live, waiting and settled work in it.

    That takes Kubernetes half a minute: the first test starts it, the last one sees the end.
    """
    stage = module_stage
    stage.create(
        operation("live", job=endless_job(POLITE)),
        operation("retried", job=endless_job(backoffLimit=3)),
        operation("waiting", job=unschedulable_job()),
        operation("ended", job=shell_job("exit 0")),
    )
    stage.started("live")
    stage.started("retried")
    stage.settled("ended")
    (stage.pod,) = [one["metadata"]["name"] for one in stage.pods("live")]
    stage.since = stage.now()
    stage.api.delete("namespaces", stage.namespace)
    return stage


@pytest.mark.promise("DELETE-3")
def test_a_deleted_namespaces_workers_are_told_to_stop(doomed):
    """Deleting a namespace sends SIGTERM to the work in it."""
    wait_for(lambda: not doomed.pods("live"), 60, "the pod is gone")

    assert doomed.last_words(doomed.pod, doomed.since) == (42, "told to stop")


def test_deletion_as_the_operator_starts_leaves_nothing_behind(stage):
    """Operations that are deleted while the operator reads its first list go, and no Job of theirs stays."""
    names = [f"early-{number}" for number in range(4)]
    stage.create(*[operation(name, job=endless_job()) for name in names])
    replica = stage.operators.start(wait=False)
    stage.api.delete("asyncoperations", names[0], stage.namespace)
    replica.wait_ready()
    for name in names[1:]:
        stage.api.delete("asyncoperations", name, stage.namespace)

    wait_for(lambda: all(stage.gone(name) for name in names), 60, "all are gone")
    wait_for(lambda: not any(stage.jobs(name) or stage.pods(name) for name in names), 60, "no Job and no pod is left")


def freeing_commands():
    """The commands that docs/uninstall.md gives to people whose operator is gone."""
    blocks = re.findall(r"^```sh\n(.*?)^```", UNINSTALL.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    found = [block for block in blocks if FINALIZER in block]
    assert found, f"{UNINSTALL} has no shell commands that name {FINALIZER}"
    return found[0]


def run_as_user(stage, commands):
    """Run shell commands as a person would, but for this namespace alone: others use the cluster too."""
    assert "--all-namespaces" in commands
    here = commands.replace("--all-namespaces", f"--namespace {stage.namespace}")
    path = f"{stage.kubectl.binary.parent}{os.pathsep}{os.environ['PATH']}"
    environment = stage.kubectl.environment() | {"KUBECONFIG": str(stage.kubectl.kubeconfig), "PATH": path}
    done = subprocess.run(
        ["sh", "-euc", here], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.promise("DELETE-2", "DELETE-4")
def test_without_an_operator_settled_work_goes_and_live_work_waits_for_the_documented_commands(stage):
    """Uninstalled first, the operator leaves live work in Terminating; what docs/uninstall.md says frees it.

    The garbage collector then stops the work. Finalizers of other people stay.
    """
    replica = stage.operators.start()
    stage.create(operation("ended", job=shell_job("exit 0")), operation("live", job=endless_job(POLITE)))
    stage.started("live")
    stage.settled("ended")
    wait_for(lambda: not stage.operation("ended")["metadata"].get("finalizers"), 30, "the finalizer of ended is off")
    (pod,) = [one["metadata"]["name"] for one in stage.pods("live")]
    theirs = {"metadata": {"finalizers": ["example.com/theirs", FINALIZER]}}
    stage.api.patch("asyncoperations", "live", theirs, stage.namespace)
    replica.stop()
    since = stage.now()

    stage.kubectl("delete", "aop", "ended", "--timeout=10s")
    stage.kubectl("delete", "aop", "live", "--wait=false")
    stays(lambda: stage.operation("live")["metadata"]["deletionTimestamp"], 2, "the live operation is Terminating")
    assert FINALIZER in stage.operation("live")["metadata"]["finalizers"]

    run_as_user(stage, freeing_commands())

    assert stage.operation("live")["metadata"]["finalizers"] == ["example.com/theirs"]
    assert run_as_user(stage, freeing_commands()) == ""  # again: nothing left to do, no error
    stage.api.patch("asyncoperations", "live", {"metadata": {"finalizers": None}}, stage.namespace)
    wait_for(lambda: stage.gone("live"), 30, "the operation is gone")
    wait_for(lambda: not stage.jobs("live") and not stage.pods("live"), 60, "Job and pod are collected")
    assert stage.last_words(pod, since) == (42, "told to stop")


@pytest.mark.promise("DELETE-3")
def test_a_namespace_is_deleted_with_all_its_work(doomed):
    """Deletion does not hang, and every promise is settled before its object goes.

    Kubernetes deletes a namespace's pods before anything else, so live work may fail rather than be cancelled; with
    retries left it cannot make another pod.
    """
    wait_for(lambda: doomed.api.get("namespaces", name=doomed.namespace) is None, 90, "the namespace is gone")

    events = doomed.events("asyncoperations", doomed.since)
    for name in ("live", "retried", "waiting"):
        last = deletion_of(events, name).object["status"]
        assert last["promise"] == "Rejected", last
