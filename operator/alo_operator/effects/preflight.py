"""Before anything is done: does the API server answer, and is everything there that is needed?

Each answer names what to do. Every function raises ConfigurationError.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from alo_operator.api.names import GROUP, OPERATION_PLURAL, VERSION
from alo_operator.effects.cluster import Cluster
from alo_operator.errors import ApiError, ApiUnreachable, ConfigurationError, NotFound, Unauthorized

logger = logging.getLogger(__name__)

TRIES: Final = 4
PAUSE: Final = 1.5

Right = tuple[str | None, str, str, str]
"""Namespace (None: all), verb, API group, resource or resource/subresource."""


async def reach(cluster: Cluster) -> None:
    """Make sure that the API server answers and knows us."""
    for attempt in range(1, TRIES + 1):
        try:
            version = await cluster.get("version")
            logger.info("connected", extra={"kubernetes": version.get("gitVersion")})
            return
        except ApiUnreachable as error:
            if attempt == TRIES:
                raise ConfigurationError(
                    f"the API server does not answer ({error})",
                    "Check that the cluster runs and that the server address in the kubeconfig is right",
                ) from error
            logger.warning("the API server does not answer yet", extra={"attempt": attempt, "error": str(error)})
            await asyncio.sleep(PAUSE)
        except Unauthorized as error:
            raise ConfigurationError(
                f"the API server does not know these credentials ({error.message})", "Get a new kubeconfig or token"
            ) from error
        except ApiError as error:
            raise ConfigurationError(f"the API server refuses to talk: {error}", "Check the kubeconfig") from error


async def find_kinds(cluster: Cluster, *others: str) -> None:
    """Make sure that the CRD of operations is installed, and those of `others`, named by their plurals."""
    try:
        found = await cluster.get(f"apis/{GROUP}/{VERSION}")
    except NotFound:
        found = {}
    except ApiError as error:
        raise ConfigurationError(f"the API group {GROUP} cannot be looked up: {error}", "Check RBAC") from error
    names = {resource.get("name") for resource in found.get("resources") or ()}
    missing = [wanted for wanted in (OPERATION_PLURAL, f"{OPERATION_PLURAL}/status", *others) if wanted not in names]
    if missing:
        plural = missing[0].partition("/")[0]
        raise ConfigurationError(
            f"the CustomResourceDefinition {plural}.{GROUP} ({VERSION}) is not installed",
            "Install it with: kubectl apply --server-side -f crds/",
        )


async def demand_rights(cluster: Cluster, whose: str, rights: Iterable[Right]) -> None:
    """Make sure that we may do all of `rights`; `whose` begins the sentence that names what is missing."""
    asked = list(rights)
    granted = await asyncio.gather(*(_may(cluster, *question) for question in asked))
    missing: dict[tuple[str | None, str, str], list[str]] = {}
    for (namespace, verb, group, resource), yes in zip(asked, granted, strict=True):
        if not yes:
            missing.setdefault((namespace, group, resource), []).append(verb)
    if missing:
        raise ConfigurationError(
            f"{whose} lacks rights: {'; '.join(_right(verbs, *where) for where, verbs in missing.items())}",
            "Install the shipped roles with: kubectl apply -k manifests/base (or run with an admin kubeconfig)",
        )


def _right(verbs: list[str], namespace: str | None, group: str, resource: str) -> str:
    kind, slash, subresource = resource.partition("/")
    what = f"{kind}.{group}".rstrip(".") + slash + subresource
    return f"{', '.join(verbs)} {what} in {f'namespace {namespace}' if namespace else 'all namespaces'}"


async def _may(cluster: Cluster, namespace: str | None, verb: str, group: str, resource: str) -> bool:
    kind, _, subresource = resource.partition("/")
    attributes = {
        "verb": verb,
        "group": group,
        "resource": kind,
        "subresource": subresource,
        "namespace": namespace or "",
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    try:
        answer = await cluster.request("POST", "apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review)
    except (ApiError, ApiUnreachable) as error:
        raise ConfigurationError(f"our rights cannot be looked up: {error}", "Check the API server") from error
    return bool(answer.get("status", {}).get("allowed"))
