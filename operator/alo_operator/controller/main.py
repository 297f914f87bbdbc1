"""The entry point of `alo-operator`."""

from __future__ import annotations

import sys

from alo_operator.controller.app import App
from alo_operator.controller.options import parse
from alo_operator.effects.command_line import run_to_the_end

# The API server takes JSON of up to 10,000 levels; Python's own limit would let one such object end every watch.
JSON_DEPTH = 20_000


def main() -> None:
    """Run the operator. Exit status: 0 after a signal, 2 for a bad command line, 3 for what a person has to fix."""
    options = parse()
    sys.setrecursionlimit(JSON_DEPTH)
    run_to_the_end(lambda: App(options).run(), options.log_format, options.log_level)
