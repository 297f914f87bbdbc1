"""Why work does not start: said in status within half a minute, and mended without starting over."""

from datetime import datetime, timedelta

import pytest

from tests.cluster.providers import Capability
from tests.support import namespaces
from tests.support.fixtures import Operators
from tests.support.history import deletion_of
from tests.support.operations import operation, shell_job
from tests.support.operator_process import SYSTEM_NAMESPACE
from tests.support.stage import Stage
from tests.support.waiting import wait_for
from tests.support.workers import image_job, pod_spec, unschedulable_job

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

HELD_UP = ("pod_quota", "job_quota", "restricted")
PLACES = ("plain", *HELD_UP)
NO_REGISTRY = "127.0.0.1:9/missing:1"  # nothing listens there
SOON = timedelta(seconds=30)


def job_without_configuration():
    job = shell_job("exit 0")
    source = {"configMapKeyRef": {"name": "absent", "key": "verdict"}}
    pod_spec(job)["containers"][0]["env"] = [{"name": "VERDICT", "valueFrom": source}]
    return job


@pytest.fixture(scope="module")
def places(api, cluster_kubectl, operator_kubeconfig, _used_namespaces, tmp_path_factory):
    """Four namespaces under one operator: a plain one, two with full quotas, one that admits only restricted pods."""
    labels = {"restricted": {"pod-security.kubernetes.io/enforce": "restricted"}}
    names = {place: namespaces.make(api, labels.get(place)) for place in PLACES}
    _used_namespaces += names.values()
    lease = names["plain"]
    operators = Operators(operator_kubeconfig, lease, tmp_path_factory.mktemp(lease))
    stages = {place: Stage(api, name, cluster_kubectl.inside(name), operators) for place, name in names.items()}
    fill_quota(stages["pod_quota"], "pods")
    fill_quota(stages["job_quota"], "count/jobs.batch")
    try:
        more = [word for name in names.values() if name != lease for word in ("--namespace", name)]
        operators.start(arguments=more)
        for place in HELD_UP:
            stages[place].create(operation("held-up", job=shell_job("exit 0")))
        stages["plain"].create(
            operation("no-image", job=image_job(NO_REGISTRY)),
            operation("no-image-in-time", job=image_job(NO_REGISTRY), timeouts={"scheduleToStart": "20s"}),
            operation("nowhere", job=unschedulable_job()),
            operation("no-settings", job=job_without_configuration()),
        )
        stages["plain"].since = stages["plain"].now()
        # All three at once and early: the Job controller pauses longer after each pod that it could not make.
        stages["job_quota"].shown = stages["job_quota"].has_condition("held-up", "Started", "False", "QuotaExceeded")
        stages["pod_quota"].shown = stages["pod_quota"].has_condition("held-up", "Started", "False", "QuotaExceeded")
        stages["restricted"].shown = stages["restricted"].has_condition("held-up", "Started", "False", "FailedCreate")
        for place in HELD_UP:
            stages[place].jobs_before = stages[place].jobs("held-up")
        make_room(stages)
        yield stages
        operators.end()
    finally:
        for name in names.values():
            namespaces.remove(api, name)
        api.delete("leases", lease, SYSTEM_NAMESPACE)


def fill_quota(stage, resource):
    """Allow one object of a kind, and use that up."""
    quota = {"metadata": {"name": "one"}, "spec": {"hard": {resource: "1"}}}
    stage.api.create("resourcequotas", quota, stage.namespace)
    counted = f"quota {resource} is enforced"
    wait_for(lambda: used(stage) == {resource: "0"}, 30, counted)
    blocker = unschedulable_job()
    if resource == "pods":
        stage.api.create("pods", {"metadata": {"name": "blocker"}} | blocker["spec"]["template"], stage.namespace)
    else:
        blocker["spec"]["suspend"] = True
        stage.api.create("jobs", {"metadata": {"name": "blocker"}} | blocker, stage.namespace)
    wait_for(lambda: used(stage) == {resource: "1"}, 30, f"quota {resource} is used up")


def make_room(stages):
    """Take away what holds the operations up."""
    job_quota, pod_quota, restricted = (stages[place] for place in ("job_quota", "pod_quota", "restricted"))
    job_quota.api.delete("jobs", "blocker", job_quota.namespace, {"propagationPolicy": "Background"})
    pod_quota.api.delete("pods", "blocker", pod_quota.namespace)
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": None}}}
    restricted.api.patch("namespaces", restricted.namespace, label)


