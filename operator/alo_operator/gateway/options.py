"""The command line of `alo-gateway`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from alo_operator import __version__
from alo_operator.effects.command_line import add_shared_arguments
from alo_operator.effects.probes import parse_address


@dataclass(frozen=True, slots=True)
class Options:
    """How one gateway process runs. `listen` and `http` are host and port; port 0 of `http` means none.

    `namespaces`: whose workers are heard; None for all.
    `tls`: the files of a certificate chain and its key; None for plain HTTP.
    """

    namespaces: tuple[str, ...] | None
    kubeconfig: Path | None
    listen: tuple[str, int]
    http: tuple[str, int]
    tls: tuple[Path, Path] | None
    log_format: str
    log_level: str


def parse(arguments: list[str] | None = None) -> Options:
    """Read the command line; on a bad one, print what is wrong and exit with status 2."""
    parser = argparse.ArgumentParser(
        prog="alo-gateway", description="Durable promises for Kubernetes: where workers report."
    )
    parser.add_argument("--version", action="version", version=f"alo-gateway {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="take the reports of workers until stopped")
    scope = run.add_mutually_exclusive_group()
    scope.add_argument(
        "-n", "--namespace", action="append", metavar="NAME", help="hear workers of this namespace (may be repeated)"
    )
    scope.add_argument("-A", "--all-namespaces", action="store_true", help="hear workers of all namespaces (default)")
    run.add_argument(
        "--listen",
        type=parse_address,
        default=("", 8081),
        metavar="HOST:PORT",
        help="where workers report (default: port 8081 of every address)",
    )
    run.add_argument("--tls-certificate", type=Path, metavar="FILE", help="serve HTTPS with this certificate chain")
    run.add_argument("--tls-key", type=Path, metavar="FILE", help="the certificate's private key")
    add_shared_arguments(run, 8082)
    given = parser.parse_args(arguments)
    if (given.tls_certificate is None) != (given.tls_key is None):
        parser.error("--tls-certificate and --tls-key go together")
    if given.listen[1] == 0:
        parser.error("--listen needs a port: workers have to know it")
    return Options(
        namespaces=tuple(given.namespace) if given.namespace else None,
        kubeconfig=given.kubeconfig,
        listen=given.listen,
        http=given.http_address,
        tls=(given.tls_certificate, given.tls_key) if given.tls_certificate else None,
        log_format=given.log_format,
        log_level=given.log_level,
    )
