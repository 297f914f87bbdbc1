"""Reads that a decision asked for."""

from alo_operator.desired.plan import plan
from alo_operator.desired.steps import Look
from tests.support.builders import at


def test_a_look_at_the_job_makes_it_known(place):
    """There or not there, it is remembered for the next decision."""
    missing = place.clock.run(place.gatherer.look(place.cache.observe(place.uid), Look.JOB))
    assert missing.job_gone
    assert place.cache.observe(place.uid).job_gone

    place.start()
    found = place.clock.run(place.gatherer.look(place.cache.observe(place.uid), Look.JOB))
    assert (found.job.owner_uid, found.job_gone) == (place.uid, False)


def test_a_look_at_the_pods_finds_those_of_this_operation(place):
    """By our label, in this namespace; not those of another Job that was given our label."""
    theirs = [{"kind": "Job", "name": "theirs", "uid": "j", "controller": True}]
    for name, uid, owners in (("a", place.uid, []), ("b", "another", []), ("c", place.uid, theirs)):
        labels = {"alo-operator.io/operation-uid": uid}
        place.api.add("pods", {"metadata": {"name": name, "labels": labels, "ownerReferences": owners}})

    found = place.clock.run(place.gatherer.look(place.cache.observe(place.uid), Look.PODS))

    assert [pod.name for pod in found.pods] == ["a"]


def test_a_look_for_the_reason_reads_events_only_where_there_is_no_pod(place):
    """The newest failed creation speaks; when the look was is remembered."""
    place.start()
    job = place.cache.observe(place.uid).job
    for name, time, words in (("1", "12:00:01Z", "old"), ("2", "12:00:09Z", "new")):
        event = {"involvedObject": {"uid": job.uid}, "reason": "FailedCreate", "message": words}
        place.api.add("events", {"metadata": {"name": name}, "lastTimestamp": f"2026-03-01T{time}", **event})
    place.clock.advance(10)

    found = place.clock.run(place.gatherer.look(place.cache.observe(place.uid), Look.REASON))

    assert (found.pods, found.creation_failure) == ((), "new")
    assert place.cache.notes(place.uid).last_look == at(10)
    assert plan(found, at(10)).look is None