def used(stage):
    quota = stage.api.get("resourcequotas", stage.namespace, "one")
    return quota.get("status", {}).get("used")


def moment(text):
    return datetime.fromisoformat(text)


@pytest.mark.promise("START-2")
def test_a_missing_image_is_named_within_half_a_minute(places):
    """Started=False says ImagePullBackOff, with pod and image, while the promise stays open."""
    stage = places["plain"]
    shown = stage.has_condition("no-image", "Started", "False", "ImagePullBackOff")
    created = stage.operation("no-image")["metadata"]["creationTimestamp"]

    assert moment(shown["lastTransitionTime"]) - moment(created) <= SOON
    assert NO_REGISTRY in shown["message"]
    assert stage.status("no-image")["promise"] == "Pending"


@pytest.mark.promise("START-2")
def test_a_pod_that_fits_no_node_is_named(places):
    """Started=False says Unschedulable in the scheduler's own words."""
    shown = places["plain"].has_condition("nowhere", "Started", "False", "Unschedulable")

    assert "nodes are available" in shown["message"]


def test_a_configuration_that_is_missing_is_named_and_can_be_supplied(places):
    """A container that waits for a ConfigMap shows which; once it is there, the work runs."""
    stage = places["plain"]
    shown = stage.has_condition("no-settings", "Started", "False", "CreateContainerError")
    assert 'configmap "absent" not found' in shown["message"]

    stage.api.create("configmaps", {"metadata": {"name": "absent"}, "data": {"verdict": "0"}}, stage.namespace)

    assert stage.settled("no-settings")["phase"] == "Succeeded"


@pytest.mark.promise("TIME-1", "TIME-4")
def test_work_that_does_not_start_in_time_is_timed_out(places):
    """After scheduleToStart the promise is rejected with the cause, and the pod is gone."""
    stage = places["plain"]
    status = stage.settled("no-image-in-time", timeout=60)

    assert (status["phase"], status["promise"]) == ("TimedOut", "Rejected")
    assert (status["failure"]["type"], status["failure"]["reason"]) == ("TimedOut", "ScheduleToStartTimeout")
    assert "ImagePullBackOff" in status["failure"]["message"]
    assert status["cancellation"]["source"] == "Timeout"
    assert stage.pods("no-image-in-time") == stage.jobs("no-image-in-time") == []
    created = stage.operation("no-image-in-time")["metadata"]["creationTimestamp"]
    assert moment(status["completionTime"]) - moment(created) >= timedelta(seconds=20)


@pytest.mark.promise("JOB-6", "START-2")
def test_a_full_job_quota_is_waited_for(places):
    """The API server's refusal of the Job is shown; when the quota has room again, the work runs."""
    stage = places["job_quota"]

    assert "exceeded quota" in stage.shown["message"]
    assert stage.jobs_before == []
    assert stage.settled("held-up")["phase"] == "Succeeded"


@pytest.mark.promise("JOB-6", "START-2")
def test_a_full_pod_quota_is_waited_for(places):
    """The Job alone shows nothing of it; its Events do, and status says so. With room again, the work runs."""
    stage = places["pod_quota"]

    assert "exceeded quota" in stage.shown["message"]
    assert len(stage.jobs_before) == 1
    assert stage.settled("held-up")["phase"] == "Succeeded"


def test_pods_that_the_namespace_forbids_are_named(places):
    """Pod security lets the Job pass with a warning and refuses its pods; status quotes it, and relaxing it helps."""
    stage = places["restricted"]

    assert "violates PodSecurity" in stage.shown["message"]
    assert len(stage.jobs_before) == 1
    assert stage.settled("held-up")["phase"] == "Succeeded"


def test_waiting_work_is_deleted_like_any_other(places):
    """A pod that waits for its image has nothing to wait for when its operation is deleted."""
    stage = places["plain"]

    stage.kubectl("delete", "aop", "no-image", "nowhere", "--timeout=30s")

    assert stage.pods("no-image") == stage.pods("nowhere") == []
    last = deletion_of(stage.events("asyncoperations", stage.since), "no-image").object["status"]
    assert last["phase"] == "Cancelled"
