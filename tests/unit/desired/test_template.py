"""Operations of templates, from the first look to the judged result."""

from dataclasses import replace

import pytest

from alo_operator.api.conditions import ConditionType, Reason
from alo_operator.desired.adoption import adoption_annotations
from alo_operator.desired.job import build_job
from alo_operator.desired.job_view import JobView
from alo_operator.desired.observed import Notes, Refusal
from alo_operator.desired.plan import plan
from alo_operator.desired.steps import AddFinalizer, CreateJob, Look, Plan, PostEvent, WriteStatus
from alo_operator.desired.template import input_variables
from alo_operator.desired.verdict import MATCH, Finding, Verdict
from alo_operator.errors import InvalidInput
from tests.support.builders import at, make_job, make_observed, make_operation, make_pod
from tests.support.building_templates import make_template
from tests.support.plans import condition, kinds, only, states, written


def asked(**spec):
    """An operation of `resize-image`."""
    return make_operation().spec(templateRef={"name": "resize-image"}, job=None, **spec)


def observed(template, operation=None, **known):
    return replace(make_observed(operation or asked()), template=template.view(), **known)


def job_of(template, operation=None):
    """Its Job as the API server has it."""
    made = make_job(operation or asked())
    made._body["metadata"]["annotations"] = adoption_annotations(template.view())
    return made


def failure(decided):
    """The failure of an operation that is settled without a Job."""
    assert kinds(decided) == [WriteStatus, PostEvent]
    return written(decided).failure


def test_an_unknown_template_is_looked_for():
    """The cache may lag behind."""
    assert plan(make_observed(asked()), at(0)) == Plan(look=Look.TEMPLATE)


@pytest.mark.promise("TPL-6")
def test_a_missing_template_is_said_once_and_waited_for():
    """Nothing stalls, and nothing is made; the same again says nothing."""
    operation = asked()
    missing = replace(make_observed(operation), template_gone=True)

    decided = plan(missing, at(0))

    assert kinds(decided) == [WriteStatus]
    found = states(written(decided))
    assert (found["Accepted"], found["Ready"]) == ("False/TemplateNotFound", "False/TemplateNotFound")
    assert (found["Reconciling"], "Stalled" in found) == ("True/TemplateNotFound", False)
    again = replace(make_observed(operation.having(written(decided))), template_gone=True)
    assert plan(again, at(9)) == Plan(in_line=False)
    edited = replace(make_observed(operation.generation(2)), template_gone=True)
    assert kinds(plan(edited, at(9))) == [WriteStatus]


def test_the_job_is_the_templates_with_what_the_operation_takes_up():
    """The template's pod, the operation's limits over the template's, and all of it written onto the Job."""
    template = make_template().generation(3).spec(timeouts={"scheduleToStart": "1m", "startToClose": "1h"})
    operation = asked(timeouts={"startToClose": "2h"}, input={"width": 3})

    manifest = only(plan(observed(template, operation), at(0)), CreateJob).manifest

    assert manifest["spec"]["template"]["spec"]["containers"][0]["image"] == "example.test/resize:1"
    assert manifest["spec"]["activeDeadlineSeconds"] == 60 + 7200 + 60
    adopted = JobView.from_body(manifest).adopted
    assert (adopted.template.generation, adopted.timeouts.start_to_close) == (3, "1h")


def test_nothing_of_the_template_is_in_status_before_the_job():
    """Another state of the template may be the one it is made from."""
    template = make_template().spec(timeouts={"scheduleToClose": "2h"})

    decided = plan(observed(template, asked(suspend=True)), at(0))

    status = written(decided)
    assert (status.phase, status.template, status.effective) == ("Paused", None, None)
    assert decided.wake == at(7200)


@pytest.mark.promise("TPL-7")
def test_status_says_what_the_job_was_made_from():
    """Not what the template says by now."""
    then, now = (make_template().generation(g).spec(timeouts={"startToClose": t}) for g, t in ((1, "1h"), (2, "1s")))
    operation = asked().with_finalizer()
    seen = replace(make_observed(operation, job_of(then).ready()), template=now.view())
    seen = replace(seen, notes=Notes(started_seen=at(0)))

    status = written(plan(seen, at(5)))

    assert (status.template.generation, status.effective.timeouts.start_to_close) == (1, "1h")
    later = replace(make_observed(operation.having(status), job_of(then).ready()), template=now.view())
    assert plan(later, at(60)).wake == at(3605)


def test_defaults_of_the_template_end_an_operation_that_waits():
    """They apply from the creation on."""
    template = make_template().spec(timeouts={"scheduleToStart": "10s"}, concurrency={"limit": 1})

    assert plan(observed(template, turn=False), at(5)).wake == at(10)
    assert failure(plan(observed(template, turn=False), at(11))).reason == Reason.SCHEDULE_TO_START_TIMEOUT


def test_schemas_are_asked_before_the_turn_and_the_turn_before_any_write():
    """Who cannot run takes nobody's place."""
    template = make_template().spec(inputSchema={}, concurrency={"limit": 1})

    assert plan(observed(template), at(0)) == Plan(look=Look.INPUT)
    assert plan(observed(template, input_verdict=MATCH), at(0)) == Plan(look=Look.TURN)
    assert plan(observed(template, input_verdict=MATCH, turn=False), at(0)) == Plan()
    decided = plan(observed(template, input_verdict=MATCH, turn=True), at(0))
    assert kinds(decided) == [AddFinalizer, CreateJob]


