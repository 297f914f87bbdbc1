"""Container images that are made here, file by file, as no registry is asked for any.

An image is a tar archive as `docker save` writes it. The same input makes the same bytes.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from tests.cluster.binaries import cache_dir
from tests.cluster.commands import run
from tests.cluster.debian import PACKAGES
from tests.cluster.locks import locked
from tests.cluster.packages import PYTHON_PACKAGES, unpacked
from tests.cluster.progress import step
from tests.cluster.rootfs import Tree, base_tree

PAUSE = "alo.local/pause:1"
SHELL = "alo.local/shell:1"
PYTHON = "alo.local/python:1"
RECIPE = "1"  # changes with what the functions below put into images
BUSYBOX = Path(PACKAGES["busybox-static"])
PATH_IN_IMAGES = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def pause_tree() -> Tree:
    tree = Tree()
    tree.file("bin/busybox", BUSYBOX.read_bytes(), mode=0o755)
    return tree


def shell_tree() -> Tree:
    tree = base_tree()
    tree.file("usr/bin/busybox", BUSYBOX.read_bytes(), mode=0o755)
    for applet in run([BUSYBOX, "--list"]).split():
        if applet != "busybox":
            tree.link(f"usr/bin/{applet}", "busybox")
    return tree


def python_tree() -> Tree:
    tree = shell_tree()
    unpacked(PYTHON_PACKAGES, tree)
    tree.link("usr/bin/python3", "python3.11")
    tree.link("usr/bin/python", "python3.11")
    return tree


TREES: dict[str, tuple[Callable[[], Tree], list[str]]] = {
    PAUSE: (pause_tree, ["/bin/busybox", "sleep", "2147483647"]),
    SHELL: (shell_tree, ["/bin/sh"]),
    PYTHON: (python_tree, ["/usr/bin/python3"]),
}


def built() -> list[Path]:
    """Return the archive of every image, making those that are not in the cache. Raises ClusterError."""
    return [archive_of(name) for name in TREES]


def archive_of(name: str) -> Path:
    """Return the archive of one image of `TREES`."""
    make, command = TREES[name]
    key = hashlib.sha256()
    key.update("\0".join([RECIPE, name, *command, *PYTHON_PACKAGES]).encode())
    key.update(BUSYBOX.read_bytes())
    short = name.rpartition("/")[2].replace(":", "-")
    target = cache_dir() / "images" / f"{short}-{key.hexdigest()[:16]}.tar"
    if not target.is_file():
        with locked(target.with_suffix(".lock"), f"making image {name}"):
            if not target.is_file():
                with step(f"making image {name}"):
                    write_archive(target, name, [make().as_tar()], {"Cmd": command, "Env": [PATH_IN_IMAGES]})
    return target


def write_archive(target: Path, name: str, layers: list[bytes], settings: dict[str, object]) -> None:
    """Write an image named `name` of these layers (tar archives); `settings` say what runs in it, as Docker does."""
    config = {
        "architecture": "amd64" if run(["uname", "-m"]).strip() == "x86_64" else "arm64",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]},
        "history": [{"created": "1970-01-01T00:00:00Z"} for _ in layers],
    }
    packed_config = json.dumps(config, sort_keys=True).encode()
    config_name = f"{hashlib.sha256(packed_config).hexdigest()}.json"
    names = ["layer.tar", *(f"layer-{number}.tar" for number in range(2, len(layers) + 1))]
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": names[: len(layers)]}]
    outer = Tree()
    for file, layer in zip(names, layers, strict=False):
        outer.file(file, layer)
    outer.file(config_name, packed_config)
    outer.file("manifest.json", json.dumps(manifest).encode())
    unfinished = target.with_suffix(".new")
    unfinished.write_bytes(outer.as_tar())
    unfinished.rename(target)
