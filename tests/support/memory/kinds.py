"""The kinds that are served, and how each differs in what the API server does with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from alo_operator.api.names import GROUP, OPERATION_KIND, OPERATION_PLURAL, TEMPLATE_KIND, TEMPLATE_PLURAL, VERSION


@dataclass(frozen=True)
class Kind:
    """One kind. `fields` are those beside metadata, which all others are dropped for; () where any is taken."""

    api_version: str
    kind: str
    plural: str
    fields: tuple[str, ...] = ()
    custom: bool = False  # defined by a CRD
    status: bool = False  # has a status of its own, which writes to the object leave alone
    generation: bool = False  # counts changes of its spec
    unconditional: bool = True  # may be replaced without a resourceVersion
    made_by_update: bool = False  # a replacement of what is not there creates it
    orphans: bool = False  # a deletion that names no policy leaves the dependents
    selectable: tuple[str, ...] = ()

    @property
    def in_core(self) -> bool:
        return "/" not in self.api_version


_EVENT_FIELDS: Final = (
    *(f"involvedObject.{name}" for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion")),
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
)
_POD_FIELDS: Final = (
    *("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork"),
    *("status.phase", "status.podIP", "status.nominatedNodeName"),
)

OPERATIONS: Final = Kind(
    f"{GROUP}/{VERSION}",
    OPERATION_KIND,
    OPERATION_PLURAL,
    ("spec", "status"),
    custom=True,
    status=True,
    generation=True,
    unconditional=False,
    selectable=("status.phase", "status.promise", "spec.templateRef.name"),
)
TEMPLATES: Final = Kind(
    f"{GROUP}/{VERSION}", TEMPLATE_KIND, TEMPLATE_PLURAL, ("spec",), custom=True, generation=True, unconditional=False
)
JOBS: Final = Kind(
    "batch/v1",
    "Job",
    "jobs",
    ("spec", "status"),
    status=True,
    generation=True,
    orphans=True,
    selectable=("status.successful",),
)
PODS: Final = Kind("v1", "Pod", "pods", status=True, selectable=_POD_FIELDS)
CONFIG_MAPS: Final = Kind("v1", "ConfigMap", "configmaps", ("data", "binaryData", "immutable"))
SECRETS: Final = Kind("v1", "Secret", "secrets", ("data", "type", "immutable"))
EVENTS: Final = Kind("v1", "Event", "events", made_by_update=True, selectable=_EVENT_FIELDS)
LEASES: Final = Kind("coordination.k8s.io/v1", "Lease", "leases", ("spec",), unconditional=False, made_by_update=True)

_ALL: Final = (OPERATIONS, TEMPLATES, JOBS, PODS, CONFIG_MAPS, SECRETS, EVENTS, LEASES)
KINDS: Final = {kind.plural: kind for kind in _ALL}


def kind_of(plural: str) -> Kind:
    """The kind of this plural. Raises NotImplementedError for one that is not served."""
    if plural not in KINDS:
        raise NotImplementedError(f"the API server in memory has no {plural}")
    return KINDS[plural]
