"""The entry point of `alo-operator`."""

from __future__ import annotations

import asyncio
import logging
import sys

from alo_operator.controller.app import App
from alo_operator.controller.options import parse
from alo_operator.effects import logs
from alo_operator.errors import ConfigurationError

logger = logging.getLogger(__name__)

EXIT_CONFIGURATION = 3
# The API server takes JSON of up to 10,000 levels; Python's own limit would let one such object end every watch.
JSON_DEPTH = 20_000


def main() -> None:
    """Run the operator. Exit status: 0 after a signal, 2 for a bad command line, 3 for what a person has to fix."""
    options = parse()
    sys.setrecursionlimit(JSON_DEPTH)
    logs.configure(options.log_format, options.log_level)
    try:
        asyncio.run(App(options).run())
    except ConfigurationError as error:
        # A traceback would only hide what has to be done.
        logger.error("cannot start: %s", error.problem, extra={"advice": error.advice})  # noqa: TRY400
        sys.exit(EXIT_CONFIGURATION)
    except (KeyboardInterrupt, asyncio.CancelledError):
        logger.info("stopped")
