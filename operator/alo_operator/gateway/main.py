"""The entry point of `alo-gateway`."""

from __future__ import annotations

import asyncio
import logging
import sys

from alo_operator.effects import logs
from alo_operator.errors import ConfigurationError
from alo_operator.gateway.app import App
from alo_operator.gateway.options import parse

logger = logging.getLogger(__name__)

EXIT_CONFIGURATION = 3


def main() -> None:
    """Run the gateway. Exit status: 0 after a signal, 2 for a bad command line, 3 for what a person has to fix."""
    options = parse()
    logs.configure(options.log_format, options.log_level)
    try:
        asyncio.run(App(options).run())
    except ConfigurationError as error:
        # A traceback would only hide what has to be done.
        logger.error("cannot start: %s", error.problem, extra={"advice": error.advice})  # noqa: TRY400
        sys.exit(EXIT_CONFIGURATION)
