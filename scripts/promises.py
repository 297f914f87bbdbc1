"""Write docs/spec-tests.md (which tests hold which promise), or check that it is fresh and that none is without a test.

python -m scripts.promises --write docs/
python -m scripts.promises --check docs/
"""

import sys

from tests.support.promises import SPEC, TABLE, holdings, problems, promises, table


def main() -> int:
    """1 where a promise lacks its test, or (checking) the table is stale."""
    spec, held = promises(SPEC.read_text("utf-8")), holdings()
    said = problems(spec, held)
    fresh = table(spec, held)
    if "--write" in sys.argv[1:]:
        TABLE.write_text(fresh, "utf-8")
        print(
            f"wrote {TABLE.relative_to(SPEC.parents[1])}: {len(spec)} promises, {len({one.test for one in held})} tests"
        )
    elif not TABLE.exists() or TABLE.read_text("utf-8") != fresh:
        said.append(f"{TABLE.relative_to(SPEC.parents[1])} is stale; run `make generate` and commit the result")
    for problem in said:
        print(f"promises: {problem}", file=sys.stderr)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
