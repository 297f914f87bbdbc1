"""The CRDs, made from the models: `python -m alo_operator.api.crd --write crds/` or `--check crds/`."""

import inspect
from collections.abc import Iterable
from typing import Any, Final

import yaml
from pydantic import BaseModel

from alo_operator.api import names, rules
from alo_operator.api.generated import run
from alo_operator.api.operation import AsyncOperation, OperationTemplate
from alo_operator.api.schema import JsonSchema, structural_schema
from alo_operator.api.spec import OperationSpec
from alo_operator.api.status import OperationStatus
from alo_operator.api.template import TemplateSpec

HEADER: Final = "# Generated from the models in operator/alo_operator/api by `make generate`; do not edit.\n"

# The only defaults the API server fills in; see `schema`.
SCHEMA_DEFAULTS: Final = {"OperationSpec": ("suspend", "readyWhen"), "Callback": ("format",)}

# An operation that nobody has looked at yet must not look finished to kstatus and the like.
STATUS_DEFAULT: Final = {"observedGeneration": -1, "promise": "Pending", "phase": "Pending"}

_ROOT_DESCRIPTIONS: Final = {
    "apiVersion": "Version of this object's schema: alo-operator.io/v1alpha1.",
    "kind": "Kind of this object.",
}


def condition_path(kind: str, field: str) -> str:
    """JSONPath of one condition's field."""
    return f'.status.conditions[?(@.type=="{kind}")].{field}'


def _column(name: str, path: str, text: str, *, kind: str = "string", wide: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "description": text,
        "jsonPath": path,
        "priority": 1 if wide else 0,
    }


OPERATION_COLUMNS: Final = (
    _column("Phase", ".status.phase", "Where the operation stands."),
    _column("Progress", ".status.progress.summary", "How far the work has come."),
    _column("Reason", condition_path("Succeeded", "reason"), "Why it stands there."),
    _column("Started", ".status.startTime", "When the work started.", kind="date"),
    _column("Finished", ".status.completionTime", "When the promise was settled.", kind="date"),
    _column("Age", ".metadata.creationTimestamp", "When the operation was created.", kind="date"),
    _column("Template", ".spec.templateRef.name", "The OperationTemplate it runs.", wide=True),
    _column("Job", ".status.job.name", "The Job that does the work.", wide=True),
    _column("Message", condition_path("Succeeded", "message"), "The reason in a sentence.", wide=True),
)

TEMPLATE_COLUMNS: Final = (
    _column("Service", ".spec.service", "The service it belongs to."),
    _column("Limit", ".spec.concurrency.limit", "How many may run at once.", kind="integer"),
    _column("Age", ".metadata.creationTimestamp", "When the template was created.", kind="date"),
    _column("Description", ".spec.description", "What the operation does.", wide=True),
)

SELECTABLE_FIELDS: Final = (".status.phase", ".status.promise", ".spec.templateRef.name")


def operation_schema() -> JsonSchema:
    """The schema of a whole AsyncOperation, CEL rules included."""
    spec = _described(structural_schema(OperationSpec, SCHEMA_DEFAULTS), AsyncOperation, "spec")
    spec["x-kubernetes-validations"] = list(rules.SPEC_RULES)
    spec["properties"]["metadata"]["x-kubernetes-validations"] = list(rules.METADATA_RULES)
    spec["properties"]["callbacks"]["items"]["x-kubernetes-validations"] = list(rules.CALLBACK_RULES)
    status = _described(structural_schema(OperationStatus, SCHEMA_DEFAULTS), AsyncOperation, "status")
    status["default"] = dict(STATUS_DEFAULT)
    _written_whole(status["properties"].values())
    status["x-kubernetes-validations"] = list(rules.STATUS_RULES)
    root = _root(AsyncOperation, {"spec": spec, "status": status})
    root["x-kubernetes-validations"] = [rules.name_rule(names.OPERATION_KIND), *rules.ROOT_RULES]
    return root


def template_schema() -> JsonSchema:
    """The schema of a whole OperationTemplate."""
    spec = _described(structural_schema(TemplateSpec, SCHEMA_DEFAULTS), OperationTemplate, "spec")
    root = _root(OperationTemplate, {"spec": spec})
    root["x-kubernetes-validations"] = [rules.name_rule(names.TEMPLATE_KIND)]
    return root


def operation_crd() -> dict[str, Any]:
    """The CustomResourceDefinition of AsyncOperation."""
    version = {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": list(OPERATION_COLUMNS),
        "selectableFields": [{"jsonPath": path} for path in SELECTABLE_FIELDS],
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": operation_schema()},
    }
    words = {
        "kind": names.OPERATION_KIND,
        "listKind": names.OPERATION_LIST_KIND,
        "plural": names.OPERATION_PLURAL,
        "singular": names.OPERATION_SINGULAR,
        "shortNames": [names.OPERATION_SHORT],
        "categories": [names.CATEGORY],
    }
    return _crd(words, version)


def template_crd() -> dict[str, Any]:
    """The CustomResourceDefinition of OperationTemplate; it has no status."""
    version = {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": list(TEMPLATE_COLUMNS),
        "schema": {"openAPIV3Schema": template_schema()},
    }
    words = {
        "kind": names.TEMPLATE_KIND,
        "listKind": names.TEMPLATE_LIST_KIND,
        "plural": names.TEMPLATE_PLURAL,
        "singular": names.TEMPLATE_SINGULAR,
        "shortNames": [names.TEMPLATE_SHORT],
        "categories": [names.CATEGORY],
    }
    return _crd(words, version)


def files() -> dict[str, str]:
    """File name to content, the same on every run."""
    return {
        f"{names.OPERATION_PLURAL}.yaml": HEADER + _to_yaml(operation_crd()),
        f"{names.TEMPLATE_PLURAL}.yaml": HEADER + _to_yaml(template_crd()),
    }


def _crd(words: dict[str, Any], version: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{words['plural']}.{names.GROUP}"},
        "spec": {"group": names.GROUP, "scope": "Namespaced", "names": words, "versions": [version]},
    }


def _root(model: type[BaseModel], parts: dict[str, JsonSchema]) -> JsonSchema:
    plain = {name: {"description": text, "type": "string"} for name, text in _ROOT_DESCRIPTIONS.items()}
    return {
        "description": inspect.getdoc(model),
        "type": "object",
        "required": ["spec"],
        "properties": {**plain, "metadata": {"type": "object"}, **parts},
    }


def _written_whole(fields: Iterable[JsonSchema]) -> None:
    """Make every object, and every entry of a list, one value for server-side apply.

    managedFields then name what was written, not every part of it: a fifth of a settled operation's size, and a
    fourth of what the API server spends on a write to it.
    """
    for field in fields:
        whole = field.get("items", field)
        if whole["type"] == "object":
            whole["x-kubernetes-map-type"] = "atomic"


def _described(schema: JsonSchema, owner: type[BaseModel], field: str) -> JsonSchema:
    return schema | {"description": owner.model_fields[field].description}


class _Dumper(yaml.SafeDumper):
    """Lists indented under their key, no anchors for repeated parts."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        return True


def _to_yaml(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


if __name__ == "__main__":
    raise SystemExit(run(files(), "make generate"))
