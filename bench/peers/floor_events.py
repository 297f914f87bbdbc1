"""The floor of watching: Kopf, set up as the operator sets it up, with handlers that do nothing."""

from __future__ import annotations

from typing import Any

import kopf

from alo_operator.api.names import GROUP, LABEL_MANAGED, MANAGED_VALUE, OPERATION_PLURAL, VERSION
from alo_operator.effects.command_line import run_to_the_end
from bench.peers.program import arguments, login, watch


class NoDiffBase(kopf.DiffBaseStorage):
    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        return None


async def main() -> None:
    given = arguments()
    registry = kopf.OperatorRegistry()
    login(registry, given.kubeconfig)

    @kopf.on.event(GROUP, VERSION, OPERATION_PLURAL, registry=registry)
    async def operation_event(**_: Any) -> None:
        return

    @kopf.on.event("batch", "v1", "jobs", registry=registry)
    async def job_event(**_: Any) -> None:
        return

    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.queueing.idle_timeout = 0.2
    settings.persistence.finalizer = f"{GROUP}/kopf-unused"
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.consistency_timeout = 0
    settings.watching.label_selectors["batch", "v1", "jobs"] = f"{LABEL_MANAGED}={MANAGED_VALUE}"
    await watch(registry, settings, given.namespace)


if __name__ == "__main__":
    run_to_the_end(main, "text", "info")  # the event loop and garbage collection of the operator
