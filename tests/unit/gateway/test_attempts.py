"""Which pod may report for which operation."""

import pytest

from alo_operator.errors import ReportRefused
from alo_operator.gateway.attempts import Attempts
from alo_operator.gateway.identity import Caller
from tests.support.builders import make_pod


def find(site, pod=None, *, surely=True):
    metadata = (pod or site.pod)["metadata"]
    return site.clock.run(site.attempts.find(Caller("media", metadata["name"], metadata["uid"]), surely=surely))


def refused(site, pod=None, **how):
    with pytest.raises(ReportRefused) as error:
        find(site, pod, **how)
    return error.value.reason


def test_a_pod_works_for_its_jobs_operation(site):
    """From pod to Job to operation, by uid at each step."""
    found = find(site)

    assert (found.operation, found.uid, found.pod) == ("resize", site.uid, "resize-x")
    assert found.job.name == site.job["metadata"]["name"]


@pytest.mark.promise("REPORT-3")
@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_finished_pod_is_a_replaced_attempt(site, phase):
    """The Job makes the next pod only after this, so no live pod can be an old attempt."""
    find(site)
    site.api.change("pods", "resize-x", lambda body: body["status"].update(phase=phase))

    assert refused(site) == "Replaced"


@pytest.mark.promise("REPORT-3")
def test_a_pod_that_is_gone_is_a_replaced_attempt(site):
    """So is one whose name another pod has by now."""
    site.api.remove("pods", "resize-x")
    assert refused(site) == "Replaced"

    again = site.add_pod("resize-x")
    assert again["metadata"]["uid"] != site.pod["metadata"]["uid"]
    assert refused(site) == "Replaced"
    assert find(site, again).pod_uid == again["metadata"]["uid"]


def test_workers_of_other_namespaces_are_not_heard(site):
    """A gateway for some namespaces has no rights in others, so it asks nothing about their pods."""
    site.attempts = Attempts(site.api, ("billing",))

    assert refused(site) == "NotThisOperation"
    assert site.api.requests == []

    site.attempts = Attempts(site.api, ("billing", "media"))
    assert find(site).pod == "resize-x"


def test_a_pod_that_is_told_to_stop_may_still_report(site):
    """What it has by then is the partial result of a cancelled operation."""
    site.api.change("pods", "resize-x", lambda body: body["metadata"].update(finalizers=["job-tracking"]))
    site.api.remove("pods", "resize-x")

    assert site.api.find("pods", "resize-x")["metadata"]["deletionTimestamp"]
    assert find(site).pod == "resize-x"


@pytest.mark.promise("REPORT-3")
def test_other_pods_are_refused(site):
    """A pod without a Job, and one whose Job only claims to belong to the operation."""
    alone = site.api.add("pods", make_pod("alone").running().body())
    false_job = site.add_job(site.uid, name="resize-of-mine")

    assert refused(site, alone) == "NotThisOperation"
    assert refused(site, site.add_pod("claims", false_job)) == "NotThisOperation"


def test_progress_asks_for_the_pod_twice_a_minute(site):
    """A pod seen alive counts as alive for 30 s; its Job is asked for once."""
    for _ in range(59):
        find(site, surely=False)
        site.clock.advance(1)

    asked = [path.rpartition("/")[2] for method, path, _ in site.api.requests if method == "GET"]
    assert asked.count("resize-x") == 2
    assert len(asked) == 3


def test_a_result_asks_for_the_pod_each_time(site):
    """A result is for good."""
    for _ in range(3):
        find(site)

    assert len([path for _, path, _ in site.api.requests if path.endswith("resize-x")]) == 3


def test_a_pod_that_floods_is_held_back(site):
    """Two hundred reports at once, then fifty a second; other pods are not held back."""
    other = site.add_pod("resize-y")
    for _ in range(200):
        find(site, surely=False)

    with pytest.raises(ReportRefused) as error:
        find(site, surely=False)

    assert (error.value.reason, round(error.value.retry_after, 2)) == ("TooManyReports", 0.02)
    assert find(site, other).pod == "resize-y"
    site.clock.advance(0.1)
    assert find(site, surely=False).pod == "resize-x"
