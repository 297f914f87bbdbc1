"""A receiver of callbacks, in one file: `python receiver.py --key-file FILE [--host H] [--port P] [--seen FILE]`.

It needs Python 3.11 and nothing else. To make it yours, replace `work`. What it does for every message:

1. read at most 1 MiB of body;
2. verify the signature over id, time and body with each key of the file, and that the time is now, give or take five
   minutes; the file is read anew for each message, so that keys change without a restart;
3. where it has the message's id already, answer 200 and do nothing;
4. else do the work and keep the id, in one transaction, then answer 204. Where the work fails, answer 500: the message
   comes again.
"""

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import sqlite3
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOLERANCE = 300  # seconds that a message may be old, or ahead of our clock
LONGEST_BODY = 1024 * 1024
PATIENCE = 30  # seconds that a sender may be silent


class RefusedMessage(Exception):
    """This message is none of ours; the words are for our own output, never for the answer."""


def read_keys(text: str) -> list[bytes]:
    """The keys of a file, one a line: `whsec_` and base64. Raises ValueError where there is none, or one is wrong."""
    try:
        keys = [base64.b64decode(word.removeprefix("whsec_"), validate=True) for word in text.split()]
    except binascii.Error:
        raise ValueError("a key is not whsec_ followed by base64") from None
    if not keys:
        raise ValueError("there is no key in it")
    return keys


def verify(keys: list[bytes], headers: Mapping[str, str], body: bytes, now: float) -> str:
    """The id of a message that was signed with one of the keys and just now. Raises RefusedMessage for any other."""
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message, moment, signatures = (given[f"webhook-{part}"] for part in ("id", "timestamp", "signature"))
        age = now - int(moment)
    except (KeyError, ValueError):
        raise RefusedMessage("it is not signed: webhook-id, -timestamp or -signature is missing or no number") from None
    if abs(age) > TOLERANCE:
        raise RefusedMessage(f"it was signed {abs(age):.0f} s {'ago' if age > 0 else 'ahead of our clock'}")
    signed = f"{message}.{moment}.".encode() + body
    expected = ["v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys]
    # In constant time, and as bytes: a header may hold anything.
    if not any(hmac.compare_digest(one.encode(), wanted.encode()) for one in signatures.split() for wanted in expected):
        raise RefusedMessage("no signature matches our keys: another key, or a changed message")
    return message


@dataclass(frozen=True)
class Outcome:
    """How an operation ended, as a message of either format tells it."""

    namespace: str
    name: str
    phase: str
    said: str

    @classmethod
    def from_body(cls, body: bytes) -> "Outcome":
        """Raises RefusedMessage for anything else."""
        try:
            data = json.loads(body)["data"]
            operation = data["operation"]
            return cls(operation["namespace"], operation["name"], data["phase"], _what_it_says(data))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RefusedMessage(f"it tells of no operation: {error!r}") from None


def _what_it_says(data: Mapping[str, Any]) -> str:
    """The value, where a larger one is kept, or why there is none."""
    result, failure = data.get("result") or {}, data.get("failure") or {}
    if failure:
        return f"{failure['reason']}: {failure.get('message', '')}"
    if "ref" in result:
        return f"{result['bytes']} bytes in {result['ref']['kind']} {result['ref']['name']}, sha256 {result['sha256']}"
    return json.dumps(result.get("value"), ensure_ascii=False)


def work(outcome: Outcome) -> None:
    """What is done once for each outcome. Here: one line is printed."""
    print(f"{outcome.namespace}/{outcome.name} {outcome.phase} {outcome.said}", flush=True)


class Seen:
    """The ids of the messages whose work is done; in a file they outlive the process."""

    def __init__(self, file: str) -> None:
        self._one_at_a_time = threading.Lock()
        # None: the one lock and BEGIN below are all there is to it.
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._database.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, time REAL NOT NULL)")

    def once(self, message: str, outcome: Outcome) -> bool:
        """Do the work unless that was done before; whether it was done now. Passes on what `work` raises."""
        with self._one_at_a_time:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                added = self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (message, time.time()))
                if added.rowcount:
                    work(outcome)
                self._database.execute("COMMIT")
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            return bool(added.rowcount)


class Receiver(ThreadingHTTPServer):
    """Listens from when it is made; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, host: str, port: int, key_file: Path, seen: Seen) -> None:
        self.key_file, self.seen = key_file, seen
        super().__init__((host, port), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE

    def do_POST(self) -> None:  # the name that the base class wants
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LONGEST_BODY:
            self.close_connection = True  # what follows is not read
            self.answer(HTTPStatus.LENGTH_REQUIRED if not length else HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        body = self.rfile.read(int(length))
        try:
            self.answer(self.take(body))
        except RefusedMessage as refused:
            print(f"refused a message: {refused}", file=sys.stderr, flush=True)
            self.answer(HTTPStatus.BAD_REQUEST)
        except Exception as error:  # whatever the work met: the message comes again
            print(f"could not take a message: {error!r}", file=sys.stderr, flush=True)
            self.answer(HTTPStatus.INTERNAL_SERVER_ERROR)

    def take(self, body: bytes) -> HTTPStatus:
        """Verify a message, and do its work unless that was done before."""
        message = verify(read_keys(self.server.key_file.read_text()), dict(self.headers.items()), body, time.time())
        outcome = Outcome.from_body(body)
        if self.server.seen.once(message, outcome):
            return HTTPStatus.NO_CONTENT
        print(f"{outcome.namespace}/{outcome.name} came again", flush=True)
        return HTTPStatus.OK

    def answer(self, status: HTTPStatus) -> None:
        """An answer without a body: the sender looks at the status alone."""
        self.send_response(status)
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line for each outcome is enough."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Receives callbacks of alo-operator and prints each outcome once.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8099, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--key-file", type=Path, required=True, help="the signing keys, one a line: whsec_...")
    parser.add_argument("--seen", default=":memory:", help="file for the ids of the messages that were worked on")
    given = parser.parse_args()
    try:
        read_keys(given.key_file.read_text())
    except (OSError, ValueError) as error:
        parser.error(f"--key-file: {error}")
    server = Receiver(given.host, given.port, given.key_file, Seen(given.seen))
    print(f"listening on http://{given.host}:{server.server_address[1]}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
