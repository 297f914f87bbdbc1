from pathlib import Path

from tests.cluster.controlplane import Component
from tests.cluster.layout import Layout


def containerd_socket(layout: Layout) -> Path:
    return layout.node_dir / "containerd.sock"


def prepare(layout: Layout) -> None:
    raise NotImplementedError


def components(layout: Layout, kubelet: Path) -> list[Component]:
    raise NotImplementedError


def clean_up(layout: Layout) -> None:
    return
