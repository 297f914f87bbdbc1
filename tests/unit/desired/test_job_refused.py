"""What can never become a Job, and how the refusal tells what to do."""

import pytest

from alo_operator.desired.job import build_job
from alo_operator.errors import InvalidInput, InvalidJob
from tests.support.builders import make_operation


def with_template(template):
    return make_operation().job_spec(template=template)


@pytest.mark.promise("JOB-2")
@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (
            make_operation().job_spec(selector={}),
            "spec.job.spec.selector cannot be set: the Job controller chooses it; remove it and use a new name",
        ),
        (
            make_operation().job_spec(manualSelector=False),
            "spec.job.spec.manualSelector cannot be set: the Job controller chooses the selector",
        ),
        (
            make_operation().job_spec(managedBy="kueue.x-k8s.io/multikueue"),
            "spec.job.spec.managedBy cannot be set: the work must be run by the Job controller of this cluster",
        ),
        (
            make_operation().pod_spec(restartPolicy="OnFailure"),
            "spec.job.spec.template.spec.restartPolicy is 'OnFailure': only Never keeps failed pods",
        ),
        (
            make_operation().pod_spec(restartPolicy=None),
            "spec.job.spec.template.spec.restartPolicy is None",
        ),
        (make_operation().job_spec(template=None), "spec.job.spec.template is missing"),
        (with_template([]), "spec.job.spec.template is not an object"),
        (with_template({}), "spec.job.spec.template.spec is missing"),
        (with_template({"spec": "x"}), "spec.job.spec.template.spec is not an object"),
        (with_template({"spec": {}, "metadata": []}), "spec.job.spec.template.metadata is not an object"),
        (
            with_template({"spec": {}, "metadata": {"labels": "x"}}),
            "spec.job.spec.template.metadata.labels is not an object",
        ),
        (
            with_template({"spec": {}, "metadata": {"annotations": 1}}),
            "spec.job.spec.template.metadata.annotations is not an object",
        ),
        (make_operation().pod_spec(volumes={}), "spec.job.spec.template.spec.volumes must be a list"),
        (
            make_operation().pod_spec(volumes=[{"name": "alo-worker", "emptyDir": {}}]),
            "volumes has one called alo-worker, which is the operator's own name: choose another, under a new name",
        ),
        (
            make_operation().worker(volumeMounts=[{"name": "x", "mountPath": "/alo/"}]),
            "containers mounts a volume at /alo/, but /alo is where input and token are: choose another",
        ),
        (make_operation().worker(volumeMounts=[{"name": "x", "mountPath": "/alo/in"}]), "mounts a volume at /alo/in"),
        (make_operation().pod_spec(containers=[]), "spec.job.spec.template.spec.containers needs at least one"),
        (make_operation().pod_spec(containers={"name": "a"}), "needs at least one container with a name and an image"),
        (make_operation().pod_spec(containers=["a", 1]), "needs at least one container with a name and an image"),
        (make_operation().pod_spec(containers=[{"image": "x"}]), "needs at least one container with a name"),
        (make_operation().worker(env={}), "spec.job.spec.template.spec.containers.env must be a list"),
        (
            make_operation().worker(volumeMounts=""),
            "template.spec.containers.volumeMounts must be a list",
        ),
    ],
    ids=lambda case: case[:60] if isinstance(case, str) else "",
)
def test_work_that_can_never_run_is_refused_with_the_field_and_the_way_out(operation, words):
    """The message names the path as the user wrote it."""
    with pytest.raises(InvalidJob) as refused:
        build_job(operation.view())

    assert words in str(refused.value)


def test_an_input_may_have_64_kib():
    """As compact UTF-8 JSON, since that is what goes into the annotation."""
    fits = {"d": "x" * (65536 - len('{"d":""}'))}

    build_job(make_operation().spec(input=fits).view())
    with pytest.raises(InvalidInput, match=r"spec.input has 65537 bytes and may have 65536: put the data into"):
        build_job(make_operation().spec(input={"d": fits["d"] + "x"}).view())


def test_the_size_of_an_input_is_counted_in_bytes():
    """Characters outside ASCII are not escaped, and count with all their bytes."""
    build_job(make_operation().spec(input={"d": "€" * 21842}).view())
    with pytest.raises(InvalidInput):
        build_job(make_operation().spec(input={"d": "€" * 21843}).view())


def test_a_pod_spec_nested_beyond_reason_is_refused():
    """A hostile spec is the request's own fault, never a pass that fails again and again."""
    deep = 1
    for _ in range(900):
        deep = {"a": deep}

    with pytest.raises(InvalidJob, match="nested"):
        build_job(make_operation().pod_spec(affinity=deep).view())


def test_an_input_nested_beyond_reason_is_refused():
    """A worker could hardly read it, and recursion has an end; 100 levels are still fine."""
    for levels, fits in ((100, True), (127, True), (128, False), (900, False)):
        deep = 1
        for _ in range(levels - 1):
            deep = [deep]
        operation = make_operation().spec(input={"a": deep})
        if fits:
            build_job(operation.view())
        else:
            with pytest.raises(InvalidInput, match="nested more than 128 levels deep"):
                build_job(operation.view())
