"""Where a worker runs: in the pod of an operation, or in a terminal to try it out."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from alo_operator.errors import ConfigurationError, InvalidInput, ReportUnavailable, ResultTooLarge
from alo_operator.worker.progress import Report
from alo_operator.worker.results import LARGEST_MESSAGE, OUTSIDE, Written, hand_in, room
from alo_operator.worker.stopping import Stop
from alo_operator.worker.wire import Answer, Endpoint

logger = logging.getLogger("alo_operator.worker")

UNKNOWN_CONTAINERS: Final = 6  # so many share a pod with this one at most, unless it is told how many
PROGRESS_SECONDS: Final = 10.0
FAILURE_BYTES: Final = 2000
ACCEPTED: Final = 202


def input_from(path: Path) -> dict[str, Any]:
    """Return the input in a file; `-` is standard input. Raises ConfigurationError or InvalidInput."""
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the input {path} cannot be read: {error.strerror}", "Give a file that holds a JSON object"
        ) from error
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the input {path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidInput(f"the input {path} is no JSON object: write {{...}}")
    return found


def local_input(environ: Mapping[str, str], arguments: Sequence[str]) -> dict[str, Any]:
    """Return the input for a trial: of `--input FILE` among the arguments, else of ALO_INPUT_FILE, else empty."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--input", metavar="FILE")
    try:
        given, _ = parser.parse_known_args(list(arguments))
    except argparse.ArgumentError as error:
        raise ConfigurationError("--input names no file", "Write --input FILE, or --input - to type it in") from error
    path = given.input or environ.get("ALO_INPUT_FILE")
    return input_from(Path(path)) if path else {}


class ClusterPlace:
    """The pod of an operation. `room` is what surely fits the termination message, in bytes; None: not known."""

    def __init__(
        self, result_file: Path, endpoint: Endpoint | None, *, room: int | None, stop: Stop, patience: float
    ) -> None:
        self._file, self._endpoint, self._room = result_file, endpoint, room
        self._stop, self._patience = stop, patience

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], *, room: int | None, stop: Stop, patience: float
    ) -> ClusterPlace:
        """Raises ConfigurationError if the environment is not one that the operator made."""
        result_file, url = environ.get("ALO_RESULT_FILE"), environ.get("ALO_REPORT_URL")
        if not result_file:
            raise ConfigurationError(
                "ALO_ID is set and ALO_RESULT_FILE is not", "Unset ALO_ID to run outside a cluster"
            )
        token = Path(environ.get("ALO_TOKEN_FILE") or "/alo/token")
        endpoint = Endpoint(url, token, traceparent=environ.get("TRACEPARENT", "")) if url else None
        return cls(Path(result_file), endpoint, room=room, stop=stop, patience=patience)

    def report(self, report: Report) -> Answer:
        """Send one progress report. Raises ReportUnavailable."""
        if self._endpoint is None:
            return Answer(ACCEPTED)
        body = json.dumps(report, ensure_ascii=True).encode()
        return self._endpoint.send("POST", "progress", body, "application/json", PROGRESS_SECONDS)

    def take(self, result: Written) -> None:
        """Raises ResultTooLarge, ResultRefused or ReportUnavailable."""
        size, endpoint = len(result.content), self._endpoint
        if endpoint is None:
            self._take_alone(result)
            return
        if result.plain and size <= (room(UNKNOWN_CONTAINERS) if self._room is None else self._room):
            self._write(result.content)
            return
        try:
            hand_in(
                lambda seconds: endpoint.send("PUT", "result", result.content, result.content_type, seconds),
                result.content,
                self._stop,
                self._patience,
            )
        except ReportUnavailable:
            if not result.plain or size > self._largest:
                raise
            # It may fit: the operator sees it if it does not, and never takes half of it.
            logger.warning("the report endpoint is away: the result goes into the termination message")
            self._write(result.content)

    @property
    def _largest(self) -> int:
        return LARGEST_MESSAGE if self._room is None else self._room

    def _take_alone(self, result: Written) -> None:
        """Without a report endpoint there is the termination message only."""
        if len(result.content) > self._largest:
            raise ResultTooLarge(
                len(result.content),
                self._largest,
                f"this operator has no report endpoint for larger ones (--report-url); {OUTSIDE}",
            )
        try:
            result.content.decode()
        except UnicodeDecodeError as error:
            raise ReportUnavailable(
                "the result is no text, and this operator has no report endpoint for other ones (--report-url); "
                f"{OUTSIDE}"
            ) from error
        self._write(result.content)

    def _write(self, content: bytes) -> None:
        try:
            self._file.write_bytes(content)  # a mounted file: it cannot be replaced by another
        except OSError as error:
            raise ReportUnavailable(f"the result cannot be written to {self._file}: {error}") from error

    def last_words(self, message: str) -> None:
        text = message.encode(errors="replace")[:FAILURE_BYTES].decode(errors="ignore")
        try:
            self._write(text.encode())
        except ReportUnavailable as problem:
            logger.warning("%s", problem)


class LocalPlace:
    """A terminal: progress on standard error, the result on standard output."""

    def report(self, report: Report) -> Answer:
        if report:
            sys.stderr.write(f"progress: {shown(report)}\n")
            sys.stderr.flush()
        return Answer(ACCEPTED)

    def take(self, result: Written) -> None:
        sys.stdout.flush()
        sys.stdout.buffer.write(result.content + (b"\n" if result.plain else b""))
        sys.stdout.buffer.flush()
        if len(result.content) > LARGEST_MESSAGE or not result.plain:
            sys.stderr.write(f"note: in a cluster {len(result.content)} bytes go to the report endpoint\n")

    def last_words(self, message: str) -> None:
        """The terminal has seen them already."""


def shown(report: Report) -> str:
    """A report in one line, such as `3/10 files, cat.png`."""
    count = f"{report['done']}/{report['total']}" if {"done", "total"} <= report.keys() else f"{report.get('done', '')}"
    counted = " ".join(word for word in (count, report.get("unit", "")) if word)
    percent = f"{report['percent']}%" if "percent" in report else ""
    return ", ".join(part for part in (counted, percent, report.get("message", "")) if part)
