"""How long what has ended is kept."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alo_operator.api.conditions import ConditionType, Reason
from alo_operator.api.spec import Retention
from alo_operator.desired.plan import plan
from alo_operator.desired.retention import Keeping, in_force, owner_of
from alo_operator.desired.settings import Settings
from alo_operator.desired.steps import (
    DeleteJob,
    DeleteOperation,
    Look,
    Plan,
    RemoveFinalizer,
    SendCallbacks,
    WriteStatus,
)
from alo_operator.desired.subscriptions import target_of
from tests.support.builders import CALLBACKS, JOB_UID, at, make_job, make_observed, make_operation, make_pod
from tests.support.plans import condition, kinds, only, states, written

END = 60  # when `settled()` says that it ended
FOR_EVER = Settings(retention_job=None)
DONE = make_job().completed(at(END))
ARGO = {"argocd.argoproj.io/tracking-id": "apps:alo-operator.io/AsyncOperation:media/resize"}


def settled(**retention):
    """An operation that has ended, with this retention of its own."""
    return make_operation().settled().spec(retention=retention or None)


def owned():
    """One whose record was to be kept for ten seconds, and that Argo CD owns."""
    return settled(record="10s").annotated(**ARGO)


# -- the Job


def test_a_job_is_looked_for_when_its_time_is_over_and_not_before():
    """No Job is known of what rests, so it is read; until then nothing is done but waiting."""
    operation = settled(job="1h")

    assert plan(make_observed(operation), at(END + 3599)) == Plan(wake=at(END + 3600))
    assert plan(make_observed(operation), at(END + 3600)) == Plan(look=Look.JOB)


def test_a_job_goes_at_its_version_and_nothing_waits_for_its_pods():
    """It is over, so the garbage collector may take its time."""
    decided = plan(make_observed(settled(job="0"), DONE), at(END))

    assert decided.steps == (DeleteJob(DONE.view().name, JOB_UID, 20, over=True),)


@pytest.mark.parametrize(
    ("job", "known"),
    [
        (make_job().of_somebody_else(), {}),
        (make_job().uid("a copy"), {}),
        (make_job().deleting(at(70)), {}),
        (None, {"job_gone": True}),
    ],
    ids=["somebody else's", "a copy of it", "going already", "gone"],
)
def test_no_other_job_is_deleted(job, known):
    """The one that did the work, by its uid; and once."""
    operation = settled(job="0").status(job={"name": DONE.view().name, "uid": JOB_UID})

    assert plan(make_observed(operation, job, **known), at(99)) == Plan()


def test_a_job_in_doubt_is_asked_for():
    """It may be gone, or only have lost its label."""
    assert plan(make_observed(settled(job="0"), DONE, job_doubtful=True), at(99)) == Plan(look=Look.JOB)


def test_jobs_are_kept_for_a_day_or_as_the_operators_owners_say():
    """An operation that says nothing, of a template that says nothing."""
    assert plan(make_observed(settled(), DONE), at(99)).wake == at(END + 86_400)
    assert kinds(plan(make_observed(settled(), DONE), at(END + 86_400))) == [DeleteJob]
    assert kinds(plan(make_observed(settled(), DONE), at(99), Settings(retention_job="10s"))) == [DeleteJob]
    assert plan(make_observed(settled(), DONE), at(10**9), FOR_EVER) == Plan()


# -- the record


def test_a_record_goes_when_its_time_is_over_and_takes_its_job_along():
    """One deletion, even where the Job is due too."""
    operation = settled(job="5s", record="10s")

    assert kinds(plan(make_observed(operation, DONE), at(END + 9))) == [DeleteJob]
    assert plan(make_observed(operation, job_gone=True), at(END + 9)) == Plan(wake=at(END + 10))
    assert plan(make_observed(operation, DONE), at(END + 10)) == Plan((DeleteOperation(),))


def test_a_record_without_a_time_is_kept_for_ever():
    """There is no default for it."""
    assert plan(make_observed(settled(job="5s"), job_gone=True), at(10**9)) == Plan()


def test_nothing_goes_before_the_finalizer():
    """With retention 0 too: whoever deletes is told first, and the outcome stands."""
    operation = settled(job="0", record="0").with_finalizer()

    assert kinds(plan(make_observed(operation, DONE), at(99))) == [RemoveFinalizer]


@pytest.mark.parametrize(
    "operation", [make_operation(), make_operation().started(at(1)), make_operation().cancelling(at(1))]
)
def test_what_has_not_ended_is_not_touched(operation):
    """However long ago it began."""
    operation.spec(retention={"job": "0", "record": "0"})

    decided = plan(make_observed(operation, make_job().ready()), at(10))

    assert DeleteOperation() not in decided.steps
    assert not any(isinstance(step, DeleteJob) and step.over for step in decided.steps)


def test_a_record_stays_while_somebody_is_still_to_be_told():
    """Its Job may go; when the delivery is over the record is due."""
    operation = settled(record="10s").spec(callbacks=CALLBACKS).with_finalizer()
    target = target_of(operation.view().spec.callbacks[0])
    operation.status(deliveries=[{"name": "billing", "state": "Pending", "target": target}])
    sent = plan(make_observed(operation, job_gone=True), at(10**6))
    assert sent.steps == (SendCallbacks(("billing",)),)

    operation.status(deliveries=[{"name": "billing", "state": "DeadLettered", "target": target}])
    assert kinds(plan(make_observed(operation, job_gone=True), at(10**6))) == [RemoveFinalizer]
    operation.without_finalizer()
    assert plan(make_observed(operation, job_gone=True), at(10**6)) == Plan((DeleteOperation(),))


@pytest.mark.parametrize(
    "operation",
    [
        settled(job="0", record="0").deleting(at(70)),
        settled(job="0", record="0").spec(timeouts={"scheduleToStart": "soon"}),
        settled(job="0", record="0").status(result="a shape of another version"),
    ],
    ids=["being deleted", "spec of another version", "status of another version"],
)
def test_what_cannot_be_read_or_is_going_is_left_alone(operation):
    """In doubt nothing is deleted."""
    assert plan(make_observed(operation, DONE), at(10**6)) == Plan()


def test_an_end_without_a_time_never_comes_due():
    """Nobody can say since when it is kept."""
    operation = settled(job="0", record="0").status(completionTime=None)

    assert plan(make_observed(operation, DONE), at(10**6)) == Plan()


# -- owners


@pytest.mark.parametrize(
    ("labels", "annotations", "reason"),
    [
        ({}, ARGO, Reason.OWNED_BY_ARGO_CD),
        ({"app.kubernetes.io/instance": "apps"}, {}, Reason.OWNED_BY_ARGO_CD),
        ({"argocd.argoproj.io/instance": "apps"}, {}, Reason.OWNED_BY_ARGO_CD),
        ({"kustomize.toolkit.fluxcd.io/name": "apps"}, {}, Reason.OWNED_BY_FLUX),
        ({"helm.toolkit.fluxcd.io/name": "apps", "app.kubernetes.io/managed-by": "Helm"}, {}, Reason.OWNED_BY_FLUX),
        ({"resourceset.fluxcd.controlplane.io/name": "apps"}, {}, Reason.OWNED_BY_FLUX),
        (
            {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "apps"},
            {"meta.helm.sh/release-name": "apps"},
            Reason.OWNED_BY_HELM,
        ),
        ({}, {"meta.helm.sh/release-name": "apps"}, Reason.OWNED_BY_HELM),
    ],
)
def test_a_record_that_somebody_would_bring_back_is_kept_and_says_so_once(labels, annotations, reason):
    """One write with the owner, the sign and what to do; then nothing more."""
    operation = settled(record="10s").annotated(**annotations)
    operation._body["metadata"]["labels"] = labels

    assert plan(make_observed(operation, job_gone=True), at(END + 9)) == Plan(wake=at(END + 10))
    decided = plan(make_observed(operation, job_gone=True), at(END + 10))

    assert kinds(decided) == [WriteStatus]
    said = condition(written(decided), ConditionType.RETAINED)
    assert (said.status, said.reason) == ("True", reason)
    assert any(sign in said.message for sign in annotations | labels)
    assert "retention.record" in said.message
    again = operation.having(written(decided))
    assert plan(make_observed(again, job_gone=True), at(10**6)) == Plan()


def test_what_another_controller_made_is_kept():
    """It may make it anew; an owner that controls nothing does not."""
    operation = settled(record="0")
    owner = {"kind": "Pipeline", "name": "nightly", "uid": "x"}
    operation._body["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    decided = plan(make_observed(operation, job_gone=True), at(99))
    assert condition(written(decided), ConditionType.RETAINED).reason == Reason.OWNED_BY_CONTROLLER
    assert "Pipeline nightly" in condition(written(decided), ConditionType.RETAINED).message

    operation._body["metadata"]["ownerReferences"] = [owner]
    assert plan(make_observed(operation, job_gone=True), at(99)) == Plan((DeleteOperation(),))


def test_common_labels_are_no_signs():
    """Names, parts and other managers say nothing about who would bring it back."""
    labels = {"app.kubernetes.io/name": "resize", "app.kubernetes.io/managed-by": "me", "team": "media"}

    assert owner_of({"metadata": {"labels": labels, "annotations": {"note": "Helm"}}}) is None


def test_a_held_record_goes_when_its_owner_lets_go():
    """Without a write in between."""
    operation = owned()
    operation.having(written(plan(make_observed(operation, job_gone=True), at(99))))
    operation._body["metadata"]["annotations"].clear()

    assert plan(make_observed(operation, job_gone=True), at(200)) == Plan((DeleteOperation(),))


def test_another_owner_is_another_reason():
    """One write for each that takes it over."""
    operation = owned()
    operation.having(written(plan(make_observed(operation, job_gone=True), at(99))))
    operation._body["metadata"]["annotations"].clear()
    operation._body["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "Helm"}

    decided = plan(make_observed(operation, job_gone=True), at(200))

    assert states(written(decided))["Retained"] == "True/OwnedByHelm"


@pytest.mark.parametrize("retention", [None, {"record": "10h"}])
def test_the_condition_goes_with_the_retention(retention):
    """In the one write that takes the spec in."""
    operation = owned()
    operation.having(written(plan(make_observed(operation, job_gone=True), at(99))))
    operation.spec(retention=retention).generation(2)

    decided = plan(make_observed(operation, job_gone=True), at(200))

    assert kinds(decided) == [WriteStatus]
    assert "Retained" not in states(written(decided))
    after = operation.having(written(decided))
    assert plan(make_observed(after, job_gone=True), at(300)).steps == ()


def test_the_job_of_a_held_record_goes_all_the_same():
    """Only the record would come back."""
    operation = owned().spec(retention={"job": "0", "record": "10s"})
    operation.having(written(plan(make_observed(operation, DONE), at(99))))

    assert kinds(plan(make_observed(operation, DONE), at(100))) == [DeleteJob]


# -- what is in force


@pytest.mark.parametrize(
    ("own", "given_", "default", "expected"),
    [
        (None, None, "24h", ("24h", None)),
        (None, None, None, None),
        (Retention(record="720h"), None, "24h", ("24h", "720h")),
        (Retention(record="720h"), Retention(job="1h", record="2h"), "24h", ("1h", "720h")),
        (Retention(job="5m"), Retention(job="1h", record="2h"), None, ("5m", "2h")),
    ],
)
def test_each_value_is_the_operations_own_or_its_templates_or_the_default(own, given_, default, expected):
    """Status shows what the deletions go by."""
    settings = Settings(retention_job=default)
    shown = in_force(own, given_, settings)
    assert (shown and (shown.job, shown.record)) == expected

    operation = make_operation().settled()
    if own:
        operation.spec(retention=own.model_dump(exclude_none=True))
    if given_:
        template = {"generation": 1, "digest": "x", "retention": given_.model_dump(exclude_none=True)}
        operation.status(template=template)
    keeping = Keeping.from_body(operation.body())
    job, record = keeping.job_due(settings), keeping.record_due
    assert [due is not None for due in (job, record)] == [bool(word) for word in expected or (None, None)]


def test_the_end_says_which_retention_is_in_force():
    """Written along with what is written anyway."""
    operation = make_operation().with_finalizer().spec(retention={"record": "720h"})

    decided = plan(make_observed(operation, make_job().completed(at(5)), [make_pod().succeeded()]), at(5))

    shown = written(decided).effective.retention
    assert (shown.job, shown.record) == ("24h", "720h")


def test_an_edit_after_the_end_is_shown_and_costs_one_write():
    """The timeouts that were in force stay."""
    operation = settled(job="1h").status(effective={"timeouts": {"startToClose": "5m"}, "retention": {"job": "24h"}})

    decided = plan(make_observed(operation.generation(2), DONE), at(99))

    assert kinds(decided) == [WriteStatus]
    shown = only(decided, WriteStatus).status.effective
    assert (shown.retention.job, shown.timeouts.start_to_close) == ("1h", "5m")


@given(
    st.sampled_from(["", "0", "10s", "5m", "999999h999999m999999999s", "later"]),
    st.sampled_from(["", "0", "10s", "5m", "999999h", "later"]),
    st.sampled_from([{}, ARGO]),
    st.integers(0, 400),
    st.booleans(),
)
def test_the_moment_to_look_again_is_the_moment_something_is_due(job, record, annotations, seconds, job_there):
    """What rests wakes by `due` alone, so before that there is nothing to do, and at that moment there is."""
    retention = {key: value for key, value in (("job", job), ("record", record)) if value}
    operation = make_operation().settled().annotated(**annotations)
    operation._body["spec"]["retention"] = retention
    moments = [
        moment for moment in operation.view().keeping.due(FOR_EVER)[0 if job_there else 1 :] if moment is not None
    ]
    due, now = min(moments, default=None), at(END + seconds)
    if operation.view().spec is None:
        assert plan(make_observed(operation), now, FOR_EVER) == Plan()
        return
    decided = plan(make_observed(operation, DONE if job_there else None, job_gone=not job_there), now, FOR_EVER)

    assert bool(decided.steps) == (due is not None and due <= now)
    if not decided.steps:
        assert decided.wake == due
        assert due is None or due - now > timedelta(0)
