"""Who gets Jobs made: the shipped admission policies against people with few rights, under real RBAC."""

import json

import pytest

from alo_operator.desired.job import job_name_of
from tests.cluster.providers import Capability
from tests.controlplane.attempts import (
    DRY,
    MARK,
    claiming_job,
    edits,
    impersonating,
    inline,
    owner_of,
    smuggling,
    ways_to_create,
)
from tests.support import namespaces, tenants
from tests.support.operations import operation, simulated_job, template
from tests.support.tenants import JOBS, NAMESPACE, OPERATIONS, POLICIES, STATUS, TEMPLATES, refusal
from tests.support.waiting import wait_for

pytestmark = pytest.mark.needs(Capability.SIMULATED_NODES)


class Court:
    """Two namespaces under the policies, one of them for templates only, and accounts in both."""

    def __init__(self, stage, closed, accounts):
        self.stage, self.closed, self.accounts = stage, closed, accounts

    def __getattr__(self, name):
        return self.accounts[name]


@pytest.fixture(scope="module")
def court(new_stage, cluster, api, cluster_kubectl, _used_namespaces):
    """`caller` has operations alone, `author` templates too, `developer` Jobs too, and `keeper` the namespace."""
    with new_stage() as stage:
        closed = namespaces.make(api, {"alo-operator.io/tenancy": "templates-only"})
        _used_namespaces.append(closed)
        rules = {
            "caller": (stage.namespace, OPERATIONS),
            "author": (stage.namespace, OPERATIONS, TEMPLATES),
            "developer": (stage.namespace, OPERATIONS, TEMPLATES, JOBS),
            "forger": (stage.namespace, OPERATIONS, STATUS),
            "tied": (closed, OPERATIONS, TEMPLATES, JOBS),
            "keeper": (closed, OPERATIONS, JOBS, NAMESPACE),
        }
        made = {
            name: tenants.tenant(cluster, api, cluster_kubectl, place, name, *given)
            for name, (place, *given) in rules.items()
        }
        with tenants.in_force(cluster_kubectl, POLICIES, [stage.namespace, closed]):
            claim = claiming_job("probe")
            tenants.await_refusal(lambda: made["caller"].create(inline(), **DRY), "an inline Job")
            tenants.await_refusal(lambda: made["tied"].create(inline(), **DRY), "an inline Job beside templates")
            tenants.await_refusal(lambda: made["author"].create(smuggling(), "operationtemplates", **DRY), "a template")
            tenants.await_refusal(lambda: made["developer"].create(claim, "jobs", **DRY), "a Job that claims an owner")
            stage.api.create("operationtemplates", template("shared"), stage.namespace)
            yield Court(stage, closed, made)
        for one in made.values():
            one.api.close()
        namespaces.remove(api, closed)


@pytest.mark.promise("POLICY-1")
def test_an_inline_job_asks_for_the_right_to_create_jobs(court):
    """However it is posted, it is refused to who may create operations alone; the message says what to do."""
    for way, attempt in ways_to_create(court.caller, "asyncoperations", inline()).items():
        said = refusal(attempt)
        assert said.get("code") == 403, f"{way}: {said}"
        assert "needs the right to create Jobs" in said["message"], way
        assert f"system:serviceaccount:{court.stage.namespace}:caller" in said["message"]
        assert "name an OperationTemplate in spec.templateRef instead" in said["message"]

    for way, attempt in ways_to_create(court.developer, "asyncoperations", inline()).items():
        if way == "dry run":
            assert refusal(attempt) == {}, "whoever may create Jobs is not kept from it"


@pytest.mark.promise("POLICY-1")
def test_kubectl_shows_the_refusal(court):
    """What a person sees who applies, creates or replaces; a forced replacement has deleted the old one by then."""
    court.caller.create(operation("replaced", template="shared", suspend=True))

    for command in (["apply"], ["create"], ["apply", "--server-side"], ["replace", "--force"]):
        done = court.caller.kubectl(*command, "-f", "-", input=inline("replaced-not"), check=False)
        assert done.code != 0, command
    shown = court.caller.kubectl("apply", "-f", "-", input=inline("seen"), check=False).stderr
    assert "asyncoperations" in shown
    assert "needs the right to create Jobs" in shown
    forced = court.caller.kubectl("replace", "--force", "-f", "-", input=inline("replaced"), check=False)
    assert forced.code != 0
    assert court.stage.gone("replaced")


