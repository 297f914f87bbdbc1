"""Holding the operator back between two of its writes: the API server refuses the second one for as long as asked.

A process that is killed meanwhile has died in exactly that gap.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import StrEnum

from tests.support.api import Api, ApiError
from tests.support.audit import OPERATOR_USER
from tests.support.stage import Stage
from tests.support.waiting import wait_for

LABEL = "alo-test/hold"
NOTHING = "nothing"
REFUSED = "held back: "


class Write(StrEnum):
    """A write that can be held back; the value is CEL on the request, true for that write."""

    JOB_PATCH = "request.resource.resource == 'jobs' && request.operation == 'UPDATE'"
    JOB_DELETION = "request.resource.resource == 'jobs' && request.operation == 'DELETE'"
    PAUSED = "request.resource.resource == 'asyncoperations' && object.status.phase == 'Paused'"
    RESUMED = (
        "request.resource.resource == 'asyncoperations' && has(object.status.conditions) && "
        "object.status.conditions.exists(c, c.type == 'Suspended' && c.status == 'False')"
    )
    SETTLED = "request.resource.resource == 'asyncoperations' && object.status.promise != 'Pending'"


class Hold:
    """Made by `holding`: `hold(Write.PAUSED)` refuses that write from now on and lets all others through."""

    def __init__(self, stage: Stage, probe: str, operator: Api) -> None:
        self.stage, self.probe, self.operator = stage, probe, operator

    def __call__(self, write: Write | None) -> None:
        """Return when the API server does as asked; None: everything passes."""
        wanted = write.name if write else NOTHING
        self.stage.api.patch("namespaces", self.stage.namespace, {"metadata": {"labels": {LABEL: wanted}}})
        wait_for(lambda: self._answer() == wanted, 30, f"the API server holds back {wanted}", 0.05)

    def _answer(self) -> str:
        """What is held back, in the API server's words: each try that would change nothing is answered with it."""
        body = {"metadata": {"labels": {"alo-test/probe": "x"}}}
        try:
            self.operator.patch(
                "asyncoperations", self.probe, body, self.stage.namespace, subresource="status", dryRun="All"
            )
        except ApiError as error:
            return str(error).rpartition(REFUSED)[2]
        return ""


@contextmanager
def holding(stage: Stage, probe: str) -> Iterator[Hold]:
    """Install what can hold the operator's writes back in the stage's namespace; `probe`: any operation in it."""
    name = f"{stage.namespace}-hold"
    place = {"matchLabels": {"kubernetes.io/metadata.name": stage.namespace}}
    held = " || ".join(f"(variables.hold == '{write.name}' && {write.value})" for write in Write)
    policy = {
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": place,
                "resourceRules": [
                    rule("alo-operator.io", "v1alpha1", "asyncoperations/status", "UPDATE"),
                    rule("batch", "v1", "jobs", "UPDATE", "DELETE"),
                ],
            },
            "matchConditions": [{"name": "operator", "expression": f"request.userInfo.username == '{OPERATOR_USER}'"}],
            "variables": [{"name": "hold", "expression": f"namespaceObject.metadata.labels['{LABEL}']"}],
            "validations": [
                {
                    "expression": f"!request.dryRun && !({held})",
                    "messageExpression": f"'{REFUSED}' + variables.hold",
                    "reason": "Forbidden",
                }
            ],
        },
    }
    api = stage.api
    api.patch("namespaces", stage.namespace, {"metadata": {"labels": {LABEL: NOTHING}}})
    api.create("validatingadmissionpolicies", policy)
    try:
        binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": {"namespaceSelector": place}}
        api.create("validatingadmissionpolicybindings", {"metadata": {"name": name}, "spec": binding})
        with closing(Api(stage.operators.kubeconfig)) as operator:
            yield Hold(stage, probe, operator)
    finally:
        api.delete("validatingadmissionpolicybindings", name)
        api.delete("validatingadmissionpolicies", name)


def rule(group: str, version: str, resource: str, *verbs: str) -> dict[str, list[str]]:
    return {"apiGroups": [group], "apiVersions": [version], "resources": [resource], "operations": list(verbs)}
