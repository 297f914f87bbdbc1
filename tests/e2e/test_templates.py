"""Operations of templates: what they take up, what they are refused for, and what an edit changes."""

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation, shell_job, template
from tests.support.waiting import wait_for
from tests.support.workers import endless_job, pod_spec, result_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

INPUT_SCHEMA = {
    "type": "object",
    "properties": {"width": {"type": "integer", "minimum": 1}},
    "required": ["width"],
    "additionalProperties": False,
}
COUNT_SCHEMA = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
# Waits for SIGTERM, or for nobody: what runs when its template is changed.
SLOW = endless_job("exit 0", grace_seconds=3)
SLOW_COUNT = result_job("sleep 3; echo '{\"count\": 1}'")
ECHO = (
    'printf \'{"width": "%s", "label": "%s", "note": "%s", "flags": "%s", "id": "%s"}\' '
    '"$WIDTH" "$LABEL" "${NOTE-absent}" "$(echo "$FLAGS" | sed s/\\"/q/g)" "$ALO_ID"'
)


def with_env(job, **variables):
    pod_spec(job)["containers"][0]["env"] = [{"name": name, "value": value} for name, value in variables.items()]
    return job


TEMPLATES = (
    template(
        "echo",
        job=with_env(result_job(ECHO), WIDTH="set by the template", SECRET="do not tell"),
        env=[
            {"name": "WIDTH", "fromInput": "width"},
            {"name": "LABEL", "fromInput": "label"},
            {"name": "NOTE", "fromInput": "note"},
            {"name": "FLAGS", "fromInput": "flags"},
        ],
        timeouts={"scheduleToClose": "2h", "startToClose": "1h"},
        retention={"record": "720h"},
    ),
    template("strict", job=result_job("echo 1"), inputSchema=INPUT_SCHEMA),
    template("counts", job=result_job("cat /alo/in/input.json"), resultSchema=COUNT_SCHEMA),
    template("slow-count", job=SLOW_COUNT, resultSchema=COUNT_SCHEMA),
    template("silent", job=shell_job("exit 0"), resultSchema=COUNT_SCHEMA),
    template("edited", job=SLOW, timeouts={"startToClose": "1h"}),
    template("removed", job=result_job("sleep 4; echo 1"), resultSchema={"type": "integer"}),
    template("hurried", job=SLOW, timeouts={"startToClose": "2s"}),
    template("refused", job=result_job("echo 1", selector={"matchLabels": {}})),
    template("impossible", job=shell_job("exit 0", backoffLimit="many")),
)
OPERATIONS = (
    operation("echo", template="echo", input={"width": 800, "label": "$(SECRET) $$ $(ALO_ID)", "flags": ["a", None]}),
    operation("echo-own", template="echo", input={}, timeouts={"scheduleToClose": "3h"}),
    operation("fits", template="strict", input={"width": 3}),
    operation("misfits", template="strict", input={"width": "wide"}),
    operation("lacks", template="strict"),
    operation("counts", template="counts", input={"count": 3}),
    operation("miscounts", template="counts", input={"count": "three"}),
    operation("silent", template="silent"),
    operation("runs-on", template="edited"),
    operation("held-back", template="edited", suspend=True),
    operation("outlives", template="removed"),
    operation("hurried", template="hurried"),
    operation("orphan", template="nowhere"),
    operation("orphan-paused", template="nowhere", suspend=True),
    operation("orphan-cancelled", template="nowhere"),
    operation("orphan-late", template="nowhere", timeouts={"scheduleToStart": "3s"}),
    operation("refused", template="refused"),
    operation("impossible", template="impossible"),
)


@pytest.fixture(scope="module")
def stage(module_stage):
    module_stage.since = module_stage.now()
    for manifest in TEMPLATES:
        module_stage.api.create("operationtemplates", manifest, module_stage.namespace)
    module_stage.create(*OPERATIONS)
    return module_stage


def failed(stage, name):
    """The failure of an operation that never got a Job."""
    status = stage.settled(name)
    assert (status["phase"], "job" in status, stage.jobs(name)) == ("Failed", False, []), status
    return status["failure"]


