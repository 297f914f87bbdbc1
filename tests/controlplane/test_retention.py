"""How long things are kept after the end, on a real control plane: what is deleted when, and by how many writes."""

import json
from datetime import timedelta

import pytest

from tests.cluster.providers import Capability
from tests.support.histories import Deed, histories, moment, now
from tests.support.killing import kill
from tests.support.operations import operation, simulated_job
from tests.support.stage import Stage
from tests.support.waiting import wait_for

pytestmark = pytest.mark.needs(Capability.AUDIT_LOG, Capability.SIMULATED_NODES)

PLAIN = [Deed.FINALIZER, Deed.JOB, Deed.SETTLED, Deed.RELEASED]
SIGNS = {
    "argo": {"annotations": {"argocd.argoproj.io/tracking-id": "apps:alo-operator.io/AsyncOperation:media/argo"}},
    "flux": {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}},
    "helm": {"labels": {"app.kubernetes.io/managed-by": "Helm"}},
}
REASONS = {"argo": "OwnedByArgoCD", "flux": "OwnedByFlux", "helm": "OwnedByHelm"}
COMPACT = 2048  # bytes of a status
LEASE = {"lease_duration": "4s", "lease_renew": "1s"}
WHILE = 15  # seconds in which a test edits what has just ended


@pytest.fixture
def stage(api, namespace, kubectl, operators):
    return Stage(api, namespace, kubectl, operators)


def create(stage, *names, **fields):
    """Create operations whose work succeeds at once."""
    stage.create(*(operation(name, job=simulated_job(message="done"), **fields) for name in names))


def ended(stage, *names):
    """Return when they have ended and are let go; at their last end."""
    for name in names:
        stage.settled(name)
        wait_for(
            lambda name=name: not stage.operation(name)["metadata"].get("finalizers"), describe=f"{name} is let go"
        )
    return max(moment(stage.status(name)["completionTime"]) for name in names)


def bare(stage, name):
    """Whether neither Job nor pod of an operation is left."""
    return not stage.jobs(name) and not stage.pods(name)


def followed(stage, name):
    """Return the retention in force once the operator has taken the latest spec in."""

    def seen():
        found = stage.operation(name)
        return found["status"]["observedGeneration"] == found["metadata"]["generation"]

    wait_for(seen, describe=f"the new spec of {name} is taken in")
    return stage.status(name)["effective"].get("retention")


def later(audit, stage, *names):
    """Each operation's writes beyond those that every success costs, as `verb resource`; none was refused."""
    found = histories(audit, names, stage.namespace)
    assert {name: list(map(str, found[name].refused)) for name in names} == {name: [] for name in names}
    writes = {}
    for name in names:
        sent = [request for _, request in zip(found[name].deeds, found[name].requests, strict=True)]
        plain = 5 if found[name].kinds()[2] is Deed.SAID else 4
        writes[name] = [f"{request.verb} {request.resource}" for request in sent[plain:]]
    return writes


def by(replica):
    """A filter for requests that this replica sent."""
    return lambda request: f"({replica.identity})" in request.agent


