"""Kubeconfig files. They are written as JSON, which is YAML too, and hold everything inside."""

import base64
import json
from pathlib import Path
from typing import Any

from tests.cluster.pki import KeyPair


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def with_certificate(target: Path, *, server: str, authority: Path, user: str, pair: KeyPair) -> Path:
    """Write a kubeconfig that logs in with a client certificate."""
    login = {"client-certificate-data": encoded(pair.certificate), "client-key-data": encoded(pair.key)}
    cluster = {"server": server, "certificate-authority-data": encoded(authority)}
    return write(target, cluster=cluster, user=user, login=login)


def with_token(target: Path, *, cluster: dict[str, Any], user: str, token: str, namespace: str) -> Path:
    """Write a kubeconfig that logs in with a bearer token; `cluster` is a kubeconfig's own cluster entry."""
    return write(target, cluster=cluster, user=user, login={"token": token}, namespace=namespace)


def write(
    target: Path, *, cluster: dict[str, Any], user: str, login: dict[str, Any], namespace: str = "default"
) -> Path:
    context = {"cluster": "alo", "user": user, "namespace": namespace}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "alo", "cluster": cluster}],
        "users": [{"name": user, "user": login}],
        "contexts": [{"name": "alo", "context": context}],
        "current-context": "alo",
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".new")
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    unfinished.rename(target)
    return target
