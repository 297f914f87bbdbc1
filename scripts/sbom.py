"""Write requirements/sbom.cdx.json, what the image has in it, or check that it is fresh.

python -m scripts.sbom --write requirements/
python -m scripts.sbom --check requirements/

CycloneDX 1.6, made from requirements/operator.txt and the metadata of the packages installed in this environment, which
has the same versions. The same lock makes the same bytes: no time, no serial number. Python itself and the packages of
the base image's distribution are not in it: the base image brings a list of its own.
"""

import difflib
import hashlib
import importlib.metadata
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "operator.txt"
PACKAGE = ROOT / "operator" / "alo_operator" / "__init__.py"
PROJECT = "alo-operator"
FILE = "sbom.cdx.json"
# What packages say in words, in the names of SPDX; an expression of SPDX's own is taken as it is.
LICENSES = {
    "Apache 2.0": "Apache-2.0",
    "Apache-2.0": "Apache-2.0",
    "MIT": "MIT",
    "PSF-2.0": "PSF-2.0",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
}

Object = dict[str, Any]


def main() -> int:
    """1 where the file is stale."""
    mode, target = sys.argv[1], ROOT / sys.argv[2] / FILE
    fresh = json.dumps(document(LOCK.read_text("utf-8"), version()), indent=2) + "\n"
    if mode == "--write":
        target.write_text(fresh, "utf-8")
        return 0
    found = target.read_text("utf-8") if target.exists() else ""
    sys.stderr.writelines(difflib.unified_diff(found.splitlines(True), fresh.splitlines(True), str(target), "fresh"))
    return 0 if found == fresh else 1


def version() -> str:
    """Return the project's version."""
    found = re.search(r'__version__: Final = "([^"]+)"', PACKAGE.read_text("utf-8"))
    assert found, "the package has a version"
    return found[1]


def document(lock: str, own_version: str) -> Object:
    """Return the list for a lock's text. Raises SystemExit for a package that is not installed in that version."""
    pins = dict(re.findall(r"^([a-z0-9][a-z0-9.-]*)==(\S+)", lock, re.MULTILINE))
    own = {
        "type": "application",
        "bom-ref": reference(PROJECT, own_version),
        "name": PROJECT,
        "version": own_version,
        "licenses": [{"expression": "Apache-2.0"}],
        "purl": reference(PROJECT, own_version),
    }
    needs = {name: requirements(name, pins) for name in pins}
    direct = sorted(set(pins) & set(wanted((ROOT / "requirements" / "operator.in").read_text("utf-8").splitlines())))
    depends = [{"ref": own["bom-ref"], "dependsOn": [reference(name, pins[name]) for name in direct]}]
    depends += [
        {"ref": reference(name, pins[name]), "dependsOn": [reference(other, pins[other]) for other in others]}
        for name, others in needs.items()
    ]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": own,
            "properties": [{"name": "lock:sha256", "value": hashlib.sha256(lock.encode()).hexdigest()}],
        },
        "components": [component(name, pins[name]) for name in sorted(pins)],
        "dependencies": depends,
    }


def component(name: str, pinned: str) -> Object:
    """Return one package. Raises SystemExit where another version, or none, is installed here."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        raise SystemExit(f"sbom: {name} is not installed here; run `make setup`") from None
    if metadata["Version"] != pinned:
        raise SystemExit(f"sbom: {name} {metadata['Version']} is installed here, not {pinned}; run `make setup`")
    return {
        "type": "library",
        "bom-ref": reference(name, pinned),
        "name": name,
        "version": pinned,
        "licenses": [{"expression": license_of(name)}],
        "purl": reference(name, pinned),
    }


def license_of(name: str) -> str:
    """Return the licence as an expression of SPDX. Raises SystemExit for one that nobody has looked at yet."""
    metadata = importlib.metadata.metadata(name)
    if expressions := metadata.get_all("License-Expression"):
        return str(expressions[0])
    words = [str(word) for key in ("License", "Classifier") for word in metadata.get_all(key) or ()]
    found = next((LICENSES[word] for word in words if word in LICENSES), None)
    if found is None:
        raise SystemExit(f"sbom: look at the licence of {name} ({words}) and add it to LICENSES")
    return found


def requirements(name: str, pins: dict[str, str]) -> list[str]:
    """Return the locked packages that a package asks for, extras apart."""
    said = importlib.metadata.metadata(name).get_all("Requires-Dist") or []
    return sorted(set(wanted([one for one in said if "extra ==" not in one])) & set(pins))


def wanted(lines: list[str]) -> list[str]:
    """Return the normalised names at the beginning of requirements."""
    found = (re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line) for line in lines)
    return [re.sub(r"[-_.]+", "-", match[0]).lower() for match in found if match]


def reference(name: str, pinned: str) -> str:
    return f"pkg:pypi/{name}@{pinned}"


if __name__ == "__main__":
    sys.exit(main())
