"""The product's image for clusters that have no registry and machines that have no Docker.

It has the Python of the test cluster's images where the Dockerfile has its base image, and the same above it: the
locked packages and the package itself in /opt/alo, the same user, environment, labels and entry point. These are read
from the Dockerfile, so the two cannot drift apart.
"""

import hashlib
import json
import py_compile
import re
import shlex
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.cluster.binaries import cache_dir
from tests.cluster.commands import run
from tests.cluster.images import PYTHON, archive_of, write_archive
from tests.cluster.locks import locked
from tests.cluster.progress import step
from tests.cluster.providers import ROOT
from tests.cluster.rootfs import Tree

DOCKERFILE = ROOT / "Dockerfile"
LOCK = ROOT / "requirements" / "operator.txt"
PACKAGE = ROOT / "operator" / "alo_operator"
HOME = "opt/alo"
SITE = f"{HOME}/lib/python3.11/site-packages"
PROGRAMS = {"alo-operator": "alo_operator.controller.main", "alo-gateway": "alo_operator.gateway.main"}
KEPT = 8  # archives; somebody else may be loading one of the last
RECIPE = "1"  # changes with what the functions below put into the image


def version() -> str:
    """Return the package's version."""
    found = re.search(r'__version__: Final = "([^"]+)"', (PACKAGE / "__init__.py").read_text())
    assert found, "the package has a version"
    return found[1]


def image_name() -> str:
    """Return the name under which a node knows the image that the manifests call alo-operator."""
    return f"docker.io/library/alo-operator:{version()}"


def archive() -> Path:
    """Return the image's archive for the code as it is now, made if it is not in the cache. Raises ClusterError."""
    folder = cache_dir() / "images"
    key = hashlib.sha256()
    for part in (RECIPE.encode(), DOCKERFILE.read_bytes(), LOCK.read_bytes(), archive_of(PYTHON).name.encode()):
        key.update(part)
    for path in sources():
        key.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes())
    target = folder / f"alo-operator-{key.hexdigest()[:16]}.tar"
    if not target.is_file():
        with locked(target.with_suffix(".lock"), "making the product's image"):
            if not target.is_file():
                with step("making the product's image"):
                    layers = [python_layer(), libraries_layer(), own_tree().as_tar()]
                    write_archive(target, image_name(), layers, settings(DOCKERFILE.read_text()))
                    clear(folder)
    return target


def clear(folder: Path) -> None:
    """Delete the archives of code of long ago: each has 90 MB, and each change of the code makes one."""
    found = sorted(folder.glob("alo-operator-*.tar"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found[KEPT:]:
        path.unlink(missing_ok=True)


def sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def python_layer() -> bytes:
    with tarfile.open(archive_of(PYTHON)) as whole:
        layer = whole.extractfile("layer.tar")
        assert layer is not None, "the archive was made by write_archive"
        return layer.read()


def libraries_layer() -> bytes:
    """Return the locked packages as a layer; kept by the lock's hash, as they take half a minute to get."""
    key = hashlib.sha256(RECIPE.encode() + LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    target = cache_dir() / "images" / f"libraries-{key}.tar"
    with locked(target.with_suffix(".lock"), "getting the locked packages"):
        if not target.is_file():
            unfinished = target.with_suffix(".new")
            unfinished.write_bytes(libraries_tree().as_tar())
            unfinished.rename(target)
        return target.read_bytes()


def libraries_tree() -> Tree:
    tree = Tree()
    for folder in (HOME, f"{HOME}/bin", f"{HOME}/lib", f"{HOME}/lib/python3.11", SITE):
        tree.folder(folder)
    tree.link(f"{HOME}/bin/python", "/usr/bin/python3.11")
    tree.file(f"{HOME}/pyvenv.cfg", b"home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11\n")
    machine = run(["uname", "-m"]).strip()
    platforms = [f"--platform={kind}_{machine}" for kind in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")]
    with tempfile.TemporaryDirectory() as scratch:
        site = Path(scratch) / "site"
        # fmt: off
        run([
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile",
            "--require-hashes", "--only-binary=:all:", "--no-deps", "--target", site,
            "--python-version=3.11", "--implementation=cp", *platforms, "-r", LOCK,
        ], seconds=600)
        # fmt: on
        for path in sorted(site.rglob("*")):
            inside = path.relative_to(site)
            if path.is_file() and inside.parts[0] != "bin":
                add_module(tree, f"{SITE}/{inside}", path)
    return tree


def own_tree() -> Tree:
    """Return the package, its two programs and the user's line."""
    tree = Tree()
    for path in sources():
        add_module(tree, f"{SITE}/alo_operator/{path.relative_to(PACKAGE)}", path)
    for program, module in PROGRAMS.items():
        script = f"#!/{HOME}/bin/python\nfrom {module} import main\n\nmain()\n"
        tree.file(f"{HOME}/bin/{program}", script.encode(), mode=0o755)
    return tree


def add_module(tree: Tree, place: str, path: Path) -> None:
    """Add a file, a module with its compiled form: the file system is read-only where it runs."""
    tree.file(place, path.read_bytes(), mode=0o755 if path.suffix == ".so" else 0o644)
    if path.suffix != ".py" or sys.version_info[:2] != (3, 11):
        return
    with tempfile.NamedTemporaryFile(suffix=".pyc") as compiled:
        try:
            # By hash and unchecked: times say nothing in an image.
            py_compile.compile(
                str(path), compiled.name, f"/{place}", doraise=True, quiet=2,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )  # fmt: skip
        except py_compile.PyCompileError:
            return  # packages ship examples in other dialects
        folder, name = place.rpartition("/")[::2]
        tree.file(f"{folder}/__pycache__/{name.removesuffix('.py')}.cpython-311.pyc", Path(compiled.name).read_bytes())


def settings(dockerfile: str) -> dict[str, object]:
    """Return what the last stage of a Dockerfile says about running: environment, labels, user, place, programs."""
    last = re.split(r"^FROM .*$", dockerfile, flags=re.MULTILINE)[-1].replace("\\\n", " ")
    last = last.replace("${VERSION}", version()).replace("${REVISION}", "unknown")
    found: dict[str, object] = {}
    for line in last.splitlines():
        instruction, _, rest = line.strip().partition(" ")
        if instruction == "ENV":
            found["Env"] = [*found.get("Env", []), *shlex.split(rest)]  # type: ignore[misc]
        elif instruction == "LABEL":
            found["Labels"] = dict(word.split("=", 1) for word in shlex.split(rest))
        elif instruction in {"ENTRYPOINT", "CMD"}:
            found["Entrypoint" if instruction == "ENTRYPOINT" else "Cmd"] = json.loads(rest)
        elif instruction in {"USER", "WORKDIR"}:
            found["User" if instruction == "USER" else "WorkingDir"] = rest.strip()
    return found
