"""The entry point of `alo-gateway`."""

from __future__ import annotations

from alo_operator.effects.command_line import run_to_the_end
from alo_operator.gateway.app import App
from alo_operator.gateway.options import parse


def main() -> None:
    """Run the gateway. Exit status: 0 after a signal, 2 for a bad command line, 3 for what a person has to fix."""
    options = parse()
    run_to_the_end(lambda: App(options).run(), options.log_format, options.log_level)
