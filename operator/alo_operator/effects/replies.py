"""What came of one POST, in words of ours: nothing that a receiver wrote is repeated but its status."""

from __future__ import annotations

import errno
import os
import ssl
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import aiohttp

from alo_operator.api.deliveries import DeliveryError
from alo_operator.delivery.address import Destination
from alo_operator.effects import clock

A_LOT: Final = 1e9  # seconds; how much of a pause is granted is for others to say


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one POST: `status` is the HTTP status where one came, `error` the word for what went wrong.

    `said` explains the error in a sentence of ours; `retry_after` are the seconds that a 429 or 503 asked for.
    """

    status: int | None = None
    error: DeliveryError | None = None
    said: str = ""
    retry_after: float | None = None

    @property
    def final(self) -> bool:
        """Whether the same POST can never be taken."""
        return self.error in (DeliveryError.GONE, DeliveryError.INVALID_CALLBACK_URL)


def answered(status: int, retry_after: str) -> Reply:
    """What an answer says by its status; `retry_after`: its header of that name, or ""."""
    if 200 <= status < 300:
        return Reply(status)
    named = _named(status)
    if status == HTTPStatus.GONE:
        return Reply(status, DeliveryError.GONE, "410 Gone: the receiver wants no more of this")
    if 300 <= status < 400:
        return Reply(status, DeliveryError.REDIRECT_NOT_FOLLOWED, f"{named}: give the URL that it leads to")
    asks = status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    pause = _seconds(retry_after) if asks else None
    return Reply(status, DeliveryError.HTTP_ERROR, named, pause)


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"  # in our words, whatever the receiver calls it
    except ValueError:
        return str(status)


def _seconds(header: str) -> float | None:
    """The seconds that a Retry-After asks for, as number or as date; None where it asks for nothing."""
    header = header.strip()
    if header.isascii() and header.isdigit():
        return min(float(header), A_LOT) or None
    try:
        then = parsedate_to_datetime(header)
        left = (then if then.tzinfo else then.replace(tzinfo=UTC)) - clock.now()
    except (ValueError, OverflowError):
        return None
    return left.total_seconds() if left.total_seconds() > 0 else None


def failed(error: Exception, to: Destination, patience: float, patience_to_connect: float) -> Reply:
    """What an error of aiohttp's says of an attempt that had so many seconds; in our words, for its own may repeat what
    came.
    """
    place = to.origin.partition("://")[2]
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        said = f"no connection to {place} within {patience_to_connect:.3g} s"
        return Reply(error=DeliveryError.TIMEOUT, said=said)
    if isinstance(error, TimeoutError):
        return Reply(error=DeliveryError.TIMEOUT, said=f"no answer within {patience:.3g} s")
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return Reply(error=DeliveryError.TLS_ERROR, said=_tls_problem(error))
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Reply(error=DeliveryError.HOST_NOT_FOUND, said=f"no address of {to.host} could be found")
    if isinstance(error, aiohttp.InvalidURL):
        said = "a host that is a number must be an address of four decimal numbers, as in 203.0.113.7"
        return Reply(error=DeliveryError.INVALID_CALLBACK_URL, said=said)
    if isinstance(error, aiohttp.ClientConnectorError):
        return _not_connected(error.os_error, place)
    if isinstance(error, aiohttp.ClientResponseError):
        return Reply(error=DeliveryError.INVALID_ANSWER, said=f"what {place} answered is not HTTP that we can read")
    return Reply(error=DeliveryError.CONNECTION_LOST, said=f"{place} hung up before it had answered")


def _not_connected(error: OSError, place: str) -> Reply:
    if error.errno == errno.ECONNREFUSED:
        return Reply(error=DeliveryError.CONNECTION_REFUSED, said=f"nobody takes connections at {place}")
    why = os.strerror(error.errno) if error.errno else "several addresses failed"
    return Reply(error=DeliveryError.CONNECTION_FAILED, said=f"no connection to {place}: {why}")


def _tls_problem(error: aiohttp.ClientError) -> str:
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {cause.verify_message}"
    reason = cause.reason if isinstance(cause, ssl.SSLError) and cause.reason else "no TLS"
    return f"no TLS connection: {reason}"
