"""Write the parts of the Helm chart that are made from other files, or check that they are fresh.

python -m scripts.chart --write charts/
python -m scripts.chart --check charts/

- `files/crds/`, `files/policies/`: copies of crds/ and of manifests/policies/
- `files/rights.yaml`: the rules of all roles in manifests/base/
- the table of values in README.md, from the comments in values.yaml
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "charts" / "alo-operator"
BASE = ROOT / "manifests" / "base"
POLICIES = ROOT / "manifests" / "policies"
COPIES = (  # folder below files/, and what it is a copy of
    ("crds", ROOT / "crds"),
    ("policies", POLICIES),
    ("policies/finalizer", POLICIES / "finalizer"),
)
NOT_COPIED = {"kustomization.yaml"}
AGGREGATION = "rbac.authorization.k8s.io/aggregate-to-"
GENERATED = "# Generated from manifests/base by `make generate`; do not edit.\n"
TABLE = ("<!-- values: made by `make generate` from values.yaml -->\n", "<!-- end of values -->\n")


def wanted() -> dict[Path, str]:
    """Return what each generated file has to hold. Raises ValueError for a value without a comment."""
    found = {
        CHART / "files" / folder / path.name: path.read_text("utf-8")
        for folder, source in COPIES
        for path in sorted(source.glob("*.yaml"))
        if path.name not in NOT_COPIED
    }
    found[CHART / "files" / "rights.yaml"] = GENERATED + yaml.safe_dump(rights(), sort_keys=False)
    before, rest = (CHART / "README.md").read_text("utf-8").split(TABLE[0], 1)
    rows = "".join(
        f"| `{name}` | `{default}` | {text} |\n" for name, default, text in values((CHART / "values.yaml").read_text())
    )
    table = f"| value | default | meaning |\n|---|---|---|\n{rows}"
    found[CHART / "README.md"] = before + TABLE[0] + "\n" + table + "\n" + TABLE[1] + rest.split(TABLE[1], 1)[1]
    return found


def rights() -> dict[str, dict[str, Any]]:
    """Return rules by component (or `aggregated`) and kind of role (or the cluster's own role that takes them in)."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(BASE.glob("*.yaml")):
        for item in yaml.safe_load_all(path.read_text("utf-8")):
            if item["kind"] not in {"Role", "ClusterRole"}:
                continue
            labels = item["metadata"].get("labels", {})
            level = next((key.removeprefix(AGGREGATION) for key in labels if key.startswith(AGGREGATION)), None)
            component = "aggregated" if level else item["metadata"]["name"].removeprefix("alo-")
            found.setdefault(component, {})[level or item["kind"]] = item["rules"]
    return found


def values(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield name (with dots), default and meaning of each value of a values.yaml. Raises ValueError."""
    root = yaml.compose(text, yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode), "values.yaml is a mapping"
    yield from _values(root, "", text.splitlines())


def _values(node: yaml.MappingNode, prefix: str, lines: list[str]) -> Iterator[tuple[str, str, str]]:
    for key, value in node.value:
        name, meaning = prefix + key.value, _comment(key, lines)
        if meaning:
            yield name, _shown(value), meaning
        elif isinstance(value, yaml.MappingNode) and value.value:
            yield from _values(value, f"{name}.", lines)
        else:
            raise ValueError(f"values.yaml, line {key.start_mark.line + 1}: {name} has no comment above it")


def _comment(key: yaml.Node, lines: list[str]) -> str:
    """Return the comment that stands right above a key, as one line."""
    found: list[str] = []
    for line in reversed(lines[: key.start_mark.line]):
        if not line.startswith(" " * key.start_mark.column + "#"):
            break
        found.insert(0, line.strip().removeprefix("#").strip())
    return " ".join(found)


def _shown(node: yaml.Node) -> str:
    loader = yaml.SafeLoader("")
    shown = yaml.safe_dump(loader.construct_object(node, deep=True), default_flow_style=True, width=1000)
    return str(shown).removesuffix("\n").removesuffix("\n...")


def main() -> int:
    """1 where a file is stale, or where there is one too many."""
    files = wanted()
    generated = [path for folder, _ in COPIES for path in (CHART / "files" / folder).glob("*.yaml")]
    spare = [path for path in generated if path not in files]
    stale = [path for path, text in files.items() if not path.exists() or path.read_text("utf-8") != text]
    if "--write" in sys.argv[1:]:
        for path in spare:
            path.unlink()
        for path in stale:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], "utf-8")
        print(f"wrote {len(stale)} of {len(files)} files of charts/, removed {len(spare)}")
        return 0
    for path in [*stale, *spare]:
        print(f"chart: {path.relative_to(ROOT)} is stale; run `make generate` and commit the result", file=sys.stderr)
    return 1 if stale or spare else 0


if __name__ == "__main__":
    sys.exit(main())
