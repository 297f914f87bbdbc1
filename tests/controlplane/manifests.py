"""Operations with much and with little in them, and writing them back changed."""

import copy
from collections.abc import Callable
from typing import Any

from tests.support.api import Api
from tests.support.operations import operation, shell_job

Object = dict[str, Any]
Change = Callable[[Object], object]


def full_operation(name: str = "full") -> Object:
    """An operation with every field of a spec but templateRef."""
    job = shell_job("exit 0")
    job["metadata"] = {"labels": {"team": "media"}}
    return operation(
        name,
        job=job,
        input={"source": "s3://in/cat.png", "width": 800, "ratio": 1.0, "deep": {"list": [1, "2", {"three": 3}]}},
        metadata={"requestedBy": "billing"},
        timeouts={"scheduleToStart": "10m", "startToClose": "1h", "scheduleToClose": "2h"},
        callbacks=[{"name": "billing", "url": "https://billing.example/alo", "format": "CloudEvents"}],
        suspend=True,
        cancel={"reason": "withdrawn"},
        readyWhen="Started",
        retention={"job": "1h", "record": "720h"},
    )


def bare_operation(name: str = "bare") -> Object:
    """An operation with nothing but a reference to a template."""
    return operation(name, template="resize-image")


def put(api: Api, namespace: str, manifest: Object, change: Change) -> Object:
    """Replace the stored object of the manifest's name by one whose spec `change` has altered; the API's answer."""
    name = manifest["metadata"]["name"]
    stored = api.get("asyncoperations", namespace, name)
    assert stored is not None
    changed = copy.deepcopy(stored)
    change(changed["spec"])
    return api.request("PUT", f"/apis/alo-operator.io/v1alpha1/namespaces/{namespace}/asyncoperations/{name}", changed)
