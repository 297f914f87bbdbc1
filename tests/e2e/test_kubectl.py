"""What people do with kubectl: apply again, change, wait, look."""

import re

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation, shell_job
from tests.support.waiting import wait_for
from tests.support.workers import endless_job, result_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

CLIENT_SIDE = operation("client-side", job=result_job("echo '{\"ok\": true}'"), input={"width": 800})
SERVER_SIDE = operation("server-side", job=result_job("echo '{\"ok\": true}'"), input={"width": 800})
LONG = operation("long", job=endless_job(), input={"width": 800}, timeouts={"scheduleToStart": "10m"})
FAILING = operation("failing", job=shell_job("echo 'disk full'; exit 2"))
WITHOUT_INPUT = operation("without-input", job=shell_job("exit 0"))


@pytest.fixture(scope="module")
def stage(module_stage):
    assert module_stage.kubectl.apply([CLIENT_SIDE, LONG, FAILING, WITHOUT_INPUT]).stdout.count(" created") == 4
    module_stage.kubectl.apply(SERVER_SIDE, "--server-side")
    return module_stage


def is_at_rest(stage, name):
    """Wait for the outcome and for the operator's last write."""
    stage.settled(name)
    wait_for(lambda: not stage.operation(name)["metadata"].get("finalizers"), 30, f"the finalizer of {name} is off")


@pytest.mark.promise("ID-2", "ID-5")
def test_applying_again_while_it_runs_does_nothing(stage):
    """A second apply of running work says unchanged, leaves the object as it is, and the diff is empty."""
    stage.started("long")
    wait_for(lambda: stage.status("long")["phase"] == "Running", 30, "the operation is Running")
    before = stage.operation("long")

    assert stage.kubectl.apply(LONG).stdout.strip().endswith("unchanged")
    assert stage.kubectl("diff", "-f", "-", input=LONG).code == 0
    assert stage.operation("long")["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert len(stage.jobs("long")) == len(stage.pods("long")) == 1


@pytest.mark.promise("ID-1", "ID-2", "ID-5")
def test_applying_again_after_the_end_does_not_run_it_again(stage):
    """A client-side apply of settled work says unchanged, the diff is empty, and the work ran once."""
    is_at_rest(stage, "client-side")
    (job,) = stage.jobs("client-side")

    assert stage.kubectl.apply(CLIENT_SIDE).stdout.strip().endswith("unchanged")
    assert stage.kubectl("diff", "-f", "-", input=CLIENT_SIDE).code == 0
    assert [one["metadata"]["uid"] for one in stage.jobs("client-side")] == [job["metadata"]["uid"]]
    assert len(stage.pods("client-side")) == 1


@pytest.mark.promise("ID-2", "ID-5")
def test_applying_again_server_side_changes_nothing(stage):
    """A second server-side apply leaves the object as it was, the diff is empty, and the work ran once."""
    is_at_rest(stage, "server-side")
    before = stage.operation("server-side")["metadata"]["resourceVersion"]

    stage.kubectl.apply(SERVER_SIDE, "--server-side")

    assert stage.operation("server-side")["metadata"]["resourceVersion"] == before
    assert stage.kubectl("diff", "--server-side", "-f", "-", input=SERVER_SIDE).code == 0
    assert len(stage.jobs("server-side")) == len(stage.pods("server-side")) == 1


@pytest.mark.promise("ID-3")
@pytest.mark.parametrize(
    "changed",
    [
        operation("long", job=endless_job(), input={"width": 801}, timeouts={"scheduleToStart": "10m"}),
        operation("long", job=endless_job(), timeouts={"scheduleToStart": "10m"}),
        operation("long", job=endless_job("exit 1"), input={"width": 800}, timeouts={"scheduleToStart": "10m"}),
        operation("long", job=endless_job(), input={"width": 800}, timeouts={"scheduleToStart": "20m"}),
        operation("long", template="resize-image", input={"width": 800}, timeouts={"scheduleToStart": "10m"}),
        operation("client-side", job=result_job("echo '{\"ok\": true}'"), input={"width": 801}),
        operation("without-input", job=shell_job("exit 0"), input={"width": 800}),
    ],
    ids=["input", "no input", "job", "timeouts", "job to template", "input after the end", "input added"],
)
def test_changed_work_under_an_old_name_is_refused(stage, changed):
    """What defines the work cannot be changed, added or removed, and the refusal says what to do instead."""
    refused = stage.kubectl.apply(changed, check=False)

    assert refused.code == 1
    assert "new name" in refused.stderr


@pytest.mark.promise("STATUS-3")
def test_waiting_for_completion_returns_for_a_success(stage):
    """`kubectl wait --for=condition=Completed` needs no knowledge of outcomes."""
    assert stage.kubectl("wait", "--for=condition=Completed", "aop/client-side", "--timeout=60s").code == 0
    assert stage.kubectl("wait", "--for=condition=Ready", "aop/client-side", "--timeout=5s").code == 0


@pytest.mark.promise("STATUS-3", "STATUS-4")
def test_waiting_for_completion_returns_for_a_failure(stage):
    """A failed operation completes too; waiting for its success does not pretend."""
    assert stage.kubectl("wait", "--for=condition=Completed", "aop/failing", "--timeout=60s").code == 0
    assert stage.kubectl("wait", "--for=condition=Succeeded=false", "aop/failing", "--timeout=5s").code == 0
    assert stage.kubectl("wait", "--for=jsonpath={.status.phase}=Failed", "aop/failing", "--timeout=5s").code == 0


def table(stage, *flags):
    """The table of `kubectl get aop`: one list of cells for each line; columns are two blanks apart or more."""
    text = stage.kubectl("get", "aop", *flags).stdout
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines()]