@pytest.mark.promise("TPL-1", "TPL-4")
def test_the_input_becomes_variables_and_nothing_else(stage):
    """Strings as they are, other values as JSON, what is absent as the template has it; $(...) is no reference."""
    assert stage.settled("echo")["result"]["value"] == {
        "width": "800",
        "label": "$(SECRET) $$ $(ALO_ID)",
        "note": "absent",
        "flags": "[qaq,null]",
        "id": "echo",
    }
    assert stage.settled("echo-own")["result"]["value"]["width"] == "set by the template"


@pytest.mark.promise("TPL-5")
def test_defaults_of_the_template_apply_one_by_one(stage):
    """A timeout that the operation gives itself counts, the others are the template's; status shows both and whose."""
    taken, own = stage.settled("echo"), stage.settled("echo-own")

    assert taken["effective"]["timeouts"] == {"scheduleToClose": "2h", "startToClose": "1h"}
    assert own["effective"]["timeouts"] == {"scheduleToClose": "3h", "startToClose": "1h"}
    assert taken["effective"]["retention"]["record"] == "720h"
    assert taken["template"]["generation"] == 1
    assert taken["template"]["digest"].startswith("v1:sha256:")
    assert taken["template"]["retention"] == {"record": "720h"}
    assert "templateRef" in stage.operation("echo")["spec"]
    assert "timeouts" not in stage.operation("echo")["spec"]


@pytest.mark.promise("TPL-5")
def test_a_timeout_of_the_template_ends_the_work(stage):
    """As one of the operation's own would."""
    status = stage.settled("hurried")

    assert (status["phase"], status["failure"]["reason"]) == ("TimedOut", "StartToCloseTimeout")


@pytest.mark.promise("TPL-2")
def test_an_input_that_does_not_match_is_refused_with_the_place(stage):
    """No Job is made; the message names the field and what is expected there."""
    failure = failed(stage, "misfits")

    assert (failure["type"], failure["reason"], failure["retryable"]) == ("InvalidRequest", "InvalidInput", False)
    assert 'at /width: the value is not of type "integer" (it is "wide")' in failure["message"]
    assert '"width" is a required property' in failed(stage, "lacks")["message"]
    assert stage.settled("fits")["phase"] == "Succeeded"


@pytest.mark.promise("TPL-3")
def test_a_result_that_does_not_match_is_a_failure(stage):
    """The worker exited 0, and the promise is rejected all the same, naming the place."""
    assert stage.settled("counts")["result"]["value"] == {"count": 3}

    status = stage.settled("miscounts")

    assert (status["phase"], status["failure"]["type"], status["failure"]["reason"]) == (
        "Failed",
        "WorkerFailed",
        "InvalidResult",
    )
    assert 'at /count: the value is not of type "integer"' in status["failure"]["message"]
    assert "result" not in status
    assert status["attempts"]["count"] == 1


@pytest.mark.promise("TPL-3")
def test_a_promised_result_that_is_not_given_is_a_failure(stage):
    """Exit 0 and nothing written breaks a resultSchema."""
    failure = stage.settled("silent")["failure"]

    assert (failure["reason"], "gave no result" in failure["message"]) == ("InvalidResult", True)


@pytest.mark.promise("TPL-3", "RESULT-4")
def test_a_lost_result_is_a_failure_only_where_one_was_promised(stage):
    """The Job is Complete and its pod gone before an operator has read it: the work is not run again, either way."""
    stage.create(operation("lost", template="slow-count"), operation("lost-freely", job=SLOW_COUNT))
    names, operator = ("lost", "lost-freely"), stage.operators.started[0]
    for name in names:
        stage.job(name)
    operator.pause()
    try:
        for name in names:
            wait_for(lambda name=name: complete(stage.job(name)), 60, f"the Job of {name} is Complete")
            for pod in stage.pods(name):
                stage.api.delete("pods", pod["metadata"]["name"], stage.namespace)
            wait_for(lambda name=name: not stage.pods(name), 30, f"the pod of {name} is gone")
    finally:
        operator.thaw()

    failure = stage.settled("lost")["failure"]
    assert (failure["type"], failure["reason"]) == ("InfrastructureFailed", "ResultLost")
    stage.has_condition("lost-freely", "Succeeded", "True", "ResultLost")
    assert [len(stage.jobs(name)) for name in names] == [1, 1]


