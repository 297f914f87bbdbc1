"""Compile requirements/*.in into *.txt: exact versions with hashes, for every platform, without any index's address.

    python scripts/lock.py [--upgrade]

The sets of the operator and of the build come first; the dev set takes their versions over. Versions already in the
files stay unless `--upgrade` is given. Exit status: that of the first compilation that fails.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = (
    "--quiet",
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-header",
    "--no-annotate",
)


def main() -> int:
    """Compile all sets; see the module's docstring."""
    uv = Path(sys.executable).parent / "uv"
    for name in ("operator", "build", "dev"):
        source, target = f"requirements/{name}.in", f"requirements/{name}.txt"
        print(f"lock: {source} -> {target}", flush=True)
        done = subprocess.run(
            [uv, "pip", "compile", *OPTIONS, *sys.argv[1:], source, "-o", target], cwd=ROOT, check=False
        )
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