@pytest.mark.parametrize(
    ("finding", "reason", "retryable"),
    [(Finding.MISMATCH, Reason.INVALID_INPUT, False), (Finding.UNUSABLE, Reason.INVALID_TEMPLATE, True)],
)
def test_an_input_that_is_refused_ends_the_operation(finding, reason, retryable):
    """Whose fault it is shows in the reason; status says which state of the template has judged."""
    template = make_template().spec(inputSchema={}).generation(4)

    decided = plan(observed(template, input_verdict=Verdict(finding, "at /width: no")), at(0))

    found = failure(decided)
    assert (found.reason, found.retryable, "at /width: no" in found.message) == (reason, retryable, True)
    assert written(decided).template.generation == 4


def test_an_unusable_template_ends_the_operation():
    """What our rules or the API server refuse in its Job is laid at its door."""
    refused = Notes(refusal=Refusal(Reason.INVALID_JOB, "spec.template.spec.containers: Required value"))
    for seen in (
        observed(make_template().spec(env=[{"name": "ALO_X", "fromInput": "x"}])),
        observed(make_template().job_spec(selector={})),
        observed(make_template(), notes=refused),
    ):
        assert failure(plan(seen, at(0))).reason == Reason.INVALID_TEMPLATE


def test_who_waits_says_so_only_to_those_who_wait_for_it():
    """A gate at the acceptance opens; a template that was missing is not any more."""
    template = make_template().spec(concurrency={"limit": 1})
    gated = asked(readyWhen="Accepted")

    status = written(plan(observed(template, gated, turn=False), at(0)))

    assert states(status)["Ready"] == "True/Accepted"
    assert plan(observed(template, gated.having(status), turn=False), at(9)) == Plan()
    lost = asked()
    lost.having(written(plan(replace(make_observed(lost), template_gone=True), at(0))))
    status = written(plan(observed(template, lost, turn=False), at(1)))
    assert states(status)["Accepted"] == "True/Accepted"


def test_who_cannot_go_on_leaves_the_line():
    """Paused before the start, refused by us, or without its template."""
    template = make_template().spec(concurrency={"limit": 1})
    assert not plan(observed(template, asked(suspend=True)), at(0)).in_line
    assert not plan(replace(make_observed(asked()), template_gone=True), at(0)).in_line
    assert plan(observed(template, turn=False), at(0)).in_line


def ended(message, template):
    """A finished Job of `template`, and its pod with its last words."""
    operation = asked().with_finalizer()
    pod = make_pod().succeeded(message=message) if message is not None else None
    job = job_of(template, operation).completed(at(9))
    return make_observed(operation, job, [pod] if pod else [])


def test_a_result_is_asked_about_and_judged():
    """The plan says what is to be judged; a match settles, a mismatch rejects with the place."""
    template = make_template().spec(resultSchema={"type": "integer"})
    seen = ended("3", template)

    first = plan(seen, at(10))

    assert (first.look, first.asked.value) == (Look.RESULT, 3)
    assert written(plan(replace(seen, result_verdict=MATCH), at(10))).result.value == 3
    bad = written(plan(replace(seen, result_verdict=Verdict(Finding.MISMATCH, "at /: no")), at(10)))
    assert (bad.failure.reason, bad.failure.type, bad.result) == (Reason.INVALID_RESULT, "WorkerFailed", None)
    assert bad.attempts.count == 1
    costly = written(plan(replace(seen, result_verdict=Verdict(Finding.UNUSABLE, "too much")), at(10)))
    assert costly.failure.reason == Reason.INVALID_TEMPLATE


def test_a_promised_result_that_is_missing_is_a_failure():
    """Not given by the worker, or lost with its pod; without a promise both succeed."""
    judged, free = make_template().spec(resultSchema={}), make_template()
    assert written(plan(ended("", judged), at(10))).failure.reason == Reason.INVALID_RESULT
    assert written(plan(ended(None, judged), at(10))).failure.reason == Reason.RESULT_LOST
    assert condition(written(plan(ended(None, free), at(10))), ConditionType.SUCCEEDED).status == "True"


def variables(env, given):
    template = make_template().spec(env=[{"name": n, "fromInput": f} for n, f in env.items()])
    return {one["name"]: one["value"] for one in input_variables(template.view(), given)}


@pytest.mark.promise("TPL-4")
def test_variables_take_strings_as_they_are_and_the_rest_as_json():
    """A missing field makes none; a dollar is doubled, so that the kubelet replaces nothing."""
    env = {"A": "a", "B": "b", "C": "c", "D": "missing", "E": "e"}
    given = {"a": "x $(HOME) $$", "b": 3, "c": {"k": [None, True]}, "e": None}

    assert variables(env, given) == {"A": "x $$(HOME) $$$$", "B": "3", "C": '{"k":[null,true]}', "E": "null"}


def test_variables_that_cannot_be_are_refused():
    """A NUL no variable can hold; one field in many variables adds up."""
    with pytest.raises(InvalidInput, match="NUL"):
        variables({"A": "a"}, {"a": "x\0"})
    with pytest.raises(InvalidInput, match="may take 65536"):
        variables({f"V{n}": "a" for n in range(64)}, {"a": "x" * 2000})


def test_an_input_variable_goes_before_the_templates_own():
    """It replaces one of the same name, and those that remain may refer to it."""
    template = make_template().spec(env=[{"name": "WIDTH", "fromInput": "width"}])
    template.worker(env=[{"name": "WIDTH", "value": "1"}, {"name": "SIZE", "value": "$(WIDTH)px"}])
    for given, width in (({"width": 3}, "3"), ({}, "1")):
        job = build_job(asked(input=given).view(), template=template.view())
        env = job["spec"]["template"]["spec"]["containers"][0]["env"]
        assert [(v["name"], v["value"]) for v in env if v["name"] in ("WIDTH", "SIZE")] == [
            ("WIDTH", width),
            ("SIZE", "$(WIDTH)px"),
        ]
