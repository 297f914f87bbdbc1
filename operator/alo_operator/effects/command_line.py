"""What all our programs share: some arguments, and how they start and end."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import uvloop

from alo_operator.effects import logs
from alo_operator.effects.probes import parse_address
from alo_operator.errors import ConfigurationError

logger = logging.getLogger(__name__)

EXIT_CONFIGURATION: Final = 3
GARBAGE_AFTER: Final = 20_000  # new containers, before the youngest are searched for cycles; Python's own 700 took 5 %


def add_shared_arguments(run: argparse.ArgumentParser, port: int) -> None:
    """Add `--kubeconfig`, `--http-address` (by default `port` of the loopback address) and those of the log."""
    run.add_argument(
        "--kubeconfig",
        type=Path,
        metavar="FILE",
        help="default: $KUBECONFIG, then the pod's service account, then ~/.kube/config",
    )
    run.add_argument(
        "--http-address",
        type=parse_address,
        default=("127.0.0.1", port),
        metavar="HOST:PORT",
        help=f"where /healthz, /readyz and /metrics are served (default: 127.0.0.1:{port}; port 0: nowhere)",
    )
    run.add_argument("--log-format", choices=("text", "json"), default="text", help="default: %(default)s")
    run.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), default="info", help="default: %(default)s"
    )


def run_to_the_end(work: Callable[[], Coroutine[Any, Any, None]], log_format: str, log_level: str) -> None:
    """Run the program that `work` makes. Ends the process with status 3 on a ConfigurationError."""
    logs.configure(log_format, log_level)
    # What a program has loaded by now stays for ever, and nearly nothing that it makes is part of a cycle.
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER, 50, 50)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work())
    except ConfigurationError as error:
        # A traceback would only hide what has to be done.
        logger.error("cannot start: %s", error.problem, extra={"advice": error.advice})  # noqa: TRY400
        sys.exit(EXIT_CONFIGURATION)
    except (KeyboardInterrupt, asyncio.CancelledError):
        logger.info("stopped")
