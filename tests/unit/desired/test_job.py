"""The Job of an operation: its name, the worker contract, and what is left as the user wrote it."""

import json
import re

import pytest

from alo_operator.api.names import INPUT_ANNOTATION
from alo_operator.desired.job import build_job, job_name
from alo_operator.desired.settings import DEFAULTS, Settings
from tests.support.builders import UID, make_operation

CONTRACT = {"ALO_ID", "ALO_NAMESPACE", "ALO_UID", "ALO_ATTEMPT", "ALO_RESULT_FILE", "TRACEPARENT"}


def pod_of(operation, settings=DEFAULTS):
    return build_job(operation.view(), settings)["spec"]["template"]["spec"]


def worker_of(operation, settings=DEFAULTS):
    return pod_of(operation, settings)["containers"][0]


def variables_of(operation):
    return {variable["name"]: variable.get("value") for variable in worker_of(operation)["env"]}


@pytest.mark.promise("ID-6")
def test_the_name_is_made_of_the_operations_name_and_uid():
    """The same operation always has the same Job name; an operation of the same name after it has another."""
    first, same, other = (make_operation("a", uid).view() for uid in (UID, UID, "another"))

    assert job_name(first) == job_name(same) != job_name(other)
    assert re.fullmatch(r"a-[0-9a-f]{10}", job_name(first))


@pytest.mark.parametrize("name", ["x" * 63, "y" * 45 + "-" + "z" * 17, "a"])
def test_every_name_gives_a_valid_job_name(name):
    """At most 57 characters, so that the pods of an Indexed Job keep their names unclipped, and no double dash."""
    found = job_name(make_operation(name).view())

    assert len(found) <= 57
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", found)


def test_the_job_belongs_to_its_operation():
    """Labels find it, the owner reference lets it go with the operation."""
    operation = make_operation()
    manifest = build_job(operation.view())

    labels = {
        "alo-operator.io/managed": "true",
        "alo-operator.io/operation": "resize",
        "alo-operator.io/operation-uid": UID,
    }
    assert manifest["metadata"]["labels"] == labels
    assert manifest["spec"]["template"]["metadata"]["labels"] == labels
    (owner,) = manifest["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("AsyncOperation", "resize", UID)
    assert owner["controller"] is owner["blockOwnerDeletion"] is True


def test_the_users_labels_and_annotations_are_kept():
    """On Job and pod; ours win where the names are the same."""
    operation = make_operation()
    operation._body["spec"]["job"]["metadata"] = {
        "labels": {"team": "media", "alo-operator.io/operation": "faked"},
        "annotations": {"note": "x", "alo-operator.io/template": "faked"},
    }
    operation._body["spec"]["job"]["spec"]["template"]["metadata"] = {
        "labels": {"app": "resize", "alo-operator.io/operation-uid": "faked"},
        "annotations": {"sidecar": "no"},
    }

    manifest = build_job(operation.view())

    assert manifest["metadata"]["labels"]["team"] == "media"
    assert manifest["metadata"]["labels"]["alo-operator.io/operation"] == "resize"
    assert manifest["metadata"]["annotations"] == {"note": "x"}
    pod = manifest["spec"]["template"]["metadata"]
    assert (pod["labels"]["app"], pod["labels"]["alo-operator.io/operation-uid"]) == ("resize", UID)
    assert pod["annotations"]["sidecar"] == "no"


def test_the_worker_is_told_who_it_works_for():
    """Identity, the attempt's own uid, and where to write the result."""
    operation = make_operation()

    assert variables_of(operation) == {
        "ALO_ID": "resize",
        "ALO_NAMESPACE": "media",
        "ALO_UID": UID,
        "ALO_ATTEMPT": None,
        "ALO_RESULT_FILE": "/dev/termination-log",
        "TRACEPARENT": variables_of(operation)["TRACEPARENT"],
    }
    attempt = next(v for v in worker_of(operation)["env"] if v["name"] == "ALO_ATTEMPT")
    assert attempt["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.uid"}}


def test_the_result_file_is_where_the_user_put_it():
    """A terminationMessagePath of the user's own is respected."""
    operation = make_operation().worker(terminationMessagePath="/tmp/out")

    assert variables_of(operation)["ALO_RESULT_FILE"] == "/tmp/out"


def test_a_trace_goes_on_in_the_worker():
    """The caller's traceparent annotation, or one of the operation's own that never changes."""
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    assert variables_of(make_operation().annotated(traceparent=given))["TRACEPARENT"] == given
    own = variables_of(make_operation())["TRACEPARENT"]
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", own)
    assert own == variables_of(make_operation())["TRACEPARENT"] != variables_of(make_operation(uid="b"))["TRACEPARENT"]


def test_the_users_variables_come_after_ours_and_cannot_replace_them():
    """So that $(ALO_ID) can be used in them; a variable of a name of ours is dropped."""
    env = [
        {"name": "OUT", "value": "/data/$(ALO_ID)"},
        {"name": "ALO_UID", "value": "faked"},
        {"name": "A", "value": ""},
    ]

    names = [variable["name"] for variable in worker_of(make_operation().worker(env=env))["env"]]

    assert set(names[:6]) == CONTRACT
    assert names[6:] == ["OUT", "A"]