def complete(job):
    return any(one["type"] == "Complete" for one in job.get("status", {}).get("conditions", []))


def test_a_template_that_can_never_run_is_named(stage):
    """What our own rules or the API server refuse in its Job is the template's fault, and says so."""
    for name, words in (("refused", "selector cannot be set"), ("impossible", "backoffLimit")):
        failure = failed(stage, name)
        assert (failure["type"], failure["reason"], failure["retryable"]) == ("InvalidRequest", "InvalidTemplate", True)
        assert f"OperationTemplate {name}" in failure["message"]
        assert words in failure["message"]


@pytest.mark.promise("TPL-7")
def test_an_edit_touches_only_what_has_not_started(stage):
    """The one that runs keeps its timeouts and its generation; the one held back starts with the new ones."""
    stage.started("runs-on")
    stage.has_condition("held-back", "Suspended", "True", "Paused")
    assert "template" not in stage.status("held-back")
    stage.api.patch(
        "operationtemplates",
        "edited",
        {"spec": {"timeouts": {"startToClose": "1s"}, "resultSchema": {"type": "integer"}}},
        stage.namespace,
    )
    stage.edit("held-back", suspend=False)

    late = stage.settled("held-back")

    assert (late["failure"]["reason"], late["template"]["generation"]) == ("StartToCloseTimeout", 2)
    running = stage.status("runs-on")
    assert (running["phase"], running["template"]["generation"]) == ("Running", 1)
    assert running["effective"]["timeouts"] == {"startToClose": "1h"}
    stage.edit("runs-on", cancel={"reason": "seen enough"})
    assert stage.settled("runs-on")["phase"] == "Cancelled"


@pytest.mark.promise("TPL-7")
def test_operations_outlive_their_template(stage):
    """It is deleted while they run: they run on, and what it promised still holds."""
    stage.job("outlives")
    stage.api.delete("operationtemplates", "removed", stage.namespace)

    status = stage.settled("outlives")

    assert (status["phase"], status["result"]["value"]) == ("Succeeded", 1)


@pytest.mark.promise("TPL-6")
def test_a_missing_template_is_waited_for(stage):
    """Accepted is False and says what is missing; nothing stalls; timeouts, pause and cancel work meanwhile."""
    said = stage.has_condition("orphan", "Accepted", "False", "TemplateNotFound")
    assert "there is no OperationTemplate nowhere in namespace" in said["message"]
    assert stage.condition("orphan", "Reconciling")["status"] == "True"
    assert stage.condition("orphan", "Stalled") == {}
    assert "finalizers" not in stage.operation("orphan")["metadata"]
    assert stage.settled("orphan-late")["failure"]["reason"] == "ScheduleToStartTimeout"
    stage.has_condition("orphan-paused", "Suspended", "True", "Paused")
    stage.edit("orphan-cancelled", cancel={"reason": "no such thing"})
    assert stage.settled("orphan-cancelled")["phase"] == "Cancelled"

    stage.api.create("operationtemplates", template("nowhere", job=result_job("echo 7")), stage.namespace)

    assert stage.settled("orphan")["result"]["value"] == 7
    assert stage.condition("orphan", "Accepted")["status"] == "True"
    stage.edit("orphan-paused", suspend=False)
    assert stage.settled("orphan-paused")["result"]["value"] == 7
    assert stage.jobs("orphan-late") == stage.jobs("orphan-cancelled") == []


@pytest.mark.promise("STATUS-6")
def test_kubectl_shows_and_selects_by_template(stage):
    """A wide column names it, and the API server selects by it."""
    selected = stage.kubectl("get", "aop", "--field-selector", "spec.templateRef.name=strict", "-o", "name").stdout
    assert sorted(line.rpartition("/")[2] for line in selected.split()) == ["fits", "lacks", "misfits"]
    head, *rows = stage.kubectl("get", "aop", "-o", "wide").stdout.splitlines()
    assert "TEMPLATE" in head
    assert all("strict" in row for row in rows if row.startswith(("fits", "lacks", "misfits")))
