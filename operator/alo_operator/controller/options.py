"""The command line of `alo-operator`."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from alo_operator import __version__
from alo_operator.api import limits
from alo_operator.api.durations import parse_duration
from alo_operator.delivery.address import AddressRule
from alo_operator.delivery.schedule import Schedule
from alo_operator.desired.settings import DEFAULTS
from alo_operator.effects.command_line import add_shared_arguments
from alo_operator.effects.lease import LeaseSettings
from alo_operator.effects.transport import TIMEOUT, SendSettings

NEVER: Final = "never"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """How one operator process runs; `namespaces` None means all. `http` is host and port, port 0 means none.

    `retention_job` is a duration as the API writes them; None means for ever. `sending` and `schedule`: how callbacks
    are told, and when again.
    """

    namespaces: tuple[str, ...] | None
    kubeconfig: Path | None
    lease: LeaseSettings
    log_format: str
    log_level: str
    http: tuple[str, int]
    log_tail: bool
    report_url: str | None
    retention_job: str | None
    sending: SendSettings
    schedule: Schedule


def parse(arguments: list[str] | None = None) -> Options:
    """Read the command line; on a bad one, print what is wrong and exit with status 2."""
    parser = argparse.ArgumentParser(
        prog="alo-operator", description="Durable promises for Kubernetes: the controller."
    )
    parser.add_argument("--version", action="version", version=f"alo-operator {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="watch AsyncOperations and run their work until stopped")
    scope = run.add_mutually_exclusive_group(required=True)
    scope.add_argument(
        "-n", "--namespace", action="append", metavar="NAME", help="look after this namespace (may be repeated)"
    )
    scope.add_argument("-A", "--all-namespaces", action="store_true", help="look after all namespaces")
    run.add_argument(
        "--identity",
        default=platform.node() or "alo-operator",
        metavar="NAME",
        help="name of this replica in the Lease, the same after a restart, shared by no two (default: host name)",
    )
    run.add_argument("--lease-namespace", metavar="NAME", help="default: --namespace if given once, else alo-system")
    run.add_argument("--lease-name", default="alo-operator", metavar="NAME", help="default: %(default)s")
    run.add_argument(
        "--lease-duration",
        type=_seconds,
        default=15.0,
        metavar="TIME",
        help="how long a crashed leader's Lease holds others off (default: 15s)",
    )
    run.add_argument("--lease-renew", type=_seconds, metavar="TIME", help="default: a third of the duration")
    run.add_argument(
        "--lease-retry", type=_seconds, default=1.0, metavar="TIME", help="how often a standby looks (default: 1s)"
    )
    run.add_argument(
        "--no-log-tail",
        action="store_true",
        help="never show the end of a failed worker's log as failure text, to people who may not read pods' logs",
    )
    run.add_argument(
        "--report-url",
        type=_url,
        metavar="URL",
        help="where workers reach alo-gateway, such as http://alo-gateway.alo-system.svc:8081 (default: nowhere)",
    )
    run.add_argument(
        "--retention-job",
        type=_retention,
        default=DEFAULTS.retention_job or NEVER,
        metavar="TIME",
        help="how long the Jobs and pods of ended operations are kept that do not say so themselves, nor their "
        "templates; such as 90s, 12h, 720h or never (default: %(default)s)",
    )
    _add_delivery_arguments(run)
    add_shared_arguments(run, 8080)
    given = parser.parse_args(arguments)
    namespaces = tuple(given.namespace) if given.namespace else None
    renew = given.lease_renew or given.lease_duration / 3
    if not renew < given.lease_duration * 2 / 3:
        parser.error("--lease-renew must be less than two thirds of --lease-duration")
    default_home = namespaces[0] if namespaces and len(namespaces) == 1 else "alo-system"
    lease = LeaseSettings(
        namespace=given.lease_namespace or default_home,
        name=given.lease_name,
        identity=given.identity,
        duration=given.lease_duration,
        renew=renew,
        retry=given.lease_retry,
    )
    return Options(
        namespaces=namespaces,
        kubeconfig=given.kubeconfig,
        lease=lease,
        log_format=given.log_format,
        log_level=given.log_level,
        http=given.http_address,
        log_tail=not given.no_log_tail,
        report_url=given.report_url,
        retention_job=None if given.retention_job == NEVER else given.retention_job,
        sending=SendSettings(
            allow=AddressRule.parse(given.delivery_allow),
            timeout=given.delivery_timeout,
            inline_limit=given.delivery_inline_limit,
            ca_file=given.delivery_ca,
        ),
        schedule=given.delivery_schedule,
    )


def _add_delivery_arguments(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "--delivery-allow",
        type=_worded(_allowed),
        action="append",
        default=[],
        metavar="WHERE",
        help="let callbacks go there too, beside addresses that are routable on the Internet: a network such as "
        "10.0.0.0/8, or the end of host names such as .svc (may be repeated)",
    )
    run.add_argument(
        "--delivery-ca", type=Path, metavar="FILE", help="certificates, in PEM, to trust beside the system's"
    )
    run.add_argument(
        "--delivery-timeout",
        type=_seconds,
        default=TIMEOUT,
        metavar="TIME",
        help="how long a receiver may take to answer (default: 15s)",
    )
    run.add_argument(
        "--delivery-schedule",
        type=_worded(Schedule.parse),
        default=DEFAULTS.schedule,
        metavar="TIMES",
        help="the pauses between attempts to tell a callback (default: 5s,5m,30m,2h,5h,10h,14h,20h,24h)",
    )
    run.add_argument(
        "--delivery-inline-limit",
        type=_inline_limit,
        default=limits.INLINE_BYTES,
        metavar="BYTES",
        help="results up to this size are sent whole, larger ones as a reference (default: %(default)s)",
    )


def _worded(read: Callable[[str], T]) -> Callable[[str], T]:
    """`read`, whose own words say what is wrong with an argument: of a ValueError, argparse shows none."""

    def parse(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parse


def _allowed(text: str) -> str:
    AddressRule.parse([text])
    return text


def _inline_limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not limits.INLINE_BYTES <= int(text) <= limits.RESULT_BYTES:
        said = f"{text!r} is not a number of bytes from {limits.INLINE_BYTES} to {limits.RESULT_BYTES}"
        raise argparse.ArgumentTypeError(said)
    return int(text)


def _seconds(text: str) -> float:
    number = text.removesuffix("s")
    try:
        seconds = float(number)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time between 0.1s and 3600s, such as 15s")
    return seconds


def _retention(text: str) -> str:
    try:
        if text != NEVER:
            parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; or write {NEVER}") from error
    return text


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not parts.username
    except ValueError:
        good = False
    if not good or "?" in text or "#" in text or any(character.isspace() for character in text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL, such as http://alo-gateway.alo-system.svc:8081")
    return text.rstrip("/")