@pytest.mark.promise("RETAIN-1", "RETAIN-2", "RETAIN-4", "STATUS-9")
def test_what_has_had_its_time_goes_by_one_write_each(stage, operators, audit):
    """Jobs, records and both; earlier, later or no more by an edit after the end; the standby writes nothing."""
    leader = operators.start()
    standby = operators.start("alo-1")
    create(stage, "job", retention={"job": "2s"})
    create(stage, "job-at-once", retention={"job": "0"})
    create(stage, "record", retention={"record": "2s"})
    create(stage, "both", retention={"job": "2s", "record": "2s"})
    create(stage, "in-turn", retention={"job": "0", "record": "4s"})
    create(stage, "sooner", retention={"job": "1h"})
    create(stage, "put-off", retention={"job": f"{WHILE}s"})
    create(stage, "taken-out", retention={"job": "1h", "record": f"{WHILE}s"})
    create(stage, "plain")
    stage.create(operation("while-it-runs", job=simulated_job(600), retention={"record": "1h"}))
    stage.has_condition("while-it-runs", "Started", "True", "Started")
    stage.edit("while-it-runs", retention={"record": "2s"}, cancel={})
    end = ended(stage, "put-off", "taken-out", "sooner", "plain")
    stage.edit("put-off", retention={"job": "1h"})
    stage.edit("taken-out", retention=None)

    assert followed(stage, "put-off") == {"job": "1h"}
    assert followed(stage, "taken-out") == {"job": "24h"}
    stage.edit("sooner", retention={"job": "2s"})
    assert followed(stage, "sooner") == {"job": "2s"}
    for name in ("job", "job-at-once", "sooner"):
        wait_for(lambda name=name: bare(stage, name), describe=f"the Job of {name} and its pods are gone")
        assert stage.status(name)["result"]["value"] == "done"
    for name in ("record", "both", "in-turn", "while-it-runs"):
        wait_for(lambda name=name: stage.gone(name) and bare(stage, name), describe=f"{name} and its Job are gone")
    wait_for(lambda: now() > end + timedelta(seconds=WHILE + 2), describe="what was put off would have been due")

    for name in ("put-off", "taken-out", "plain"):
        assert len(stage.jobs(name)) == 1
    assert len(json.dumps(stage.status("plain"))) < COMPACT
    assert later(
        audit, stage, "job", "job-at-once", "record", "both", "in-turn", "sooner", "put-off", "taken-out", "plain"
    ) == {
        "job": ["delete jobs"],
        "job-at-once": ["delete jobs"],
        "record": ["delete asyncoperations"],
        "both": ["delete asyncoperations"],
        "in-turn": ["delete jobs", "delete asyncoperations"],
        "sooner": ["patch asyncoperations", "delete jobs"],
        "put-off": ["patch asyncoperations"],
        "taken-out": ["patch asyncoperations"],
        "plain": [],
    }
    assert leader.metrics()["alo_leader"] == 1
    assert audit.writes(namespace=stage.namespace, where=by(standby)) == []
    # What is gone may be asked for again, and runs again.
    create(stage, "record")
    assert stage.settled("record")["result"]["value"] == "done"


@pytest.mark.promise("RETAIN-3")
def test_a_record_that_would_come_back_is_kept(stage, operators, audit):
    """One write says for whose sake; it goes with the sign, and the condition goes with the retention."""
    operators.start()
    for name, signs in SIGNS.items():
        create(stage, name, retention={"record": "1s"}, **signs)
    ended(stage, *SIGNS)
    for name, reason in REASONS.items():
        said = stage.has_condition(name, "Retained", "True", reason)
        assert "run the work again" in said["message"]
    assert later(audit, stage, *SIGNS) == {name: ["patch asyncoperations"] for name in SIGNS}

    stage.api.patch("asyncoperations", "flux", {"metadata": {"labels": None}}, stage.namespace)
    stage.edit("argo", retention=None)
    wait_for(lambda: stage.gone("flux"), describe="the record is deleted once Flux has let go of it")
    followed(stage, "argo")

    assert stage.condition("argo", "Retained") == {}
    assert later(audit, stage, *SIGNS) == {
        "argo": ["patch asyncoperations"] * 2,
        "flux": ["patch asyncoperations", "delete asyncoperations"],
        "helm": ["patch asyncoperations"],
    }


@pytest.mark.promise("RETAIN-4")
def test_what_came_due_without_an_operator_goes_when_there_is_one(stage, operators, audit):
    """After a crash and a restart, and on a standby that takes over; what is not due yet is not even read."""
    leader = operators.start(**LEASE)
    idle = [f"idle-{number}" for number in range(20)]
    create(stage, *idle)
    ended(stage, *idle)
    with_jobs, records = [f"job-{number}" for number in range(4)], [f"record-{number}" for number in range(4)]
    create(stage, *with_jobs, retention={"job": "8s"})
    create(stage, *records, retention={"record": "8s"})
    end = ended(stage, *with_jobs, *records)
    kill(leader)
    audit.mark()
    assert all(stage.jobs(name) for name in [*with_jobs, *records]), "the operator was killed too late"
    wait_for(lambda: now() > end + timedelta(seconds=9), describe="their time is over")

    leader.start()
    for name in with_jobs:
        wait_for(lambda name=name: bare(stage, name), describe=f"the Job of {name} is gone")
    for name in records:
        wait_for(lambda name=name: stage.gone(name), describe=f"{name} is gone")

    due = {*with_jobs, *records}
    assert len(audit.writes(namespace=stage.namespace)) == len(due)
    assert {read.name for read in audit.requests(verb="get", resource="asyncoperations", where=by(leader))} == due

    standby = operators.start("alo-1", **LEASE)
    create(stage, "handed-over", retention={"record": "6s"})
    ended(stage, "handed-over")
    kill(leader)
    wait_for(lambda: stage.gone("handed-over"), 60, "the standby takes over, and deletes it")
    deleted = audit.writes(namespace=stage.namespace, verb="delete", where=by(standby))
    assert [str(write) for write in deleted] == [f"delete asyncoperations {stage.namespace}/handed-over 200"]
