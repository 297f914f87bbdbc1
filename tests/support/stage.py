"""A namespace with operations in it, and what tests ask about them."""

from dataclasses import dataclass
from typing import Any

from tests.support.api import Api, ApiError, path_of
from tests.support.fixtures import Operators
from tests.support.history import Event, history, moment
from tests.support.kubectl import Kubectl
from tests.support.waiting import wait_for

Object = dict[str, Any]

OPERATION_LABEL = "alo-operator.io/operation"
PATIENCE = 120.0  # seconds; two cores start fewer than three pods a second, and tests start them side by side


@dataclass
class Stage:
    """One namespace: `kubectl` works inside it, `operators` starts operators for it."""

    api: Api
    namespace: str
    kubectl: Kubectl
    operators: Operators

    def create(self, *manifests: Object) -> None:
        """Create operations, in order."""
        for manifest in manifests:
            self.api.create("asyncoperations", manifest, self.namespace)

    def edit(self, name: str, **spec: Any) -> None:
        """Change fields of an operation's spec; None takes one out."""
        self.api.patch("asyncoperations", name, {"spec": spec}, self.namespace)

    def operation(self, name: str) -> Object:
        """Return an operation. Raises AssertionError if it is not there."""
        found = self.api.get("asyncoperations", self.namespace, name)
        assert found is not None, f"there is no operation {name}"
        return found

    def status(self, name: str) -> Object:
        return dict(self.operation(name)["status"])

    def gone(self, name: str) -> bool:
        return self.api.get("asyncoperations", self.namespace, name) is None

    def settled(self, name: str, timeout: float = PATIENCE) -> Object:
        """Return the status of the operation once its promise is settled."""
        wait_for(
            lambda: self.status(name)["promise"] != "Pending",
            timeout,
            lambda: f"operation {name} is settled; {self.status(name)}",
        )
        return self.status(name)

    def condition(self, name: str, kind: str) -> Object:
        """Return one condition of an operation; empty if it has none of this type."""
        conditions = self.status(name).get("conditions", [])
        return next((dict(one) for one in conditions if one["type"] == kind), {})

    def has_condition(self, name: str, kind: str, status: str, reason: str, timeout: float = PATIENCE) -> Object:
        """Return the condition once it has this status and reason."""

        def shown() -> Object | None:
            found = self.condition(name, kind)
            return found if (found.get("status"), found.get("reason")) == (status, reason) else None

        found = wait_for(shown, timeout, lambda: f"{name} shows {kind}={status}/{reason}; {self.status(name)}")
        assert found
        return found

    def started(self, name: str, timeout: float = PATIENCE) -> None:
        """Return when the operation's worker runs and its log shows the line `up`."""

        def up() -> bool:
            return any("up" in self.log(pod["metadata"]["name"]).splitlines() for pod in self.pods(name))

        wait_for(up, timeout, lambda: f"the worker of {name} says that it is up; {self.status(name)}")

    def log(self, pod: str) -> str:
        """Return a pod's log; empty while there is none."""
        try:
            return str(self.api.request("GET", path_of("pods", self.namespace, pod, "log"))["message"])
        except ApiError as error:
            if error.status in {400, 404}:
                return ""
            raise

    def pods(self, name: str) -> list[Object]:
        return self.api.list("pods", self.namespace, labelSelector=f"{OPERATION_LABEL}={name}")

    def jobs(self, name: str) -> list[Object]:
        return self.api.list("jobs", self.namespace, labelSelector=f"{OPERATION_LABEL}={name}")

    def job(self, name: str) -> Object:
        """Return the operation's Job once it is there."""
        return wait_for(lambda: self.jobs(name), 30, f"operation {name} has a Job")[0]

    def now(self) -> str:
        """Return the moment for `since`."""
        return moment(self.api, self.namespace)

    def events(self, resource: str, since: str) -> list[Event]:
        """Return what happened to the namespace's objects of a kind."""
        return history(self.api, resource, self.namespace, since)

    def last_words(self, pod: str, since: str) -> tuple[int, str]:
        """Return exit code and termination message of a deleted pod's first container, as its last event had them."""
        for event in reversed(self.events("pods", since)):
            for status in event.object["status"].get("containerStatuses", []) if event.name == pod else []:
                if ended := status.get("state", {}).get("terminated"):
                    return ended["exitCode"], ended.get("message", "")
        raise AssertionError(f"no event of pod {pod} shows how its container ended")