def test_the_table_can_be_read(stage):
    """Each row tells phase, reason and times at a glance."""
    is_at_rest(stage, "failing")
    header, row = table(stage, "failing")

    assert header == ["NAME", "PHASE", "PROGRESS", "REASON", "STARTED", "FINISHED", "AGE"]
    assert [row[0], row[1], row[2]] == ["failing", "Failed", "NonZeroExit"]  # an empty cell is blank
    assert all(re.fullmatch(r"\d+m?\d*s?", age) for age in row[3:])
    assert len(row) == 6


def test_the_wide_table_tells_the_job_and_the_whole_reason(stage):
    """With -o wide nobody has to read YAML to learn what happened."""
    is_at_rest(stage, "failing")
    text = stage.kubectl("get", "aop", "failing", "-o", "wide").stdout

    assert text.splitlines()[0].split()[-3:] == ["TEMPLATE", "JOB", "MESSAGE"]
    assert stage.job("failing")["metadata"]["name"] in text
    assert "container main exited with code 2: disk full" in text


@pytest.mark.promise("STATUS-6")
def test_the_server_filters_by_phase(stage):
    """A field selector on the phase finds the failed operation and nothing else."""
    is_at_rest(stage, "failing")

    found = stage.kubectl("get", "aop", "--field-selector", "status.phase=Failed", "-o", "name").stdout.split()

    assert found == ["asyncoperation.alo-operator.io/failing"]


@pytest.mark.promise("FAIL-5")
def test_a_failure_shows_among_the_objects_events(stage):
    """`kubectl describe` ends with the one Event that says why."""
    is_at_rest(stage, "failing")

    def described():
        text = stage.kubectl("describe", "aop", "failing").stdout
        assert re.search(r"Warning\s+NonZeroExit\s.*disk full", text), text
        return True

    wait_for(described, 15, "the Event is there")


@pytest.mark.promise("STATUS-1", "STATUS-6")
def test_operations_that_nobody_has_seen_are_found_as_pending(stage):
    """Where no operator runs, an operation shows and is found as Pending."""
    stage.operators.started[0].pause()
    try:
        stage.kubectl.apply(operation("unseen", job=shell_job("exit 0")))
        found = stage.kubectl("get", "aop", "--field-selector", "status.phase=Pending", "-o", "name").stdout.split()
        _, row = table(stage, "unseen")
    finally:
        stage.operators.started[0].thaw()

    assert found == ["asyncoperation.alo-operator.io/unseen"]
    assert row[:2] == ["unseen", "Pending"]
    assert stage.settled("unseen")["phase"] == "Succeeded"
