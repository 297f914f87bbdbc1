"""Run the operator from the working tree, as it runs for users: own environment, own service account, shipped RBAC.

    python -m scripts.run_operator [further arguments of `alo-operator run`]

It goes against the test cluster, which is started if it is not up, or against the cluster whose kubeconfig
ALO_TEST_KUBECONFIG names. CRDs and RBAC are applied first. Where pods reach this machine, a gateway for their reports
runs beside it, unless --report-url names another. Ctrl-C ends both; the cluster stays.
"""

import os
import signal
import socket
import subprocess
import sys
from types import FrameType

from tests.cluster.errors import ClusterError
from tests.cluster.providers import Cluster, Options, choose, wanted_name
from tests.support import installed
from tests.support.api import Api
from tests.support.gateway_process import SERVICE_ACCOUNT as GATEWAY_ACCOUNT
from tests.support.kubectl import Kubectl, KubectlFailed
from tests.support.operator_process import PROGRAM, SERVICE_ACCOUNT, SYSTEM_NAMESPACE

HTTP_ADDRESS = "127.0.0.1:8080"


def main() -> int:
    """Install what it needs and run it; the exit status is the operator's, 2 where it cannot be started."""
    try:
        cluster = choose().up(Options(name=wanted_name()))
        api = Api(cluster.kubeconfig)
        kubectl = Kubectl(cluster.kubectl, cluster.kubeconfig)
        print("operator: applying CRDs and RBAC", flush=True)
        installed.install_crds(kubectl, api)
        installed.install_rbac(kubectl)
        kubeconfig = cluster.kubeconfig_for_service_account(SYSTEM_NAMESPACE, SERVICE_ACCOUNT)
        gateway, address = gateway_command(cluster)
    except (ClusterError, KubectlFailed, FileNotFoundError) as error:
        print(f"operator: {error}", file=sys.stderr)
        return 2
    print(f"operator: probes and metrics on http://{HTTP_ADDRESS}; try it with", flush=True)
    print(f"  {cluster.kubectl} --kubeconfig {cluster.kubeconfig} get asyncoperations -A", flush=True)
    # fmt: off
    command = [
        str(PROGRAM), "run", "--all-namespaces",
        "--kubeconfig", str(kubeconfig),
        "--identity", "local",
        "--log-format", "text",
        "--http-address", HTTP_ADDRESS,
        "--lease-namespace", SYSTEM_NAMESPACE,
        *(("--report-url", f"http://{address}") if gateway else ()),
        *sys.argv[1:],
    ]
    # fmt: on
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # A signal to this process alone has to reach them too.
    signal.signal(signal.SIGTERM, _interrupt)
    running = [subprocess.Popen(words, env=environment) for words in (command, gateway) if words]
    try:
        return running[0].wait()
    finally:
        for program in running:
            program.terminate()
        for program in running:
            program.wait()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def gateway_command(cluster: Cluster) -> tuple[list[str], str]:
    """Return how to start the gateway, and its address; nothing where it is not wanted or pods could not reach it."""
    if cluster.host_address is None or any(word.startswith("--report-url") for word in sys.argv[1:]):
        return [], ""
    with socket.create_server((cluster.host_address, 0)) as free:
        address = f"{cluster.host_address}:{free.getsockname()[1]}"
    kubeconfig = cluster.kubeconfig_for_service_account(SYSTEM_NAMESPACE, GATEWAY_ACCOUNT)
    program = PROGRAM.with_name("alo-gateway")
    # fmt: off
    return [
        str(program), "run",
        "--kubeconfig", str(kubeconfig),
        "--listen", address,
        "--http-address", "127.0.0.1:0",
        "--log-format", "text",
    ], address
    # fmt: on


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)  # asked for; the operator got the same signal and has ended in order
