"""What controlling an operation costs: readyWhen, pause and cancel, counted in the audit log."""

import pytest

from tests.cluster.providers import Capability
from tests.support.histories import Deed, histories
from tests.support.operations import operation, simulated_job
from tests.support.waiting import wait_for

pytestmark = pytest.mark.needs(Capability.AUDIT_LOG, Capability.SIMULATED_NODES)

START = [Deed.FINALIZER, Deed.JOB]
END = [Deed.SETTLED, Deed.RELEASED]


@pytest.fixture
def costs(api, namespace, operator, audit):
    """Asks for the writes of one operation so far, in order; none of them may have been refused but a Job's."""

    def asked(name):
        found = histories(audit, [name], namespace)[name]
        assert [str(write) for write in found.refused if write.resource != "jobs"] == []
        return found.kinds()

    return asked


def create(api, namespace, name, seconds, **spec):
    api.create("asyncoperations", operation(name, job=simulated_job(seconds), **spec), namespace)


def status(api, namespace, name):
    return api.get("asyncoperations", namespace, name)["status"]


def comes_to(api, namespace, name, phase):
    wait_for(lambda: status(api, namespace, name)["phase"] == phase, 60, lambda: str(status(api, namespace, name)))


def released(api, namespace, name):
    wait_for(lambda: not api.get("asyncoperations", namespace, name)["metadata"].get("finalizers"), 30, "it is let go")


def test_a_gate_at_the_acceptance_costs_one_write_more(api, namespace, costs):
    """Ready is said when the Job exists; a gate at the start costs nothing of its own."""
    for gate in ("Accepted", "Started"):
        create(api, namespace, gate.lower(), 3, readyWhen=gate)
    for name in ("accepted", "started"):
        comes_to(api, namespace, name, "Succeeded")
        released(api, namespace, name)

    assert costs("accepted") == [*START, Deed.SAID, Deed.SAID, *END]
    assert costs("started") == [*START, Deed.SAID, *END]


@pytest.mark.promise("FAIL-5", "CANCEL-7")
def test_cancelling_by_spec_costs_a_record_a_deletion_and_an_event(api, namespace, costs):
    """Asked for while it runs; asked for after the end it is one write."""
    create(api, namespace, "stopped", 600)
    create(api, namespace, "ended", 0)
    comes_to(api, namespace, "stopped", "Running")
    comes_to(api, namespace, "ended", "Succeeded")
    released(api, namespace, "ended")
    before = costs("ended")
    for name in ("stopped", "ended"):
        api.patch("asyncoperations", name, {"spec": {"cancel": {"reason": "enough"}}}, namespace)
    comes_to(api, namespace, "stopped", "Cancelled")
    released(api, namespace, "stopped")
    wait_for(lambda: "cancellation" in status(api, namespace, "ended"), 30, "the late request is recorded")

    assert costs("stopped") == [*START, Deed.SAID, Deed.SAID, Deed.DELETED_JOB, Deed.SETTLED, Deed.EVENT, Deed.RELEASED]
    assert costs("ended") == [*before, Deed.SAID]


def test_a_pause_and_a_resume_cost_five_writes_together(api, namespace, costs):
    """Two records and a patch to pause, a patch and a record to resume; then the work starts afresh."""
    create(api, namespace, "paused", 5)
    comes_to(api, namespace, "paused", "Running")
    api.patch("asyncoperations", "paused", {"spec": {"suspend": True}}, namespace)
    comes_to(api, namespace, "paused", "Paused")
    api.patch("asyncoperations", "paused", {"spec": {"suspend": False}}, namespace)
    comes_to(api, namespace, "paused", "Succeeded")
    released(api, namespace, "paused")

    pause, resume = [Deed.SAID, Deed.PATCHED_JOB, Deed.SAID], [Deed.PATCHED_JOB, Deed.SAID]
    assert costs("paused") == [*START, Deed.SAID, *pause, *resume, Deed.SAID, *END]
