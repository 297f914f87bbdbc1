"""All the ways to ask for a Job, for tests of who gets one."""

import copy

from tests.support.api import ApiError, path_of
from tests.support.operations import operation, simulated_job, template
from tests.support.waiting import wait_for

DRY = {"dryRun": "All"}
MARK = "smuggled"
OPERATOR = "system:serviceaccount:alo-system:alo-operator"


def inline(name="inline", **spec):
    """An operation with a Job that must not come to be; its container gives it away."""
    job = simulated_job()
    job["spec"]["template"]["spec"]["containers"][0]["name"] = MARK
    return operation(name, job=job, **spec)


def smuggling(name="mine"):
    """A template with such a Job."""
    return template(name, job=inline()["spec"]["job"])


def claiming_job(name, owner=None, labels=None):
    """A Job that says whose it is; without an owner it has one of our labels."""
    claim = labels or ({} if owner else {"alo-operator.io/operation-uid": "0000"})
    metadata = {"name": name, "labels": claim, "ownerReferences": [owner] if owner else []}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, **inline()["spec"]["job"]}


def owner_of(operation, **more):
    """An owner reference to an operation."""
    return {
        "apiVersion": operation["apiVersion"],
        "kind": operation["kind"],
        "name": operation["metadata"]["name"],
        "uid": operation["metadata"]["uid"],
        "controller": True,
    } | more


def edits(tenant, resource, name, spec):
    """All ways to edit the spec of a stored object."""
    path = path_of(resource, tenant.namespace, name)
    stored = tenant.api.request("GET", path)
    applied = {"apiVersion": stored["apiVersion"], "kind": stored["kind"], "metadata": {"name": name}, "spec": spec}
    patch = tenant.api.patch

    def replace():
        replaced = tenant.api.request("GET", path)
        replaced["spec"] |= spec
        try:
            return tenant.api.request("PUT", path, replaced)
        except ApiError as error:
            if error.status != 409:
                raise
            return None  # somebody wrote in between

    json_patch = [{"op": "add", "path": f"/spec/{key}", "value": value} for key, value in spec.items()]
    return {
        "PUT": lambda: wait_for(replace, describe="nobody writes in between"),
        "merge patch": lambda: patch(resource, name, {"spec": spec}, tenant.namespace),
        "JSON patch": lambda: patch(resource, name, json_patch, tenant.namespace, how="json"),
        "server-side apply": lambda: patch(
            resource, name, applied, tenant.namespace, how="apply", fieldManager="me", force="true"
        ),
        "dry run": lambda: patch(resource, name, {"spec": spec}, tenant.namespace, **DRY),
    }


def ways_to_create(tenant, resource, manifest):
    """All ways to create an object."""
    unnamed = copy.deepcopy(manifest)
    name = unnamed["metadata"].pop("name")
    unnamed["metadata"]["generateName"] = "made-"
    return {
        "POST": lambda: tenant.create(manifest, resource),
        "generateName": lambda: tenant.create(unnamed, resource),
        "dry run": lambda: tenant.create(manifest, resource, **DRY),
        "without validation": lambda: tenant.create(manifest, resource, fieldValidation="Ignore"),
        "server-side apply": lambda: tenant.api.patch(
            resource, name, manifest, tenant.namespace, how="apply", fieldManager="me"
        ),
    }


def impersonating(tenant):
    """Post an inline Job in the operator's name."""
    path = path_of("asyncoperations", tenant.namespace)
    headers = tenant.api.access.headers
    headers["Impersonate-User"] = OPERATOR
    try:
        return tenant.api.request("POST", path, inline("in-their-name"))
    finally:
        del headers["Impersonate-User"]
