"""Receivers of callbacks on loopback: real sockets, which a test can make fail in all the ways networks and servers do.

with receiving() as receiver:
    receiver.next(*[answer(503)] * 2)       # the first two requests; after them `always`, which is 200
    ... callbacks: [{url: receiver.url}] ...
    wait_for(lambda: len(receiver.requests) == 3)
"""

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.cluster.pki import KeyPair

LARGEST_HEAD: Final = 64 * 1024
DRIP: Final = 0.05  # seconds between two bytes of a slow answer


@dataclass(frozen=True)
class Received:
    """One request that arrived whole. `headers` have lower-case names; `time` is the wall clock in seconds."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    time: float

    @property
    def id(self) -> str:
        """The message's id, the same at every try."""
        return self.headers.get("webhook-id", "")

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One connection, as a behaviour uses it."""

    def __init__(self, receiver: "Receiver", connection: socket.socket) -> None:
        self.receiver, self.connection = receiver, connection
        self.open = True
        self._first = b""

    def begun(self) -> bool:
        """Wait until a request begins, or (False) the other end hangs up; one byte of it is read."""
        self._first = self.connection.recv(1)
        return bool(self._first)

    def read(self) -> Received:
        """Read one request and keep it in `receiver.requests`. Raises OSError where it does not arrive whole."""
        buffer = self._first
        while b"\r\n\r\n" not in buffer:
            buffer += self._some()
            if len(buffer) > LARGEST_HEAD:
                raise OSError("no end of the headers")
        head, _, body = buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(headers.get("content-length", 0)):
            body += self._some()
        received = Received(method, path, headers, body, time.time())
        self.receiver.requests.append(received)
        return received

    def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Send a whole answer; the connection stays open for the next request."""
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def send(self, data: bytes) -> None:
        """Send bytes as they are. Raises OSError once the other end has hung up."""
        self.connection.sendall(data)
        self.receiver.sent += len(data)

    def wait(self, seconds: float | None = None) -> bool:
        """Do nothing for so long, or (None) until the test is over; whether it is over."""
        return self.receiver.over.wait(seconds)

    def await_hanging_up(self) -> None:
        """Do nothing until the other end hangs up or the test is over."""
        with contextlib.suppress(OSError):
            while self.connection.recv(4096):
                pass

    def hang_up(self) -> None:
        """End the connection in good order."""
        self.open = False

    def reset(self) -> None:
        """Break the connection off: the other end sees a reset."""
        self.open = False
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _some(self) -> bytes:
        found = self.connection.recv(65536)
        if not found:
            raise ConnectionResetError("hung up in the middle of a request")
        return found


Behaviour = Callable[[Wire], None]
"""What to do with one request, of which one byte is read yet; OSError means that the other end has hung up."""


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Behaviour:
    """Answer as told; `headers` have underscores for dashes."""

    def behave(wire: Wire) -> None:
        wire.read()
        wire.answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})

    return behave


def redirect(url: str, status: int = 302) -> Behaviour:
    """Send to another place."""
    return answer(status, Location=url)


def hang(wire: Wire) -> None:
    """Take the request and say nothing."""
    wire.read()
    wire.await_hanging_up()
    wire.hang_up()


def hang_unread(wire: Wire) -> None:
    """Accept the connection and do not even read."""
    wire.wait()
    wire.hang_up()


def reset(wire: Wire) -> None:
    """Take the request and break off without an answer."""
    wire.read()
    wire.reset()


def reset_while_reading(wire: Wire) -> None:
    """Break off in the middle of the request."""
    wire.connection.recv(16)
    wire.reset()


def reset_in_body(status: int = 200) -> Behaviour:
    """Break off in the middle of the answer's body."""

    def behave(wire: Wire) -> None:
        wire.read()
        wire.send(f"HTTP/1.1 {status} Said\r\nContent-Length: 1000\r\n\r\nhalf".encode())
        wire.reset()

    return behave


