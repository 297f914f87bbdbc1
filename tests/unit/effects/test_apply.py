"""Plans become writes."""

import logging

import pytest

from alo_operator.api.conditions import Reason
from alo_operator.api.names import FINALIZER
from alo_operator.controller.cache import Cache
from alo_operator.desired.job import build_job
from alo_operator.desired.steps import AddFinalizer, CreateJob, DeleteJob, DeleteOperation, PostEvent, RemoveFinalizer
from alo_operator.effects.apply import Applier
from alo_operator.effects.writer import Writer
from alo_operator.errors import ApiUnreachable, BadRequest, Forbidden, NotLeader, ServerBusy
from tests.support.builders import make_operation
from tests.support.deaf import DeafListener


def test_a_start_is_two_writes_and_both_answers_are_known(place):
    """Finalizer, then Job; the next decision rests on them without any read."""
    place.start()

    assert [method for method, _, _ in place.api.requests] == ["PATCH", "POST"]
    assert place.view.has_finalizer
    assert place.cache.notes(place.uid).finalizer_added
    assert place.cache.observe(place.uid).job.owner_uid == place.uid


def test_finalizers_of_others_are_kept(place):
    """A list is replaced as a whole by a merge patch, so it is sent whole."""
    place.api.change("asyncoperations", "resize", lambda body: body["metadata"].update(finalizers=["theirs"]))
    place.learn()

    place.apply(AddFinalizer())
    assert place.stored()["metadata"]["finalizers"] == ["theirs", FINALIZER]
    place.apply(RemoveFinalizer())
    assert place.stored()["metadata"]["finalizers"] == ["theirs"]


def test_the_last_finalizer_lets_a_deleted_operation_go(place):
    """It is forgotten at once, so that no late event brings it back."""
    place.start()
    place.api.remove("asyncoperations", "resize")
    place.learn()

    place.apply(RemoveFinalizer())

    assert place.stored() is None
    assert place.view is None
    assert place.cache.operation_seen(make_operation(uid=place.uid).version(10**9).body()) is False


def test_a_status_is_written_at_the_version_it_was_decided_on(place):
    """A conflict changes nothing: the newer state is read, and the rest of the plan is left for the next one."""
    place.start()
    step = place.running()
    place.api.change("asyncoperations", "resize", lambda body: body["metadata"].update(labels={"a": "b"}))

    place.apply(step, RemoveFinalizer())

    assert place.stored()["status"]["phase"] == "Pending"
    assert place.view.has_finalizer
    assert place.view.resource_version == int(place.stored()["metadata"]["resourceVersion"])
    assert [code for *_, code in place.api.requests][-2:] == [409, 200]


def test_a_plan_is_dropped_once_a_watch_has_told_something_newer(place):
    """What was decided on an older state is not written over the newer one."""
    step, old = place.running(), place.view
    place.api.change("asyncoperations", "resize", lambda body: body["metadata"].update(labels={"a": "b"}))
    place.learn()

    place.clock.run(place.applier.apply(old, (step,)))

    assert place.api.requests == []


def test_an_operation_that_is_gone_ends_its_plan(place):
    """Deleted without our finalizer in between: it is forgotten and nothing is raised."""
    place.api.remove("asyncoperations", "resize")

    place.apply(place.running())

    assert place.view is None


def test_an_operation_made_anew_under_the_name_is_not_taken_for_the_old_one(place):
    """The uid tells."""
    step = place.running()
    place.api.remove("asyncoperations", "resize")
    place.api.add("asyncoperations", make_operation().body())

    place.apply(step)

    assert place.view is None
    assert place.stored()["status"]["phase"] == "Pending"


def test_a_job_that_is_there_already_is_adopted(place):
    """A repeated start after a crash meets its own Job."""
    place.start()
    place.cache = Cache()
    listener = DeafListener(place.api, place.cache)
    place.applier = Applier(place.api, Writer(place.api, lambda: 10.0), place.cache, listener, place.sender)
    place.learn()

    place.apply(CreateJob(build_job(place.view)))

    assert place.cache.observe(place.uid).job.uid == place.job()["metadata"]["uid"]
    assert len(list(place.api.every("jobs"))) == 1


def test_a_job_of_somebody_else_is_not_adopted(place):
    """It is remembered as a refusal for good, and left as it is."""
    manifest = build_job(place.view)
    place.api.add("jobs", {**manifest, "metadata": {"name": manifest["metadata"]["name"], "labels": {"a": "b"}}})

    place.apply(CreateJob(manifest))

    refusal = place.cache.notes(place.uid).refusal
    assert (refusal.reason, refusal.retry_at) == (Reason.JOB_NAME_CONFLICT, None)
    assert place.cache.observe(place.uid).job is None


def test_a_job_the_api_server_calls_invalid_is_refused_for_good(place):
    """In the API server's own words."""
    place.refuse(BadRequest(422, "Invalid", 'strict decoding error: unknown field "spec.paralelism"'))

    place.apply(CreateJob(build_job(place.view)))

    refusal = place.cache.notes(place.uid).refusal
    assert (refusal.reason, refusal.retry_at) == (Reason.INVALID_JOB, None)
    assert "paralelism" in refusal.message