@pytest.mark.promise("POLICY-2")
def test_what_a_template_says_is_written_by_who_may_create_jobs(court):
    """Making one and changing its spec are refused, in every way; labels and annotations are free."""
    attempts = ways_to_create(court.author, "operationtemplates", smuggling()) | edits(
        court.author, "operationtemplates", "shared", {"job": smuggling()["spec"]["job"]}
    )
    for way, attempt in attempts.items():
        said = refusal(attempt)
        assert said.get("code") == 403, f"{way}: {said}"
        assert "needs the right to create Jobs" in said["message"], way
        assert "have somebody change the template who has it" in said["message"]

    court.author.api.patch(
        "operationtemplates", "shared", {"metadata": {"labels": {"team": "media"}}}, court.author.namespace
    )
    court.developer.create(template("own"), "operationtemplates")
    court.developer.api.patch("operationtemplates", "own", {"spec": {"description": "new"}}, court.developer.namespace)
    court.author.api.delete("operationtemplates", "own", court.author.namespace)
    assert court.stage.api.get("operationtemplates", court.stage.namespace, "own") is None


@pytest.mark.promise("POLICY-3")
def test_in_a_namespace_for_templates_only_nobody_brings_a_job_but_its_keeper(court, api):
    """Even the right to create Jobs does not help there; the right to change the namespace, and so its label, does."""
    for way, attempt in ways_to_create(court.tied, "asyncoperations", inline()).items():
        said = refusal(attempt)
        assert said.get("code") == 403, f"{way}: {said}"
        assert f"namespace {court.closed} takes operations of templates only" in said["message"], way
        assert "name an OperationTemplate in spec.templateRef" in said["message"]
    court.tied.create(template("offered"), "operationtemplates")
    court.tied.create(operation("asked-for", template="offered"))

    court.keeper.create(inline("exception"))
    assert court.keeper.api.get("asyncoperations", court.closed, "exception")
    assert api.list("jobs", court.closed) == [], "no operator looks after this namespace"


