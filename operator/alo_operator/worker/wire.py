"""One request to the report endpoint, bounded in time and size. What an answer means is decided elsewhere."""

from __future__ import annotations

import http.client
import json
import math
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from alo_operator.errors import ConfigurationError, ReportUnavailable

ANSWER_BYTES: Final = 64 * 1024
SENTENCE: Final = 500  # characters of a message that are passed on


@dataclass(frozen=True)
class Answer:
    """An answer: HTTP code, the error's machine word and sentence, seconds to wait (None: not said), the JSON body."""

    status: int
    reason: str = ""
    message: str = ""
    retry_after: float | None = None
    body: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return " ".join(word for word in (str(self.status), self.reason, self.message) if word)


class Endpoint:
    """The report endpoint of one operation.

    It goes straight to the address: no proxy from the environment is told the token, and no redirect is followed.
    Raises ConfigurationError for a URL that is none.
    """

    def __init__(self, url: str, token_file: Path, *, traceparent: str = "") -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in {"http", "https"} or not parts.hostname or port == -1:
            raise ConfigurationError(
                f"ALO_REPORT_URL is {url!r}, which is no http or https URL", "Correct the operator's --report-url"
            )
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, port
        self._path = parts.path.rstrip("/")
        self._token_file, self._traceparent = token_file, traceparent

    def send(self, method: str, name: str, body: bytes, content_type: str, timeout: float) -> Answer:
        """Make one request, in `timeout` seconds at most, however slowly the other side answers.

        Raises ReportUnavailable if no answer came.
        """
        headers = {"Content-Type": content_type, "Authorization": f"Bearer {self._token()}"}
        if self._traceparent:
            headers["traceparent"] = self._traceparent
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=max(0.05, timeout))
        # The connection's own timeout begins anew with every byte; this one does not.
        guard = threading.Timer(timeout, _cut, [connection])
        guard.daemon = True
        guard.start()
        try:
            return _answer(connection, method, f"{self._path}/{name}", body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            text = str(error) or type(error).__name__
            raise ReportUnavailable(f"no answer from {self._host}: {text}") from error
        finally:
            guard.cancel()
            connection.close()

    def _token(self) -> str:
        """Read anew each time, as the kubelet exchanges the token while the work runs."""
        try:
            token = self._token_file.read_text("ascii").strip()
        except (OSError, ValueError) as error:
            raise ReportUnavailable(f"no token in {self._token_file}: {error}") from error
        return token


def _answer(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes, headers: dict[str, str]
) -> Answer:
    try:
        connection.request(method, path, body, headers)
    except (BrokenPipeError, ConnectionResetError):
        # Whoever refuses early may answer without reading all that is sent.
        response = connection.response_class(connection.sock, method=method)
        response.begin()
    else:
        response = connection.getresponse()
    return _understood(response.status, response.headers.get("Retry-After"), response.read(ANSWER_BYTES))


def _cut(connection: http.client.HTTPConnection) -> None:
    sock = connection.sock
    if sock is not None:
        try:
            sock.shutdown(2)
        except OSError:
            return  # it ended by itself


def _understood(status: int, retry_after: str | None, content: bytes) -> Answer:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    body = body if isinstance(body, dict) else {}
    error = body.get("error")
    error = error if isinstance(error, dict) else {}
    return Answer(status, _text(error.get("reason")), _text(error.get("message")), _seconds(retry_after), body)


def _text(found: object) -> str:
    return "".join(char if char.isprintable() else " " for char in found[:SENTENCE]) if isinstance(found, str) else ""


def _seconds(header: str | None) -> float | None:
    """Seconds from a Retry-After header; its other form, a date, is not made use of."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