def endless(status: int = 200, limit: int = 100 * 1024 * 1024) -> Behaviour:
    """Send up to `limit` bytes of body, until the other end hangs up; `receiver.sent` counts them."""

    def behave(wire: Wire) -> None:
        wire.read()
        wire.hang_up()
        wire.send(f"HTTP/1.1 {status} Said\r\nContent-Length: {limit}\r\n\r\n".encode())
        for _ in range(limit // 65536):
            wire.send(b"x" * 65536)

    return behave


def never_ending(status: int = 200) -> Behaviour:
    """Send the status, begin a body, and never end it."""

    def behave(wire: Wire) -> None:
        wire.read()
        wire.send(f"HTTP/1.1 {status} Said\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n".encode())
        wire.await_hanging_up()
        wire.hang_up()

    return behave


def drip_headers(wire: Wire) -> None:
    """Send a byte at a time of headers that never end, so that no single read times out."""
    wire.read()
    wire.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not wire.wait(DRIP):
        wire.send(b"x")


def garbage(data: bytes) -> Behaviour:
    """Take the request and send `data`, which is no HTTP, then hang up."""

    def behave(wire: Wire) -> None:
        wire.read()
        wire.send(data)
        wire.hang_up()

    return behave


@dataclass
class Receiver:
    """One receiver. `next_answers` are used up first, one for each request; `always` stands for every one after them.

    `requests` are those that arrived whole, in order; `connections` counts what was accepted, `open`
    what of it is not closed yet, `sent` bytes of answers.
    """

    url: str = ""
    port: int = 0
    always: Behaviour = field(default_factory=lambda: answer(200))
    requests: list[Received] = field(default_factory=list)
    next_answers: deque[Behaviour] = field(default_factory=deque)
    connections: int = 0
    open: int = 0
    sent: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def next(self, *behaviours: Behaviour) -> None:
        """Meet the next requests with these, one each."""
        self.next_answers.extend(behaviours)

    def behaviour(self) -> Behaviour:
        """Take what the next request is met with."""
        try:
            return self.next_answers.popleft()
        except IndexError:
            return self.always

    def of(self, operation: str) -> list[Received]:
        """The requests so far about one operation, by its uid or name, in either format."""
        return [received for received in list(self.requests) if operation in _about(received)]

    @property
    def ids(self) -> set[str]:
        """The ids of the messages so far."""
        return {received.id for received in list(self.requests)}


def _about(received: Received) -> set[str]:
    found = received.json.get("data", {}).get("operation", {})
    return {str(found.get("name")), str(found.get("uid"))}


def tls_of(pair: KeyPair) -> ssl.SSLContext:
    """What a server with this certificate speaks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


@contextlib.contextmanager
def receiving(
    always: Behaviour | None = None, *, host: str = "127.0.0.1", name: str = "", tls: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    """A receiver on its own port of `host`; its URL has `name` (default: the host) and is https with `tls`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    receiver = Receiver(always=always or answer(200))
    with socket.create_server((host, 0), family=family, backlog=256) as server:
        receiver.port = int(server.getsockname()[1])
        shown = name or (f"[{host}]" if ":" in host else host)
        receiver.url = f"{'https' if tls else 'http'}://{shown}:{receiver.port}/hook"
        doors = _Doors(receiver, server, tls)
        doors.open()
        try:
            yield receiver
        finally:
            doors.close()


class _Doors:
    """Accepts connections, each in a thread of its own."""

    def __init__(self, receiver: Receiver, server: socket.socket, tls: ssl.SSLContext | None) -> None:
        self._receiver, self._server, self._tls = receiver, server, tls
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._accepting = threading.Thread(target=self._accept, name="receiver", daemon=True)

    def open(self) -> None:
        self._accepting.start()

    def close(self) -> None:
        self._receiver.over.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join()

    def _accept(self) -> None:
        while not self._receiver.over.is_set():
            try:
                connection, _ = self._server.accept()
            except OSError:
                return  # closed
            self._receiver.connections += 1
            with self._lock:
                self._open.add(connection)
                self._receiver.open = len(self._open)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.add(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError, ssl.SSLError):
                self._converse(plain)
        finally:
            with self._lock:
                self._open.discard(plain)
                self._receiver.open = len(self._open)
            plain.close()
            self._threads.discard(threading.current_thread())

    def _converse(self, plain: socket.socket) -> None:
        connection = plain
        if self._tls:
            # Of its own handle, so that the plain one can still be shut down from outside.
            connection = self._tls.wrap_socket(plain.dup(), server_side=True)
        with connection:
            wire = Wire(self._receiver, connection)
            while wire.open and not self._receiver.over.is_set() and wire.begun():
                self._receiver.behaviour()(wire)
