import json
from pathlib import Path

from tests.cluster import kubeconfigs
from tests.cluster.providers import TOKEN_LIFETIME, Cluster


def service_account_kubeconfig(cluster: Cluster, namespace: str, name: str) -> Path:
    """Write a kubeconfig with a fresh token of the service account, beside the cluster's other files.

    Raises ClusterError if the account does not exist or the administrator may not ask for its token.
    """
    token = cluster.run_kubectl("create", "token", name, "-n", namespace, f"--duration={TOKEN_LIFETIME}").strip()
    view = json.loads(cluster.run_kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    return kubeconfigs.with_token(
        cluster.state_dir / "kubeconfigs" / f"sa-{namespace}-{name}.kubeconfig",
        cluster=view["clusters"][0]["cluster"],
        user=name,
        token=token,
        namespace=namespace,
    )
