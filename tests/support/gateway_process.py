"""The gateway as users run it: a process of its own environment, under the shipped RBAC."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.cluster.providers import Cluster
from tests.support.operator_process import PROGRAM, SYSTEM_NAMESPACE, OperatorProcess
from tests.support.processes import Processes

SERVICE_ACCOUNT = "alo-gateway"
GATEWAY_USER = f"system:serviceaccount:{SYSTEM_NAMESPACE}:{SERVICE_ACCOUNT}"


@dataclass
class GatewayProcess(OperatorProcess):
    """One gateway; `url` is what the operator is told with --report-url."""

    listen: tuple[str, int] = ("127.0.0.1", 0)
    what: ClassVar[str] = "gateway"
    program: ClassVar[Path] = PROGRAM.with_name("alo-gateway")

    @property
    def url(self) -> str:
        return f"http://{self.listen[0]}:{self.listen[1]}"

    def command(self) -> list[str]:
        # fmt: off
        return [
            str(self.program), "run",
            "--kubeconfig", str(self.kubeconfig),
            "--listen", f"{self.listen[0]}:{self.listen[1]}",
            "--log-format", "json",
            "--http-address", f"127.0.0.1:{self.port}",
            *self.arguments,
        ]
        # fmt: on


@dataclass
class Gateways(Processes[GatewayProcess]):
    """Starts gateways where pods reach them."""

    cluster: Cluster
    folder: Path

    def start(
        self, identity: str = "gateway-0", arguments: Sequence[str] = (), *, wait: bool = True, **settings: Any
    ) -> GatewayProcess:
        """Start one; `settings` are further fields of GatewayProcess."""
        host = self.cluster.host_address or "127.0.0.1"
        with socket.create_server((host, 0)) as server:
            settings.setdefault("listen", (host, int(server.getsockname()[1])))
        if "kubeconfig" not in settings:
            settings["kubeconfig"] = self.cluster.kubeconfig_for_service_account(SYSTEM_NAMESPACE, SERVICE_ACCOUNT)
        gateway = GatewayProcess(
            identity=identity, log_file=self.folder / f"{identity}.log", arguments=arguments, **settings
        )
        return self.launch(gateway, wait=wait)
