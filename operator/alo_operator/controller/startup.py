"""Before anything is watched: is everything there that the operator needs? Each answer names what to do."""

from __future__ import annotations

from typing import Final

from alo_operator.api.names import GROUP, OPERATION_PLURAL, TEMPLATE_PLURAL
from alo_operator.controller.options import Options
from alo_operator.effects import preflight
from alo_operator.effects.cluster import Cluster

# (verbs, group, resource): what one pass may need. The shipped ClusterRole grants just this.
NEEDED: Final = (
    (("get", "list", "watch", "patch", "delete"), GROUP, OPERATION_PLURAL),
    (("patch",), GROUP, f"{OPERATION_PLURAL}/status"),
    (("update",), GROUP, f"{OPERATION_PLURAL}/finalizers"),
    (("get", "list", "watch"), GROUP, TEMPLATE_PLURAL),
    (("get", "list", "watch", "create", "patch", "delete"), "batch", "jobs"),
    (("list", "watch"), "", "pods"),
    (("get",), "", "configmaps"),
    (("list", "create"), "", "events"),
)
LEASE_NEEDED: Final = (("get", "create", "update"), "coordination.k8s.io", "leases")


async def check(cluster: Cluster, options: Options) -> None:
    """Make sure of the API server, the CRD, the rights and the Lease's namespace.

    Raises:
        ConfigurationError: what is missing, and what to do about it.
    """
    await preflight.reach(cluster)
    await preflight.find_kinds(cluster, TEMPLATE_PLURAL)
    rights: list[preflight.Right] = [
        (namespace, verb, group, resource)
        for namespace in options.namespaces or (None,)
        for verbs, group, resource in NEEDED
        for verb in verbs
    ]
    rights += [(options.lease.namespace, verb, *LEASE_NEEDED[1:]) for verb in LEASE_NEEDED[0]]
    await preflight.demand_rights(cluster, "the operator's user", rights)
