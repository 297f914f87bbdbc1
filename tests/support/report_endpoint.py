"""A report endpoint on loopback, over real HTTP, that a test can make fail in all the ways networks and servers do."""

import hashlib
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

PATH: Final = "/v1/namespaces/media/operations/resize"
LARGEST: Final = 900 * 1024


@dataclass(frozen=True)
class Request:
    """What arrived: `name` is the last part of the path."""

    method: str
    name: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Behaviour = Callable[["_Handler", Request], None]


@dataclass
class ReportEndpoint:
    """The endpoint of one operation: takes one result, and any progress with the right token.

    `next_answers` are used up first, one for each request; `always` stands for every request after them.
    """

    url: str = ""
    token: str = "first"
    result: bytes | None = None
    requests: list[Request] = field(default_factory=list)
    next_answers: deque[Behaviour] = field(default_factory=deque)
    always: Behaviour | None = None
    released: threading.Event = field(default_factory=threading.Event)

    def of(self, name: str) -> list[Request]:
        """Return the requests to /result or /progress so far."""
        return [request for request in list(self.requests) if request.name == name]

    def refuse_next(self, *answers: Behaviour) -> None:
        self.next_answers.extend(answers)

    def answer(self, handler: "_Handler", request: Request) -> None:
        self.requests.append(request)
        if self.next_answers:
            self.next_answers.popleft()(handler, request)
        elif self.always is not None:
            self.always(handler, request)
        elif request.headers.get("Authorization") != f"Bearer {self.token}":
            refusal(401, "Unauthorized", "the token is not known")(handler, request)
        elif request.name == "progress":
            handler.send(202, {"accepted": True})
        elif len(request.body) > LARGEST:
            refusal(413, "ResultTooLarge", "at most 900 KiB")(handler, request)
        elif self.result not in {None, request.body}:
            refusal(409, "OtherResult", "another result was handed in before")(handler, request)
        else:
            self.result = request.body
            handler.send(200, {"bytes": len(request.body), "sha256": hashlib.sha256(request.body).hexdigest()})


def refusal(status: int, reason: str = "", message: str = "", **headers: str) -> Behaviour:
    """Answer with an error; `headers` have underscores for dashes."""

    def behave(handler: "_Handler", _request: Request) -> None:
        handler.send(status, {"error": {"reason": reason, "message": message}}, headers)

    return behave


def plain_answer(status: int, body: bytes) -> Behaviour:
    """Answer with something that is not JSON, as a proxy does."""

    def behave(handler: "_Handler", _request: Request) -> None:
        handler.send_raw(status, body)

    return behave


def reset(handler: "_Handler", _request: Request) -> None:
    """Break the connection off without an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def taken_then_reset(handler: "_Handler", request: Request) -> None:
    """Take the result and lose the answer."""
    handler.endpoint.result = request.body
    reset(handler, request)


def hang(handler: "_Handler", _request: Request) -> None:
    """Say nothing until the test is over."""
    handler.endpoint.released.wait()


def drip(handler: "_Handler", _request: Request) -> None:
    """Send a byte every tenth of a second, so that no single read ever times out."""
    while not handler.endpoint.released.wait(0.1):
        try:
            handler.wfile.write(b"H")
        except OSError:
            return


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    endpoint: ReportEndpoint

    def handle_error(self, *_: object) -> None:
        """Connections break on purpose here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    @property
    def endpoint(self) -> ReportEndpoint:
        return self.server.endpoint

    def send(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        self.send_raw(status, json.dumps(body).encode(), headers)

    def send_raw(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        name = self.path.rpartition("/")[2]
        self.endpoint.answer(self, Request(self.command, name, self.path, dict(self.headers), body))

    do_PUT = do_POST = _take  # noqa: N815 - the names that the base class looks for

    def log_message(self, *_: object) -> None:
        """The tests look at the requests themselves."""


@contextmanager
def serving() -> Iterator[ReportEndpoint]:
    """Serve an endpoint for a while."""
    endpoint = ReportEndpoint()
    server = _Server(("127.0.0.1", 0), _Handler)
    server.endpoint = endpoint
    endpoint.url = f"http://127.0.0.1:{server.server_port}{PATH}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
