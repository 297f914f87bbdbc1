"""Show the operator at work: `make demo`, or python -m demo [--quick] [--keep] [--namespace NAME]."""

import argparse
import signal
import sys
import time
from types import FrameType

from demo.acts import Acts
from demo.programs import DemoError
from demo.screen import Screen
from demo.stage import Stage
from tests.cluster.errors import ClusterError

INTERRUPTED = 130


def main() -> int:
    """Exit status: 0 where all went as expected, 1 where not, 2 where it cannot be shown, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m demo", description="Show the operator at work on a test cluster.")
    parser.add_argument("--quick", action="store_true", help="smaller input, so that it takes half the time")
    parser.add_argument("--keep", action="store_true", help="leave the namespace with all operations as it is")
    parser.add_argument("--namespace", default="alo-demo", help="default: %(default)s; it is made anew and deleted")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    screen, began = Screen(), time.monotonic()
    try:
        with Stage(screen, given.namespace, keep=given.keep) as stage:
            acts = Acts(stage, quick=given.quick)
            acts.play()
            screen.write()
    except (DemoError, ClusterError) as error:
        screen.write(f"demo: cannot go on: {error}")
        return 2
    except KeyboardInterrupt:
        screen.write("interrupted; everything that the demo had started has been stopped")
        return INTERRUPTED
    if acts.problems:
        for problem in acts.problems:
            screen.bad(problem)
        return 1
    screen.write(f"Everything ended as expected, in {time.monotonic() - began:.0f} s.")
    return 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
