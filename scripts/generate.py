"""Write everything that is made from models and tests, or check that it is fresh.

python scripts/generate.py            writes
python scripts/generate.py --check    shows a diff and ends with 1 where a file is stale
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GENERATORS = (
    ("alo_operator.api.crd", "crds/"),
    ("alo_operator.api.reference", "docs/"),
    ("scripts.chart", "charts/"),
    ("scripts.promises", "docs/"),
    ("scripts.sbom", "requirements/"),
)


def main() -> int:
    """Run every generator, even after one failed; 1 if any did."""
    check = "--check" in sys.argv[1:]
    stale = []
    for module, target in GENERATORS:
        print(f"generate: {'checking' if check else 'writing'} {target} ({module})", flush=True)
        command = [sys.executable, "-m", module, "--check" if check else "--write", target]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            stale.append(target)
    if stale and check:
        print(f"generate: stale: {', '.join(stale)}; run `make generate` and commit the result", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
