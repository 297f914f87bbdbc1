"""From an operation to its Job: the deterministic name, and the worker contract written into the pod."""

from __future__ import annotations

import copy
from functools import lru_cache
from typing import Any, Final

from alo_operator.api import limits
from alo_operator.api.names import GROUP, INPUT_ANNOTATION, REPORT_AUDIENCE
from alo_operator.desired.adoption import adoption_annotations
from alo_operator.desired.deadlines import backstop
from alo_operator.desired.digest import short_hash
from alo_operator.desired.fields import MAX_DEPTH, Json, compact, entries, section, too_deep, utf8_size
from alo_operator.desired.observed import OperationView
from alo_operator.desired.ownership import labels_of, owner_reference
from alo_operator.desired.pod_view import worker_container_name
from alo_operator.desired.settings import DEFAULTS, Settings
from alo_operator.desired.template import input_variables, job_of
from alo_operator.desired.template_view import TemplateView
from alo_operator.errors import InvalidInput, InvalidJob

WORKER_DIRECTORY: Final = "/alo"
WORKER_VOLUME: Final = "alo-worker"
INPUT_FILE: Final = "in/input.json"
TOKEN_FILE: Final = "token"  # noqa: S105 - where it is
TOKEN_SECONDS: Final = 3600  # the kubelet puts a new one there after four fifths of it
DEFAULT_MESSAGE_PATH: Final = "/dev/termination-log"

_NAME_PREFIX: Final = 46  # with dash and hash 57: an Indexed Job's pods still get six characters for their index
_OWNED: Final = ("suspend", "activeDeadlineSeconds", "ttlSecondsAfterFinished")
_REFUSED: Final = {
    "selector": "the Job controller chooses it",
    "manualSelector": "the Job controller chooses the selector",
    "managedBy": "the work must be run by the Job controller of this cluster",
}


def job_name(operation: OperationView) -> str:
    """The one name the Job of this operation can have; another operation of the same name gets another."""
    return job_name_of(operation.name, operation.uid)


@lru_cache(maxsize=4096)  # asked for at each event of the Job, and in each pass
def job_name_of(name: str, uid: str) -> str:
    """The same, of the operation with this name and uid."""
    return f"{name[:_NAME_PREFIX].rstrip('-.')}-{short_hash(uid)}"


def job_name_known(operation: OperationView) -> str:
    """The name its Job has on record, or is going to have."""
    return operation.status.job.name if operation.status.job else job_name(operation)


def build_job(
    operation: OperationView, settings: Settings = DEFAULTS, template: TemplateView | None = None
) -> dict[str, Any]:
    """The batch/v1 Job for an operation, or for one of `template`, ready to be posted with strict field validation.

    Raises:
        InvalidJob: `spec.job` has something we refuse, or lacks what every Job needs.
        InvalidInput: `spec.input` is larger than 64 KiB, nested beyond reason, or fits no environment variable.
    """
    raw = operation.raw_spec or {}
    job = job_of(template, raw)
    if too_deep(job, MAX_DEPTH - 1):
        raise InvalidJob(f"spec.job is nested more than {MAX_DEPTH} levels deep, which no Job is; use a new name")
    spec = copy.deepcopy(dict(section(job, "spec")))
    for name, why in _REFUSED.items():
        if name in spec:
            raise InvalidJob(f"spec.job.spec.{name} cannot be set: {why}; remove it and use a new name")
    for name in _OWNED:
        spec.pop(name, None)
    pod_template = _object(spec, "template", "spec.job.spec")
    pod = _object(pod_template, "spec", "spec.job.spec.template")
    if pod.setdefault("restartPolicy", "Never") != "Never":
        raise InvalidJob(
            f"spec.job.spec.template.spec.restartPolicy is {pod['restartPolicy']!r}: only Never keeps failed pods and "
            "their last words; use Never with backoffLimit for retries, under a new name"
        )
    if (limit := backstop(operation.timeouts)) is not None:
        spec["activeDeadlineSeconds"] = limit
    spec["podReplacementPolicy"] = "Failed"
    # A node that goes away is not the work's fault and must not use up an attempt.
    spec.setdefault(
        "podFailurePolicy", {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}
    )
    labels = labels_of(operation.name, operation.uid)
    metadata = _object(pod_template, "metadata", "spec.job.spec.template", create=True)
    _object(metadata, "labels", "spec.job.spec.template.metadata", create=True).update(labels)
    _hand_over_input(raw, metadata, pod, settings)
    given = input_variables(template, section(raw, "input")) if template else []
    _equip_worker(operation, metadata, pod, settings, given)
    own = section(job, "metadata")
    # What the Job says of its template is what the operator found there, and nobody else's word.
    notes = {
        name: value for name, value in section(own, "annotations").items() if not str(name).startswith(f"{GROUP}/")
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(operation),
            "namespace": operation.namespace,
            "labels": {**section(own, "labels"), **labels},
            "annotations": {**notes, **(adoption_annotations(template) if template else {})},
            "ownerReferences": [owner_reference(operation.name, operation.uid)],
        },
        "spec": spec,
    }


