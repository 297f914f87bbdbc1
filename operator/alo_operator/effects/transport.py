"""One POST to a receiver that nobody trusts: to addresses that are allowed, within limits, and believing the status
alone.

What the receiver writes beside the status is read only so far as the connection is to be used again, and is shown
nowhere: whoever may choose URLs and read status must not read through the operator what only the operator can reach.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import socket
import ssl
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from alo_operator import __version__
from alo_operator.api import limits
from alo_operator.api.deliveries import DeliveryError
from alo_operator.delivery.address import AddressRule, Destination, destination
from alo_operator.effects.lookups import Lookups
from alo_operator.effects.replies import Reply, answered, failed
from alo_operator.errors import ConfigurationError, InvalidCallbackUrl

TIMEOUT: Final = 15.0  # seconds for one attempt, all of it
CONNECT_TIMEOUT: Final = 5.0  # of these for lookup, connection and TLS
DRAIN_TIMEOUT: Final = 1.0  # after the status, for the rest of the answer
ANSWER_BYTES: Final = 16 * 1024  # of an answer's body that are read; a longer one costs its connection
AT_A_STRETCH: Final = 64 * 1024  # of a message
HEADER_BYTES: Final = 8 * 1024  # of one header line
HEADERS: Final = 100
IDLE: Final = 4.0  # seconds; shorter than common servers keep a connection, so that few are closed as we use them
UNREAD_TIMEOUT: Final = 60_000  # milliseconds
LOOKUP_KEPT: Final = 10  # seconds
AGENT: Final = f"alo-operator/{__version__}"

_KEPT_IN_URL: Final = "%/?:@!$&'()*+,;=-._~[]"


@dataclass(frozen=True)
class SendSettings:
    """How messages are sent.

    `allow`: the addresses that may be connected to. `timeout`: seconds for one attempt. `inline_limit`: bytes up to
    which a result that a ConfigMap holds is sent as value. `ca_file`: certificates to trust beside the system's.
    """

    allow: AddressRule = field(default_factory=AddressRule)
    timeout: float = TIMEOUT
    inline_limit: int = limits.INLINE_BYTES
    ca_file: Path | None = None


@dataclass(slots=True)
class _Dial:
    """One POST's way to its destination: what was tried, what the rule refused, and what it went over."""

    host: str
    namespace: str
    tried: int = 0
    refused: list[str] = field(default_factory=list)
    transport: asyncio.Transport | None = None

    def hang_up(self) -> None:
        """Close the connection at once: what is unsent would keep it open until the other end takes it, or for ever."""
        if self.transport:
            self.transport.abort()


_DIAL: ContextVar[_Dial] = ContextVar("dial")


class _Refused(OSError):
    """An address that the rule does not allow; nothing was sent to it."""


class _Connector(aiohttp.TCPConnector):
    """Tells of the connection that a POST goes over, new or used before."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        _DIAL.get().transport = connection.transport
        return connection


class Transport:
    """Connections to receivers. Made before the loop runs or within; `resolver` stands in for the system's.

    The rule is asked for each socket about the very address it is to be connected to, so that it makes no difference
    how the address was written or found, or what the same name meant a moment before. Proxies are not used, whatever
    the environment says: behind one, the address would be the proxy's to choose.

    Raises:
        ConfigurationError: the file with certificates cannot be used.
    """

    def __init__(self, settings: SendSettings, *, resolver: AbstractResolver | None = None) -> None:
        self._settings, self._resolver = settings, resolver
        self._tls = _tls(settings.ca_file)
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, patience: float, namespace: str = ""
    ) -> Reply:
        """POST once, in the name of `namespace`; over after `patience` seconds. Every failure is in the reply."""
        try:
            to = destination(url)
        except InvalidCallbackUrl as error:
            return Reply(error=DeliveryError.INVALID_CALLBACK_URL, said=str(error))
        dial = _Dial(to.host, namespace)
        token = _DIAL.set(dial)
        whole = False
        try:
            response = await self._post(_address(url, to), headers, body, patience)
            whole = await _drained(response)
            return answered(response.status, response.headers.get("Retry-After", ""))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if dial.refused and len(dial.refused) == dial.tried:
                return Reply(error=DeliveryError.ADDRESS_NOT_ALLOWED, said=dial.refused[0])
            return failed(error, to, patience, min(CONNECT_TIMEOUT, patience))
        finally:
            if not whole:
                dial.hang_up()
            _DIAL.reset(token)

    async def close(self) -> None:
        """Close all connections."""
        if self._session:
            await self._session.close()
            self._session = None

    async def _post(self, url: URL, headers: Mapping[str, str], body: bytes, patience: float) -> aiohttp.ClientResponse:
        # Without the threshold times are rounded up to whole seconds, beyond what somebody's deletion waits for.
        times = aiohttp.ClientTimeout(
            total=patience, connect=min(CONNECT_TIMEOUT, patience), ceil_threshold=float("inf")
        )
        data = body if len(body) <= AT_A_STRETCH else io.BytesIO(body)  # by and by, so that others get their turn
        return await self._connected().post(url, data=data, headers=headers, timeout=times, allow_redirects=False)

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=_Connector(
                    ssl=self._tls,
                    resolver=self._resolver or Lookups(lambda: _DIAL.get().namespace),
                    socket_factory=self._socket,
                    ttl_dns_cache=LOOKUP_KEPT,
                    keepalive_timeout=IDLE,
                    limit=0,  # the sender's: waiting for a connection here would use up an attempt's time
                ),
                headers={"User-Agent": AGENT},
                skip_auto_headers=("Accept-Encoding",),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                read_bufsize=ANSWER_BYTES,
                max_line_size=HEADER_BYTES,
                max_field_size=HEADER_BYTES,
                max_headers=HEADERS,
            )
        return self._session

    def _socket(self, found: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        family, kind, protocol, _, address = found
        dial = _DIAL.get()
        dial.tried += 1
        if refusal := self._settings.allow.refusal(dial.host, str(address[0])):
            dial.refused.append(refusal)
            raise _Refused(errno.EACCES, refusal)
        made = socket.socket(family, kind, protocol)
        if sys.platform == "linux":
            # A receiver that takes connections and reads nothing holds none of them for ever.
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_TIMEOUT)
        return made


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"--delivery-ca {ca_file} cannot be used: {error.strerror or error}",
                "Give a file that holds certificates in PEM",
            ) from error
    return context


def _address(url: str, to: Destination) -> URL:
    """The URL from its parts as they were judged, so that nobody else's reading of it counts."""
    rest = url.partition("://")[2]
    start = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    path, mark, query = rest[start:].partition("#")[0].partition("?")
    text = f"{to.origin}{quote(path, safe=_KEPT_IN_URL) or '/'}{mark}{quote(query, safe=_KEPT_IN_URL)}"
    return URL(text, encoded=True)


async def _drained(response: aiohttp.ClientResponse) -> bool:
    """Read the rest of the answer; whether that was short and good, so that the connection can be used again."""
    left = ANSWER_BYTES
    with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
        async with asyncio.timeout(DRAIN_TIMEOUT):
            while left > 0 and (read := await response.content.read(left)):
                left -= len(read)
    whole = response.content.at_eof() and response.connection is None
    response.close()
    return whole
