"""Run the operator from the working tree, as it runs for users: own environment, own service account, shipped RBAC.

    python -m scripts.run_operator [further arguments of `alo-operator run`]

It goes against the test cluster, which is started if it is not up, or against the cluster whose kubeconfig
ALO_TEST_KUBECONFIG names. CRDs and RBAC are applied first. Ctrl-C ends it; the cluster stays.
"""

import os
import subprocess
import sys

from tests.cluster.errors import ClusterError
from tests.cluster.providers import Options, choose, wanted_name
from tests.support import installed
from tests.support.api import Api
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
        *sys.argv[1:],
    ]
    # fmt: on
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)  # asked for; the operator got the same signal and has ended in order