def test_a_job_the_api_server_forbids_is_tried_again_ever_less_often(place):
    """From two seconds, doubling up to thirty; the quota has a reason of its own."""
    place.refuse(Forbidden(403, "Forbidden", 'jobs "x" is forbidden: exceeded quota: few'))

    pauses = []
    for _ in range(6):
        place.apply(CreateJob(build_job(place.view)))
        refusal = place.cache.notes(place.uid).refusal
        pauses.append((refusal.retry_at - place.clock.now()).total_seconds())

    assert refusal.reason is Reason.QUOTA_EXCEEDED
    assert pauses == [2, 4, 8, 16, 30, 30]


def test_forbidden_for_another_reason_is_told_apart(place):
    """RBAC and admission are waited out too, under their own word."""
    place.refuse(Forbidden(403, "Forbidden", "User cannot create resource"))

    place.apply(CreateJob(build_job(place.view)))

    assert place.cache.notes(place.uid).refusal.reason is Reason.FORBIDDEN


def test_a_job_is_deleted_in_the_foreground_at_the_version_seen(place):
    """The answer, with its deletionTimestamp, is known at once."""
    place.start()
    job = place.cache.observe(place.uid).job

    place.apply(DeleteJob(job.name, job.uid, job.resource_version))

    assert place.job()["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert place.cache.observe(place.uid).job.deleting is not None


def test_a_job_that_completed_meanwhile_is_not_deleted(place):
    """The precondition fails, and what happened is read."""
    place.start()
    job = place.cache.observe(place.uid).job
    done = {"type": "Complete", "status": "True"}
    place.api.change("jobs", job.name, lambda body: body.update(status={"succeeded": 1, "conditions": [done]}))

    place.apply(DeleteJob(job.name, job.uid, job.resource_version))

    assert "deletionTimestamp" not in place.job()["metadata"]
    assert place.cache.observe(place.uid).job.end.succeeded


def test_a_job_that_is_gone_already_is_known_to_be_gone(place):
    """Deleted by somebody else just before."""
    place.start()
    job = place.cache.observe(place.uid).job
    place.api.remove("jobs", job.name)

    place.apply(DeleteJob(job.name, job.uid, job.resource_version))

    assert place.cache.observe(place.uid).job_gone


def test_an_event_is_posted_once_however_often_it_is_tried(place):
    """Its name is made of uid and reason, so a repetition meets the first one."""
    event = PostEvent(warning=True, reason="NonZeroExit", message="m" * 5000)

    place.apply(event)
    place.apply(event)

    (posted,) = place.api.every("events")
    assert (posted["type"], posted["reason"], posted["involvedObject"]["uid"]) == ("Warning", "NonZeroExit", place.uid)
    assert len(posted["message"]) <= 1024
    assert posted["firstTimestamp"] == "2026-03-01T12:00:00Z"


def test_an_event_that_cannot_be_posted_holds_nothing_up(place, caplog):
    """It is a courtesy; the record is in status."""
    place.refuse(Forbidden(403, "Forbidden", "namespace is terminating"))
    with caplog.at_level(logging.WARNING):
        place.apply(PostEvent(warning=False, reason="Cancelled", message="x"), AddFinalizer())

    assert place.view.has_finalizer
    assert caplog.records == []


@pytest.mark.parametrize("error", [ServerBusy(503, "", "later"), ApiUnreachable("no answer")])
def test_an_api_server_that_does_not_answer_is_the_callers_matter(place, error):
    """The rest of the plan is left undone, and the queue tries again."""
    place.refuse(error, "PATCH")

    with pytest.raises(type(error)):
        place.apply(AddFinalizer(), CreateJob(build_job(place.view)))

    assert place.job() is None


def test_nothing_is_written_without_the_lease(place):
    """Not even the first step."""
    place.lease = 0.0

    with pytest.raises(NotLeader):
        place.apply(AddFinalizer())
    assert place.api.requests == []


def test_a_record_is_deleted_at_its_version_and_forgotten(place):
    """Whoever wrote it meanwhile may have meant to keep it."""
    place.api.change("asyncoperations", "resize", lambda body: body["metadata"].update(labels={"team": "media"}))
    place.apply(DeleteOperation())
    assert place.stored() is not None
    assert place.view.resource_version == int(place.stored()["metadata"]["resourceVersion"])

    place.apply(DeleteOperation())

    assert place.stored() is None
    assert place.cache.place(place.uid) is None


def test_a_record_that_somebody_elses_finalizer_holds_is_still_known(place):
    """It is being deleted, and goes when they let go."""
    place.api.change("asyncoperations", "resize", lambda body: body["metadata"].update(finalizers=["theirs"]))
    place.learn()

    place.apply(DeleteOperation())

    assert place.view.deleting is not None


def test_a_record_that_is_gone_already_is_forgotten(place):
    """Somebody else was quicker."""
    view = place.view
    place.api.remove("asyncoperations", "resize")

    place.clock.run(place.applier.apply(view, [DeleteOperation()]))

    assert place.cache.place(place.uid) is None


@pytest.mark.parametrize(("over", "policy"), [(False, "Foreground"), (True, "Background")])
def test_every_job_deletion_says_what_becomes_of_the_pods(place, over, policy):
    """Live work is waited for; what is over is left to the garbage collector."""
    place.start()
    job = place.cache.observe(place.uid).job
    sent = []
    request = place.api.request

    async def noting(method, path, **named):
        sent.append((method, (named.get("body") or {}).get("propagationPolicy")))
        return await request(method, path, **named)

    place.api.request = noting

    place.apply(DeleteJob(job.name, job.uid, job.resource_version, over=over))

    assert sent == [("DELETE", policy)]
