"""Manifests for tests: operations, templates and the Jobs they run."""

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]

API_VERSION = "alo-operator.io/v1alpha1"
SHELL_IMAGE = "alo.local/shell:1"
PYTHON_IMAGE = "alo.local/python:1"


def operation(
    name: str,
    *,
    job: Object | None = None,
    template: str | None = None,
    input: Mapping[str, Any] | None = None,
    namespace: str | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> Object:
    """Return an AsyncOperation. Without `job` and `template` it runs a simulated Job; `spec` holds further fields."""
    if job is None and template is None:
        job = simulated_job()
    defining: Object = {"templateRef": {"name": template}} if template else {"job": job}
    if input is not None:
        defining["input"] = dict(input)
    return {
        "apiVersion": API_VERSION,
        "kind": "AsyncOperation",
        "metadata": _metadata(name, namespace, labels, annotations),
        "spec": defining | spec,
    }


def template(name: str, *, job: Object | None = None, namespace: str | None = None, **spec: Any) -> Object:
    """Return an OperationTemplate; without `job` it runs a simulated one."""
    return {
        "apiVersion": API_VERSION,
        "kind": "OperationTemplate",
        "metadata": _metadata(name, namespace, None, None),
        "spec": {"job": job or simulated_job()} | spec,
    }


def shell_job(script: str, *, grace_seconds: int = 5, **job_spec: Any) -> Object:
    """Return a Job that runs a POSIX shell script in a real container; it is retried only if `job_spec` says so."""
    return _job([_container(SHELL_IMAGE, ["/bin/sh", "-c", script])], grace_seconds, job_spec)


def python_job(script: str, *, grace_seconds: int = 5, **job_spec: Any) -> Object:
    """Return a Job that runs a Python program (standard library only) in a real container."""
    return _job([_container(PYTHON_IMAGE, ["python3", "-c", script])], grace_seconds, job_spec)


def simulated_job(
    seconds: float = 0,
    exit_code: int = 0,
    *,
    message: str | None = None,
    never_start: bool = False,
    **job_spec: Any,
) -> Object:
    """Return a Job for simulated nodes: it seems to run for `seconds`, then ends with `exit_code` and `message`."""
    annotations = {"alo-test/run-seconds": f"{seconds:g}", "alo-test/exit-code": str(exit_code)}
    if message is not None:
        annotations["alo-test/message"] = message
    if never_start:
        annotations["alo-test/never-start"] = "true"
    job = _job([_container(SHELL_IMAGE, ["true"])], 0, job_spec)
    pod = job["spec"]["template"]
    pod["metadata"] = {"annotations": annotations}
    pod["spec"]["nodeSelector"] = {"type": "kwok"}
    pod["spec"]["tolerations"] = [{"key": "kwok.x-k8s.io/node", "operator": "Exists", "effect": "NoSchedule"}]
    return job


def _container(image: str, command: list[str]) -> Object:
    return {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": command}


def _job(containers: list[Object], grace_seconds: int, job_spec: Mapping[str, Any]) -> Object:
    pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": grace_seconds, "containers": containers}
    return {"spec": {"backoffLimit": 0} | dict(job_spec) | {"template": {"spec": pod}}}


def _metadata(
    name: str,
    namespace: str | None,
    labels: Mapping[str, str] | None,
    annotations: Mapping[str, str] | None,
) -> Object:
    optional = {
        "namespace": namespace,
        "labels": labels and dict(labels),
        "annotations": annotations and dict(annotations),
    }
    return {"name": name} | {key: value for key, value in optional.items() if value}
