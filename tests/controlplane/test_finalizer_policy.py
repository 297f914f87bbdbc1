"""The optional policy that sets the finalizer at creation: one write less, and nobody's manifest is disturbed."""

import pytest

from tests.cluster.providers import Capability
from tests.support import tenants
from tests.support.audit import AuditLog
from tests.support.operations import operation, simulated_job
from tests.support.tenants import FINALIZER_POLICY
from tests.support.waiting import wait_for
from tests.support.work import Work, create, settle

pytestmark = pytest.mark.needs(Capability.MUTATING_POLICIES, Capability.AUDIT_LOG, Capability.SIMULATED_NODES)

FINALIZER = "alo-operator.io/cancel-work"


@pytest.fixture(scope="module")
def stage(new_stage, cluster_kubectl):
    """A namespace with an operator, for which the policy is in force."""
    with new_stage() as made, tenants.in_force(cluster_kubectl, FINALIZER_POLICY, [made.namespace]):

        def finalizers():
            probe = cluster_kubectl.inside(made.namespace).apply(
                operation("probe"), "--dry-run=server", "-o", "jsonpath={.metadata.finalizers}"
            )
            return FINALIZER in probe.stdout

        wait_for(finalizers, describe="the policy is in force")
        yield made


def writes(audit, namespace, name):
    """The operator's writes for one operation, as verb and kind; refused ones too."""
    found = audit.writes_per_operation([name], namespace=namespace)[name]
    return [f"{write.verb} {write.resource}/{write.subresource}".rstrip("/") for write in found]


@pytest.mark.promise("POLICY-6")
def test_a_success_costs_at_most_four_writes(stage, cluster):
    """Job, perhaps Running, the answer, and the finalizer's removal: the first write is the Job itself."""
    audit = AuditLog(cluster.audit_log, stage.api)
    work = [Work("short", message="done"), Work("long", seconds=3, message="done"), Work("failing", fails=True)]
    create(cluster.kubeconfig, stage.namespace, work)
    settle(stage.api, stage.namespace, work)

    job, said, released = "create jobs", "patch asyncoperations/status", "patch asyncoperations"
    assert writes(audit, stage.namespace, "short") in ([job, said, released], [job, said, said, released])
    assert writes(audit, stage.namespace, "long") == [job, said, said, released]
    assert released not in writes(audit, stage.namespace, "failing")[:-1]


@pytest.mark.promise("POLICY-6")
@pytest.mark.parametrize("flags", [(), ("--server-side",)], ids=["client-side", "server-side"])
def test_applying_again_shows_no_difference(stage, flags):
    """The finalizer is nobody's field: no diff, no write and no conflict, while it is on and when it is off."""
    name = f"applied{''.join(flags)}"
    manifest = operation(name, job=simulated_job(), suspend=True)

    def version():
        return stage.operation(name)["metadata"]["resourceVersion"]

    def again(manifest):
        before = version()
        stage.kubectl.apply(manifest, *flags)
        diff = stage.kubectl("diff", *flags, "-f", "-", input=manifest, check=False)
        assert diff.code == 0, diff.stdout + diff.stderr
        assert version() == before

    stage.kubectl.apply(manifest, *flags)
    assert stage.operation(name)["metadata"]["finalizers"] == [FINALIZER]
    stage.has_condition(name, "Suspended", "True", "Paused")
    again(manifest)

    resumed = operation(name, job=simulated_job(), suspend=False)
    stage.kubectl.apply(resumed, *flags)
    assert stage.settled(name)["phase"] == "Succeeded"
    wait_for(lambda: not stage.operation(name)["metadata"].get("finalizers"), describe="the finalizer is off")
    again(resumed)


def test_finalizers_of_others_are_kept(stage):
    """What the manifest has stays beside ours, in its place."""
    stage.create(
        {
            **operation("others"),
            "metadata": {"name": "others", "finalizers": ["example.com/audit"]},
        }
    )
    assert stage.operation("others")["metadata"]["finalizers"][0] == "example.com/audit"
    stage.settled("others")
    wait_for(
        lambda: stage.operation("others")["metadata"]["finalizers"] == ["example.com/audit"],
        describe="the operator has taken its own off, and no other",
    )
    stage.api.patch("asyncoperations", "others", {"metadata": {"finalizers": None}}, stage.namespace)