@pytest.mark.promise("POLICY-4")
def test_who_may_use_templates_alone_can_pause_cancel_and_delete(court):
    """Nothing but creation is looked at: their own operations and those that others made with a Job obey them."""
    caller, stage = court.caller, court.stage
    for name in ("held", "dropped"):
        caller.create(operation(f"{name}-own", template="shared", suspend=True))
        court.developer.create(operation(f"{name}-inline", job=simulated_job(), suspend=True))

    def edit(name, **spec):
        caller.api.patch("asyncoperations", name, {"spec": spec}, caller.namespace)

    for kind in ("own", "inline"):
        edit(f"held-{kind}", readyWhen="Started", retention={"record": "720h"})
        edit(f"held-{kind}", suspend=False)
        caller.kubectl("label", "asyncoperations", f"held-{kind}", "seen=yes")
        caller.kubectl("patch", "aop", f"held-{kind}", "--type=merge", "-p", '{"metadata":{"finalizers":["a.io/b"]}}')
        caller.kubectl("patch", "aop", f"held-{kind}", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
        edit(f"dropped-{kind}", cancel={"reason": "withdrawn"})
        assert stage.settled(f"held-{kind}")["phase"] == "Succeeded"
        assert stage.settled(f"dropped-{kind}")["phase"] == "Cancelled"
        caller.kubectl("delete", "asyncoperations", f"held-{kind}", f"dropped-{kind}")
        assert stage.gone(f"held-{kind}")


@pytest.mark.promise("POLICY-1", "POLICY-2")
def test_no_way_that_was_tried_gives_a_job_of_their_own(court):
    """Input, labels, a switched reference, a forged status: what runs is the template's Job and no other."""
    caller, forger, stage = court.caller, court.forger, court.stage
    hostile = {
        "job": inline()["spec"]["job"],
        "command": "$(sh -c id)",
        "ALO_RESULT_FILE": "/etc/passwd",
        "spec": {"containers": [{"name": MARK}]},
    }
    annotations = {
        "kubectl.kubernetes.io/default-container": MARK,
        "alo-operator.io/template": json.dumps({"template": {"generation": 1, "digest": "x"}}),
        "alo-operator.io/input": json.dumps(hostile),
    }
    caller.create(
        operation("loaded", template="shared", input=hostile, annotations=annotations, labels={"job-name": MARK})
    )
    caller.create(operation("switched", template="shared", suspend=True))
    forger.create(operation("forged", template="shared", suspend=True))
    job = inline()["spec"]["job"]

    attempts = {
        "reference and Job": lambda: caller.create(inline("both", templateRef={"name": "shared"})),
        "an empty Job": lambda: caller.create(operation("empty", job={"spec": {}})),
        "no Job at all": lambda: caller.create({**inline("null"), "spec": {"job": None}}),
        "a Job of their own": lambda: caller.create(claiming_job("own", labels={"a": "b"}), "jobs"),
        "status": lambda: caller.api.patch(
            "asyncoperations", "switched", {"status": {"phase": "Running"}}, caller.namespace, subresource="status"
        ),
        "somebody else's name": lambda: impersonating(caller),
        **{f"Job by {way}": one for way, one in edits(caller, "asyncoperations", "switched", {"job": job}).items()},
        **{
            f"template by {way}": one
            for way, one in edits(caller, "asyncoperations", "switched", {"templateRef": {"name": "other"}}).items()
        },
        "Job for reference": lambda: caller.api.patch(
            "asyncoperations", "switched", {"spec": {"templateRef": None, "job": job}}, caller.namespace
        ),
    }
    for way, attempt in attempts.items():
        assert refusal(attempt).get("code") in {403, 422}, f"{way}: {refusal(attempt)}"

    foreign = stage.api.create("jobs", claiming_job("foreign", labels={"a": "b"}), stage.namespace)
    claim = {
        "job": {"name": "foreign", "uid": foreign["metadata"]["uid"]},
        "template": {"generation": 9, "digest": "x"},
        "phase": "Running",
    }
    forger.api.patch("asyncoperations", "forged", {"status": claim}, forger.namespace, subresource="status")
    for name in ("switched", "forged"):
        caller.api.patch("asyncoperations", name, {"spec": {"suspend": False}}, caller.namespace)

    assert stage.settled("loaded")["phase"] == "Succeeded"
    assert stage.settled("switched")["phase"] == "Succeeded"
    assert stage.settled("forged")["promise"] == "Rejected", "what its status claimed was somebody else's Job"
    made = [job for job in stage.api.list("jobs", stage.namespace) if job["metadata"]["name"] != "foreign"]
    containers = [job["spec"]["template"]["spec"]["containers"] for job in made]
    assert len(made) >= 2
    assert all(len(found) == 1 and found[0]["name"] == "main" for found in containers)
    assert all(found[0]["command"] == ["true"] for found in containers)
    assert stage.api.get("jobs", stage.namespace, "foreign"), "it was left alone"


@pytest.mark.promise("POLICY-5")
def test_a_job_that_claims_an_operation_is_made_by_the_operator_alone(court):
    """Who may create Jobs cannot have one taken for an operation's, by owner or label, at once or later."""
    developer, stage = court.developer, court.stage
    held = developer.create(operation("claimed", template="shared", suspend=True))
    uid = held["metadata"]["uid"]
    name = job_name_of("claimed", uid)
    claims = {
        "controller": claiming_job(name, owner_of(held)),
        "owner": claiming_job(name, owner_of(held, controller=False)),
        "label": claiming_job(name, labels={"alo-operator.io/operation-uid": uid}),
        "managed": claiming_job(name, labels={"alo-operator.io/managed": "true"}),
    }
    for claim, job in claims.items():
        for way, attempt in ways_to_create(developer, "jobs", job).items():
            said = refusal(attempt)
            assert said.get("code") == 403, f"{claim} by {way}: {said}"
            assert "made by the operator alone" in said["message"]
            assert "leave owner reference and labels out" in said["message"]

    developer.create(claiming_job("plain", labels={"a": "b"}), "jobs")
    for metadata in ({"ownerReferences": [owner_of(held)]}, {"labels": {"alo-operator.io/operation-uid": uid}}):
        said = refusal(
            lambda metadata=metadata: developer.api.patch("jobs", "plain", {"metadata": metadata}, developer.namespace)
        )
        assert said.get("code") == 403, metadata

    developer.api.patch("asyncoperations", "claimed", {"spec": {"suspend": False}}, developer.namespace)
    assert stage.settled("claimed")["job"]["name"] == name
    # Its own labels do not stand in the way of whoever else writes to the operator's Jobs.
    wait_for(lambda: stage.jobs("claimed"), describe="its Job is there")
    developer.api.patch("jobs", name, {"metadata": {"labels": {"mine": "too"}}}, developer.namespace)


def test_the_policies_are_well_formed(court, cluster_kubectl):
    """The API server's type checker has nothing to say against any of them, and takes them as they are shipped."""
    dry = cluster_kubectl("apply", "--server-side", "--force-conflicts", "-k", POLICIES, "--dry-run=server")
    assert dry.stdout.count("(server dry run)") == 6
    assert not dry.stderr
    found = [
        item
        for item in court.stage.api.list("validatingadmissionpolicies")
        if item["metadata"]["name"].endswith(court.stage.namespace)
    ]
    assert len(found) == 3
    wait_for(
        lambda: all("typeChecking" in one.get("status", {}) for one in map(stored(court), found)),
        describe="all are type-checked",
    )
    assert [one["status"]["typeChecking"] for one in map(stored(court), found)] == [{}] * 3


def stored(court):
    return lambda item: court.stage.api.get("validatingadmissionpolicies", None, item["metadata"]["name"])
