"""What the peers share: their command line, credentials and Kopf's frame."""

from __future__ import annotations

import argparse
import asyncio
import logging
from pathlib import Path

import kopf

from alo_operator.effects import credentials
from alo_operator.effects.cluster import Cluster

READY = "ready"


def arguments(**more: int) -> argparse.Namespace:
    """The command line: --kubeconfig, --namespace and whole numbers with these defaults."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--namespace", required=True)
    for name, value in more.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    return parser.parse_args()


def client(kubeconfig: Path) -> Cluster:
    """The operator's own client."""
    return Cluster(lambda: credentials.load(kubeconfig), agent="peer")


def login(registry: kopf.OperatorRegistry, kubeconfig: Path) -> None:
    """Have Kopf log in with a kubeconfig."""

    @kopf.on.login(registry=registry)
    async def from_kubeconfig(**_: object) -> kopf.ConnectionInfo:
        given = credentials.load(kubeconfig)
        return kopf.ConnectionInfo(
            server=given.server,
            ca_data=given.ca,
            certificate_data=given.certificate,
            private_key_data=given.private_key,
            token=given.token,
        )


async def watch(registry: kopf.OperatorRegistry, settings: kopf.OperatorSettings, namespace: str) -> None:
    """Run Kopf until a signal; says when it is ready."""
    logging.basicConfig(level=logging.INFO)
    ready = asyncio.Event()

    async def tell() -> None:
        await ready.wait()
        print(READY, flush=True)

    telling = asyncio.create_task(tell())
    await kopf.operator(registry=registry, settings=settings, standalone=True, namespaces=[namespace], ready_flag=ready)
    telling.cancel()
