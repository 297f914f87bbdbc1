"""Measure the operator side by side with bare Jobs, on a cluster of its own.

    python -m bench                      everything once; writes bench/results/latest.json and docs/performance.md
    python -m bench --runs 3             medians and spread of three runs, each on a fresh cluster; all but the first do
                                         only what the figures are read from, no floors and no other operator
    python -m bench --scale 0.03         small loads, to see that it works; writes nothing but what --output names
    python -m bench --only burst,steady  some loads; likewise
    python -m bench --page               writes docs/performance.md and its charts anew from the last results

Nothing is gated: the exit status is 0 whatever was measured, 1 where a load could not be measured, 2 where nothing can.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from bench import page, results
from bench.ground import ground, say
from bench.sizes import Sizes
from bench.suite import AGAIN, ORDER, run
from tests.cluster.errors import ClusterError

NAMES = tuple(name for name, _ in ORDER)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--runs", type=int, default=1, metavar="N", help="how often (default 1), each on a fresh cluster")
    top.add_argument("--scale", type=float, default=1.0, metavar="F", help="factor for all numbers of objects")
    top.add_argument("--only", type=loads, default=frozenset(), metavar="LOADS", help=", ".join(NAMES))
    top.add_argument("--name", default="bench", help="the cluster's name (default bench); one of that name is replaced")
    top.add_argument(
        "--keep-cluster",
        action="store_true",
        help="take the cluster if it is up, and leave it and the logs there: to try things",
    )
    top.add_argument("--output", type=Path, metavar="FILE", help="where the results go as JSON")
    top.add_argument("--page", action="store_true", help="measure nothing; write the page from the last results")
    return top


def loads(text: str) -> frozenset[str]:
    chosen = frozenset(text.split(","))
    if not chosen <= set(NAMES):
        raise argparse.ArgumentTypeError(f"there are {', '.join(NAMES)}")
    return chosen


def main() -> int:
    given = parser().parse_args()
    if given.page:
        page.write(results.latest())
        return 0
    sizes = Sizes().scaled(given.scale) if given.scale != 1 else Sizes()
    whole = given.scale == 1 and not given.only
    target = given.output or (results.LATEST if whole else None)
    found = results.head(sizes)
    runs = []
    try:
        for number in range(given.runs):
            say(f"run {number + 1} of {given.runs}")
            with ground(given.name, keep=given.keep_cluster) as place:
                runs.append(asyncio.run(run(place, sizes, given.only or (AGAIN if number else frozenset()))))
            say(f"run {number + 1} took {runs[-1]['seconds'] / 60:.1f} min")
            found |= results.summed(runs)
            if target:
                target.parent.mkdir(exist_ok=True)
                target.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    except ClusterError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    print(page.screen(found))
    if target:
        say(f"results are in {target}")
    if whole and target == results.LATEST:
        page.write(found)
    return int(any("failed" in load for one in runs for load in one.values() if isinstance(load, dict)))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
