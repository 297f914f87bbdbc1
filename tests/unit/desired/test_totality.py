"""Whatever anybody writes into an object, a plan comes of it, and the same plan every time."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alo_operator.api.model import to_wire
from alo_operator.api.phases import Phase, Promise
from alo_operator.api.status import OperationStatus
from alo_operator.desired.adoption import Adopted
from alo_operator.desired.job_view import JobView
from alo_operator.desired.observed import Notes, Observed, OperationView
from alo_operator.desired.plan import plan
from alo_operator.desired.pod_view import PodView
from alo_operator.desired.steps import CreateJob, WriteStatus
from alo_operator.desired.template_view import TemplateView
from alo_operator.desired.verdict import Finding, Verdict
from tests.support.builders import NOON, UID, at, make_job, make_operation, make_pod
from tests.support.building_templates import make_template
from tests.support.plans import condition

TIMES = st.sampled_from(
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:20Z",
        "2026-03-01T11:00:00.5Z",
        "1970-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "soon",
    ]
)
OUR_TIMES = st.sampled_from(["2026-03-01T12:00:00Z", "2026-03-01T12:00:20Z", "soon"])
WORDS = st.sampled_from(
    ["", "True", "False", "Complete", "Failed", "Succeeded", "Running", "Pending", "x" * 5000, "é\n"]
)
NUMBERS = st.sampled_from([0, 1, 2, -1, 10**30, 0.5]) | st.integers(0, 5)
RUBBISH = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS | TIMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def fields(**known):
    """An object of known fields, any of them absent or rubbish."""
    return st.fixed_dictionaries({}, optional={key: value | RUBBISH for key, value in known.items()})


CONTAINER = fields(name=st.just("main"), image=WORDS, env=RUBBISH, volumeMounts=RUBBISH)
POD_SPEC = fields(
    restartPolicy=st.just("Never"),
    containers=st.lists(CONTAINER, max_size=2),
    volumes=RUBBISH,
    terminationGracePeriodSeconds=NUMBERS,
)
POD_TEMPLATE = fields(metadata=fields(labels=RUBBISH, annotations=RUBBISH), spec=POD_SPEC)
JOB_SPEC = fields(
    suspend=st.booleans(),
    activeDeadlineSeconds=NUMBERS,
    template=POD_TEMPLATE,
    completions=NUMBERS,
    completionMode=st.just("Indexed"),
    selector=RUBBISH,
)
LIMITS = st.sampled_from(["0", "5s", "999999h"])
SPEC = fields(
    job=fields(metadata=fields(labels=RUBBISH, annotations=RUBBISH), spec=JOB_SPEC),
    input=RUBBISH,
    metadata=RUBBISH,
    timeouts=fields(scheduleToStart=LIMITS, startToClose=LIMITS, scheduleToClose=LIMITS),
    suspend=st.booleans(),
    cancel=fields(reason=WORDS),
    readyWhen=st.sampled_from(["Accepted", "Started", "Succeeded"]),
    callbacks=RUBBISH,
)
TEMPLATED = fields(
    templateRef=st.just({"name": "t"}),
    input=RUBBISH | fields(width=RUBBISH),
    timeouts=fields(startToClose=LIMITS),
    suspend=st.booleans(),
    readyWhen=st.sampled_from(["Accepted", "Started", "Succeeded"]),
)
TEMPLATE_SPEC = fields(
    job=fields(metadata=fields(annotations=RUBBISH), spec=JOB_SPEC),
    env=st.just([{"name": "WIDTH", "fromInput": "width"}]),
    inputSchema=RUBBISH | st.just({}),
    resultSchema=RUBBISH | st.just({}),
    timeouts=fields(scheduleToStart=LIMITS, startToClose=LIMITS),
    retention=fields(job=LIMITS),
    concurrency=st.just({"limit": 1}),
)
TYPES = st.sampled_from(["Started", "Suspended", "Succeeded", "Ready"])
CONDITION = fields(type=WORDS | TYPES, status=WORDS, lastTransitionTime=TIMES, reason=WORDS, message=WORDS)
STATUS = fields(
    observedGeneration=st.integers(-1, 3),
    phase=st.sampled_from(list(Phase)),
    promise=st.sampled_from(list(Promise)),
    conditions=st.lists(CONDITION, max_size=2),
    job=fields(name=st.just("j"), uid=WORDS),
    cancellation=fields(
        requestTime=TIMES, source=st.sampled_from(["Deletion", "Timeout", "Failure", "Spec", "New"]), reason=WORDS
    ),
    progress=fields(done=NUMBERS, total=NUMBERS, updateTime=OUR_TIMES),
)
ENDED = fields(exitCode=NUMBERS, reason=WORDS, message=WORDS, startedAt=TIMES, finishedAt=TIMES)
STATE = fields(waiting=fields(reason=WORDS, message=WORDS), running=fields(startedAt=TIMES), terminated=ENDED)
POD_STATUS = fields(
    phase=WORDS,
    reason=WORDS,
    message=WORDS,
    conditions=st.lists(CONDITION, max_size=2),
    containerStatuses=st.lists(fields(name=st.just("main"), state=STATE), max_size=2),
)
JOB_STATUS = fields(
    terminating=NUMBERS,
    ready=NUMBERS,
    active=NUMBERS,
    succeeded=NUMBERS,
    failed=NUMBERS,
    startTime=TIMES,
    conditions=st.lists(CONDITION, max_size=2),
)


def changed(body, deleting, **sections):
    if deleting:
        body["metadata"]["deletionTimestamp"] = deleting
    return body | {key: value for key, value in sections.items() if value is not None}


MAYBE_DELETING = st.none() | TIMES
OPERATIONS = st.builds(
    lambda finalizer, generation, spec, status, deleting: OperationView.from_body(
        changed(
            (make_operation().with_finalizer() if finalizer else make_operation()).generation(generation).body(),
            deleting,
            spec=spec,
            status=status,
        )
    ),
    st.booleans(),
    st.integers(1, 3),
    st.none() | SPEC | TEMPLATED,
    st.none() | STATUS,
    MAYBE_DELETING,
)
TEMPLATES = TEMPLATE_SPEC.map(lambda spec: TemplateView.from_body(make_template().body() | {"spec": spec}))
VERDICTS = st.none() | st.sampled_from(list(Finding)).map(lambda found: Verdict(found, "x" * 3000))
JOBS = st.builds(
    lambda spec, status, deleting, owned, template: replace(
        JobView.from_body(
            changed((make_job() if owned else make_job().of_somebody_else()).body(), deleting, spec=spec, status=status)
        ),
        adopted=template and Adopted.of(template),
    ),
    st.none() | JOB_SPEC,
    st.none() | JOB_STATUS,
    MAYBE_DELETING,
    st.sampled_from([True, True, True, False]),
    st.none() | TEMPLATES,
)
PODS = st.builds(
    lambda status, deleting: PodView.from_body(changed(make_pod().body(), deleting, status=status)),
    st.none() | POD_STATUS,
    MAYBE_DELETING,
)
SOMETIME = st.integers(-10, 400).map(at)
SEEN = st.builds(
    Observed,
    OPERATIONS,
    st.none() | JOBS,
    job_gone=st.booleans(),
    job_doubtful=st.booleans(),
    pods=st.none() | st.lists(PODS, max_size=2).map(tuple),
    creation_failure=st.none() | WORDS,
    notes=st.builds(
        Notes,
        started_seen=st.none() | SOMETIME,
        last_look=st.none() | SOMETIME,
        listening=st.booleans(),
        last_words=st.none() | st.lists(PODS, max_size=2).map(tuple),
    ),
    template=st.none() | TEMPLATES,
    template_gone=st.booleans(),
    input_verdict=VERDICTS,
    result_verdict=VERDICTS,
    turn=st.none() | st.booleans(),
)


@pytest.mark.promise("STATUS-8")
@settings(max_examples=250)
@given(SEEN, SOMETIME)
@example(
    Observed(
        make_operation().deleting(at(1)).with_finalizer().view(), make_job().grace(2**63 - 1).deleting(at(1)).view()
    ),
    at(9),
)
def test_there_is_a_plan_for_everything(observed, now):
    """No object that users, workers or other controllers can write makes a decision fail or waver."""
    decided = plan(observed, now)

    assert decided == plan(observed, now)
    assert decided.look is None or not decided.steps


@settings(max_examples=150)
@given(SEEN, SOMETIME)
def test_what_is_written_fits_the_api(observed, now):
    """Every status a plan writes can be sent and is read back as it was."""
    for step in plan(observed, now).steps:
        if isinstance(step, WriteStatus):
            sent = to_wire(step.status)
            assert OperationStatus.model_validate(sent).promise is step.status.promise


@pytest.mark.promise("STATUS-2", "ID-6")
@settings(max_examples=150)
@given(SEEN, SOMETIME)
def test_no_answer_is_taken_back_and_no_second_job_is_made(observed, now):
    """Whatever else is true: a settled operation keeps its answer, and with a Job known none is made."""
    decided = plan(observed, now)

    makes = any(isinstance(step, CreateJob) for step in decided.steps)
    assert not (makes and (observed.job or observed.operation.status.job or observed.operation.settled))
    if observed.operation.settled:
        old = observed.operation.status
        for step in decided.steps:
            if isinstance(step, WriteStatus):
                free = {"observed_generation", "conditions", "cancellation"}
                assert step.status.model_dump(exclude=free) == old.model_dump(exclude=free)
                assert old.cancellation in (None, step.status.cancellation)
                frozen = [condition(old, kind) for kind in ("Completed", "Succeeded")]
                assert frozen == [condition(step.status, kind) for kind in ("Completed", "Succeeded")]


@given(RUBBISH, RUBBISH, RUBBISH)
def test_objects_of_any_shape_can_be_read(metadata, spec, status):
    """A part of a wrong type reads as absent."""
    body = {"metadata": {"uid": UID, "name": "x", "resourceVersion": "1", "annotations": metadata, "labels": metadata}}
    body |= {"spec": spec, "status": status}

    assert OperationView.from_body(body).uid == UID
    assert JobView.from_body(body).uid == UID
    assert PodView.from_body(body).uid == UID


def test_time_alone_brings_every_wait_to_an_end_or_a_later_wake():
    """A plan that waits wakes in the future, so the queue never spins."""
    operation, job = make_operation().with_finalizer().to_start_within("45s"), make_job()
    for seconds in range(200):
        now = NOON + timedelta(seconds=seconds)
        decided = plan(Observed(operation.view(), job.view()), now)
        assert decided.look or decided.steps or (decided.wake and decided.wake > now)
