"""Who may import what, beyond what import-linter can say."""

import configparser

from tests.house.repository import PACKAGE, ROOT, imports, python_files

HTTP = ("aiohttp", "http.client", "urllib.request", "httpx", "requests")
PURE = ("desired", "delivery")


def contracts() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=True)
    parser.read(ROOT / ".importlinter", "utf-8")
    return parser


def parts() -> set[str]:
    found = {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir() if path.name[0] not in "._"}
    return found - {"__init__", "py"}


def test_every_part_of_the_package_has_a_floor():
    """Each module and package directly in alo_operator stands in the floors' contract."""
    words = contracts()["importlinter:contract:floors"]["layers"]
    floors = {word.strip("()") for word in words.split()} - {"|", ":"}

    assert parts() <= floors, f"add to the floors in .importlinter: {sorted(parts() - floors)}"


def test_every_pure_part_is_kept_pure():
    """The contract on purity names each pure part as soon as it exists."""
    sources = contracts()["importlinter:contract:pure"]["source_modules"].split()
    pure = {f"alo_operator.{name}" for name in PURE if name in parts()}

    assert pure <= set(sources), f"add to the pure contract in .importlinter: {sorted(pure - set(sources))}"


def test_only_effects_imports_an_http_client():
    """Outside effects nothing of the operator opens a connection; the gateway's server imports aiohttp to serve."""
    found = [
        f"{path}:{line} {name}"
        for path in python_files("operator/alo_operator")
        if not path.is_relative_to("operator/alo_operator/effects")
        and not path.match("gateway/server.py")
        and not path.is_relative_to("operator/alo_operator/worker")  # a worker reports over HTTP on its own
        for line, name in imports(path)
        if name.startswith(HTTP)
    ]

    assert not found, f"move into effects: {found}"


def test_the_worker_library_stands_alone():
    """Worker images must not need the operator: worker imports errors at most, and nothing of ours imports it."""
    found = [
        f"{path}:{line} {name}"
        for path in python_files("operator/alo_operator")
        for line, name in imports(path)
        if name.startswith("alo_operator.")
        and path.is_relative_to("operator/alo_operator/worker") != name.startswith("alo_operator.worker")
        and (path.is_relative_to("operator/alo_operator/worker") or name.startswith("alo_operator.worker"))
        and not name.startswith("alo_operator.errors")
    ]

    assert not found, f"worker must stand alone: {found}"


def test_product_code_does_not_import_tests():
    """What is shipped does not lean on what is not."""
    found = [
        f"{path}:{line}"
        for path in python_files("operator")
        for line, name in imports(path)
        if name.split(".")[0] in {"tests", "demo", "bench", "scripts"}
    ]

    assert not found, f"these lines import what is not shipped: {found}"