def test_the_input_is_a_file_without_an_object_of_its_own():
    """It travels in a pod annotation and is mounted read-only by the downward API."""
    operation = make_operation().spec(input={"source": "s3://in/ü.png", "width": 800, "none": None})

    template = build_job(operation.view())["spec"]["template"]

    assert json.loads(template["metadata"]["annotations"][INPUT_ANNOTATION]) == operation.body()["spec"]["input"]
    (volume,) = template["spec"]["volumes"]
    (source,) = volume["projected"]["sources"]
    (item,) = source["downwardAPI"]["items"]
    assert item == {"fieldRef": {"fieldPath": f"metadata.annotations['{INPUT_ANNOTATION}']"}, "path": "in/input.json"}
    (mount,) = template["spec"]["containers"][0]["volumeMounts"]
    assert mount == {"name": volume["name"], "mountPath": "/alo", "readOnly": True}


def test_work_without_input_gets_an_empty_object():
    """The file is always there, so a worker need not ask."""
    template = build_job(make_operation().view())["spec"]["template"]

    assert template["metadata"]["annotations"][INPUT_ANNOTATION] == "{}"


def test_the_users_volumes_stay():
    """Ours is added to them."""
    operation = make_operation().pod_spec(volumes=[{"name": "data", "emptyDir": {}}])
    operation.worker(volumeMounts=[{"name": "data", "mountPath": "/data"}])

    pod = pod_of(operation)

    assert [volume["name"] for volume in pod["volumes"]] == ["data", "alo-worker"]
    assert [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]] == ["/data", "/alo"]
    assert "projected" in pod["volumes"][1]


@pytest.mark.promise("WORK-3")
def test_only_the_worker_is_equipped():
    """The container named by kubectl's default-container annotation; sidecars and init containers are left alone."""
    operation = make_operation()
    operation.pod_spec(
        containers=[{"name": "proxy", "image": "p"}, {"name": "work", "image": "w"}],
        initContainers=[{"name": "fetch", "image": "f"}],
    )
    template = operation._body["spec"]["job"]["spec"]["template"]
    template["metadata"] = {"annotations": {"kubectl.kubernetes.io/default-container": "work"}}

    pod = pod_of(operation)

    assert pod["containers"][0] == {"name": "proxy", "image": "p"}
    assert pod["initContainers"] == [{"name": "fetch", "image": "f"}]
    assert {variable["name"] for variable in pod["containers"][1]["env"]} == CONTRACT


@pytest.mark.promise("FAIL-2")
@pytest.mark.parametrize(
    ("operation", "log_tail", "policy"),
    [
        (make_operation(), True, "FallbackToLogsOnError"),
        (make_operation(), False, None),
        (make_operation().worker(terminationMessagePolicy="File"), True, "File"),
    ],
)
def test_the_end_of_the_log_is_failure_text_unless_somebody_objects(operation, log_tail, policy):
    """The user's policy stands; the operator's setting can keep logs out of status."""
    assert worker_of(operation, Settings(log_tail=log_tail)).get("terminationMessagePolicy") == policy


@pytest.mark.promise("JOB-2")
def test_what_is_the_operators_own_is_taken_out():
    """A TTL could delete pods before they are read; suspend and deadline have fields of their own."""
    operation = make_operation().job_spec(suspend=True, activeDeadlineSeconds=5, ttlSecondsAfterFinished=0)

    assert {"suspend", "activeDeadlineSeconds", "ttlSecondsAfterFinished"}.isdisjoint(
        build_job(operation.view())["spec"]
    )


def test_a_disruption_uses_up_no_attempt():
    """Ignored where the user has no policy of their own; a failed pod is replaced only once it has ended."""
    spec = build_job(make_operation().job_spec(podReplacementPolicy="TerminatingOrFailed").view())["spec"]

    assert spec["podReplacementPolicy"] == "Failed"
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    own = {"rules": []}
    assert build_job(make_operation().job_spec(podFailurePolicy=own).view())["spec"]["podFailurePolicy"] == own


def test_the_rest_of_the_users_job_is_left_as_it_is():
    """Retries, parallelism and whatever else a Job knows are the Job's own."""
    given = {"backoffLimit": 3, "completions": 5, "parallelism": 2, "completionMode": "Indexed"}
    operation = make_operation().job_spec(**given)
    operation.pod_spec(serviceAccountName="resizer", nodeSelector={"disk": "ssd"})

    spec = build_job(operation.view())["spec"]

    assert (spec["backoffLimit"], spec["completions"], spec["parallelism"], spec["completionMode"]) == (
        3,
        5,
        2,
        "Indexed",
    )
    pod = spec["template"]["spec"]
    assert (pod["serviceAccountName"], pod["nodeSelector"], pod["restartPolicy"]) == (
        "resizer",
        {"disk": "ssd"},
        "Never",
    )


def test_the_operation_is_not_changed_by_building_its_job():
    """The same view is decided on again and again, and its digest must stay what it was."""
    operation = make_operation().worker(env=[{"name": "A", "value": "1"}]).spec(input={"a": [1]})
    view, before = operation.view(), operation.body()["spec"]

    assert build_job(view) == build_job(view)
    assert view.raw_spec == before


def test_a_worker_can_report_where_there_is_a_gateway():
    """It gets the address of its own operation's reports, and a token that is good for nothing else."""
    settings = Settings(report_url="http://gateway.test:81")
    faked = make_operation().worker(env=[{"name": "ALO_REPORT_URL", "value": "http://elsewhere.test"}])

    pod = pod_of(faked, settings)

    urls = [variable["value"] for variable in pod["containers"][0]["env"] if variable["name"] == "ALO_REPORT_URL"]
    assert urls == ["http://gateway.test:81/v1/namespaces/media/operations/resize"]
    (volume,) = pod["volumes"]
    token = {"audience": "alo-operator.io", "expirationSeconds": 3600, "path": "token"}
    assert volume["projected"]["sources"][1:] == [{"serviceAccountToken": token}]
    assert "ALO_REPORT_URL" not in {variable["name"] for variable in worker_of(faked)["env"]}
