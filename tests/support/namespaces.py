"""A namespace for each test, gone afterwards whatever stands in its way."""

import secrets

from tests.support.api import Api, ApiError, Object
from tests.support.waiting import wait_for

PREFIX = "alo-test-"


def make(api: Api, labels: dict[str, str] | None = None) -> str:
    """Make a namespace under a new name, ready for pods, and return the name."""
    name = PREFIX + secrets.token_hex(4)
    api.create("namespaces", {"metadata": {"name": name, "labels": labels or {}}})
    wait_for(
        lambda: api.get("serviceaccounts", name, "default"),
        timeout=30,
        describe=f"namespace {name} has its default service account",
        interval=0.02,
    )
    return name


def remove(api: Api, name: str) -> None:
    """Ask for a namespace's deletion. Only for when no operator runs in it: finalizers are taken off by force."""
    api.delete("namespaces", name)
    for operation in _operations(api, name):
        if operation["metadata"].get("finalizers"):
            free(api, name, operation["metadata"]["name"])


def free(api: Api, namespace: str, operation: str) -> None:
    """Take all finalizers off an operation; fine if it is gone."""
    try:
        api.patch("asyncoperations", operation, {"metadata": {"finalizers": None}}, namespace)
    except ApiError as error:
        if error.status != 404:
            raise


def wait_until_gone(api: Api, names: list[str], timeout: float = 90.0) -> None:
    """Return when none of the namespaces is left; pods of real containers take their grace period."""

    def left() -> list[str]:
        present = {item["metadata"]["name"] for item in api.list("namespaces")}
        return sorted(present & set(names))

    wait_for(lambda: not left(), timeout, lambda: f"namespaces {left()} are deleted", interval=0.25)


def _operations(api: Api, namespace: str) -> list[Object]:
    try:
        return api.list("asyncoperations", namespace)
    except ApiError as error:
        if error.status == 404:  # the CRD is not installed
            return []
        raise