def _object(parent: dict[str, Any], key: str, path: str, *, create: bool = False) -> dict[str, Any]:
    found = parent.get(key)
    if found is None and create:
        found = parent[key] = {}
    if not isinstance(found, dict):
        raise InvalidJob(
            f"{path}.{key} is {'missing' if found is None else 'not an object'}; write the pod's {key} there"
        )
    return found


def _list(parent: dict[str, Any], key: str, path: str) -> list[Any]:
    found = parent.setdefault(key, [])
    if not isinstance(found, list):
        raise InvalidJob(f"{path}.{key} must be a list")
    return found


def _hand_over_input(raw: Json, metadata: dict[str, Any], pod: dict[str, Any], settings: Settings) -> None:
    if too_deep(raw.get("input"), MAX_DEPTH - 1):
        raise InvalidInput(
            f"spec.input is nested more than {MAX_DEPTH} levels deep: pass it as a string, under a new name"
        )
    handed = compact(raw.get("input") or {})
    size = utf8_size(handed)
    if size > limits.INPUT_BYTES:
        raise InvalidInput(
            f"spec.input has {size} bytes and may have {limits.INPUT_BYTES}: put the data into an object store, a "
            "volume or a ConfigMap and pass where it is, under a new name"
        )
    annotations = _object(metadata, "annotations", "spec.job.spec.template.metadata", create=True)
    annotations[INPUT_ANNOTATION] = handed
    volumes = _list(pod, "volumes", "spec.job.spec.template.spec")
    if any(isinstance(volume, dict) and volume.get("name") == WORKER_VOLUME for volume in volumes):
        raise InvalidJob(
            f"spec.job.spec.template.spec.volumes has one called {WORKER_VOLUME}, which is the operator's own name: "
            "choose another, under a new name"
        )
    field = {"fieldRef": {"fieldPath": f"metadata.annotations['{INPUT_ANNOTATION}']"}, "path": INPUT_FILE}
    sources: list[dict[str, Any]] = [{"downwardAPI": {"items": [field]}}]
    if settings.report_url:
        token = {"audience": REPORT_AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": TOKEN_FILE}
        sources.append({"serviceAccountToken": token})
    volumes.append({"name": WORKER_VOLUME, "projected": {"sources": sources}})


def _equip_worker(
    operation: OperationView,
    metadata: dict[str, Any],
    pod: dict[str, Any],
    settings: Settings,
    given: list[dict[str, Any]],
) -> None:
    path = "spec.job.spec.template.spec.containers"
    name = worker_container_name(metadata, pod)
    worker = next((c for c in entries(pod, "containers") if c.get("name") == name and name), None)
    if not isinstance(worker, dict):
        raise InvalidJob(f"{path} needs at least one container with a name and an image")
    if settings.log_tail:
        worker.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    ours: list[dict[str, Any]] = [
        {"name": "ALO_ID", "value": operation.name},
        {"name": "ALO_NAMESPACE", "value": operation.namespace},
        {"name": "ALO_UID", "value": operation.uid},
        {"name": "ALO_ATTEMPT", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        {"name": "ALO_RESULT_FILE", "value": worker.get("terminationMessagePath") or DEFAULT_MESSAGE_PATH},
        {"name": "TRACEPARENT", "value": operation.traceparent or _traceparent(operation.uid)},
    ]
    if settings.report_url:
        path_of_reports = f"v1/namespaces/{operation.namespace}/operations/{operation.name}"
        ours.append({"name": "ALO_REPORT_URL", "value": f"{settings.report_url}/{path_of_reports}"})
    ours += given
    # Where there is no gateway, nobody may stand in for it.
    taken = {variable["name"] for variable in ours} | {"ALO_REPORT_URL"}
    variables = _list(worker, "env", path)
    # Ours first, so that the user's own may refer to them as $(ALO_ID).
    variables[:] = ours + [v for v in variables if not (isinstance(v, dict) and v.get("name") in taken)]
    mounts = _list(worker, "volumeMounts", path)
    for mount in mounts:
        place = mount.get("mountPath") if isinstance(mount, dict) else None
        if isinstance(place, str) and f"{place.rstrip('/')}/".startswith(f"{WORKER_DIRECTORY}/"):
            raise InvalidJob(
                f"{path} mounts a volume at {place}, but {WORKER_DIRECTORY} is where input and token are: "
                "choose another place, under a new name"
            )
    mounts.append({"name": WORKER_VOLUME, "mountPath": WORKER_DIRECTORY, "readOnly": True})


def _traceparent(uid: str) -> str:
    """A W3C trace context (version 00, sampled) of the operation's own, the same at every look."""
    digest = short_hash(f"traceparent:{uid}", 48)
    return f"00-{digest[:32]}-{digest[32:]}-01"
