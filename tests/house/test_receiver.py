"""The example receiver, run as its README says; messages are signed by the reference library of Standard Webhooks."""

import base64
import http.client
import json
import secrets
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import pytest
from standardwebhooks.webhooks import Webhook

from tests.house.repository import ROOT
from tests.support.waiting import wait_for

PROGRAM = ROOT / "examples" / "receiver" / "receiver.py"
DATA = {
    "operation": {"namespace": "media", "name": "resize-7f3c", "uid": "u-1"},
    "promise": "Fulfilled",
    "phase": "Succeeded",
    "metadata": {},
    "result": {"value": {"width": 800}, "bytes": 13},
}
LINE = 'media/resize-7f3c Succeeded {"width": 800}'


def new_key():
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def message(**data):
    return json.dumps({"type": "operation.succeeded", "timestamp": "2026-01-01T00:00:00Z", "data": DATA | data})


def headers(key, name, body, when=None):
    when = when or datetime.now(UTC)
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(when.timestamp())),
        "webhook-signature": Webhook(key).sign(name, when, body),
    }


@dataclass
class Running:
    """The receiver's process; `printed` and `complained` are its lines so far."""

    key: str
    key_file: Path
    process: "subprocess.Popen[str]"
    address: str = ""
    printed: list[str] = field(default_factory=list)
    complained: list[str] = field(default_factory=list)

    def post(self, body, sent):
        """The status it answers to these headers and body."""
        connection = http.client.HTTPConnection(self.address, timeout=20)
        with closing(connection):
            connection.request("POST", "/", body.encode(), sent)
            return connection.getresponse().status

    def announce(self, length):
        """The status it answers before any of a body of this length has come."""
        connection = http.client.HTTPConnection(self.address, timeout=20)
        with closing(connection):
            connection.putrequest("POST", "/")
            if length is not None:
                connection.putheader("Content-Length", str(length))
            connection.endheaders()
            return connection.getresponse().status

    def send(self, name, body=None, key=None, when=None):
        body = message() if body is None else body
        return self.post(body, headers(key or self.key, name, body, when))

    def read(self, stream: IO[str], lines: list[str]) -> None:
        lines.extend(line.rstrip("\n") for line in iter(stream.readline, ""))

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def start(tmp_path):
    """Starts receivers, all with one key file and one file of ids."""
    running = []
    key, key_file = new_key(), tmp_path / "key"
    key_file.write_text(key + "\n")

    def started():
        # -I: alone, as somebody's plain Python would run it.
        process = subprocess.Popen(
            [sys.executable, "-I", PROGRAM, "--port", "0", "--key-file", key_file, "--seen", tmp_path / "seen"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        one = Running(key, key_file, process)
        running.append(one)
        for stream, lines in ((process.stdout, one.printed), (process.stderr, one.complained)):
            threading.Thread(target=one.read, args=(stream, lines), daemon=True).start()
        wait_for(lambda: one.printed, describe="it says where it listens", interval=0.02)
        one.address = one.printed.pop(0).removeprefix("listening on http://").removesuffix("/")
        return one

    yield started
    for one in running:
        one.end()
        for stream in (one.process.stdout, one.process.stderr):
            stream.close()


def lines(found, count):
    """All lines, once there are so many."""
    wait_for(lambda: len(found) >= count, describe=f"{count} lines", interval=0.02)
    return list(found)


def test_a_message_is_worked_on_once_however_often_it_comes(start):
    """One line of work for one id: repeated, at the same time, and after a restart; another id is other work."""
    receiver = start()
    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(receiver.send, ["first"] * 8))
    assert answers == [200] * 7 + [204]
    assert sorted(lines(receiver.printed, 8)) == [LINE, *["media/resize-7f3c came again"] * 7]

    receiver.end()
    again = start()

    assert (again.send("first"), again.send("second")) == (200, 204)
    assert lines(again.printed, 2) == ["media/resize-7f3c came again", LINE]
    assert again.complained == []


def test_both_formats_and_all_outcomes_are_understood(start):
    """A CloudEvent, a reference to a large result, no result, and a failure are each one line."""
    receiver = start()
    event = {"specversion": "1.0", "id": "e", "type": "io.alo-operator.operation.succeeded", "data": DATA}
    ref = {"kind": "ConfigMap", "name": "resize-7f3c-result", "key": "result"}
    failure = {"type": "WorkerFailed", "reason": "NonZeroExit", "message": "container main exited with code 1"}

    for name, body in {
        "event": json.dumps(event),
        "ref": message(result={"ref": ref, "bytes": 70000, "sha256": "ab"}),
        "none": message(result=None),
        "failed": message(phase="Failed", failure=failure, result=None),
    }.items():
        assert receiver.send(name, body) == 204

    assert lines(receiver.printed, 4) == [
        LINE,
        "media/resize-7f3c Succeeded 70000 bytes in ConfigMap resize-7f3c-result, sha256 ab",
        "media/resize-7f3c Succeeded null",
        "media/resize-7f3c Failed NonZeroExit: container main exited with code 1",
    ]


def test_a_message_that_is_not_ours_is_refused(start):
    """Another key, a changed byte, another id, another time, none of the headers, rubbish: 400 and no work."""
    receiver = start()
    body = message()
    good = headers(receiver.key, "id", body)
    minutes = timedelta(minutes=1)
    now = datetime.now(UTC)

    refused = [
        receiver.send("id", key=new_key()),
        receiver.post(body.replace("800", "801"), good),
        receiver.post(body, good | {"webhook-id": "other"}),
        receiver.post(body, good | {"webhook-timestamp": str(int(now.timestamp()) + 1)}),
        receiver.post(body, good | {"webhook-timestamp": "soon"}),
        receiver.post(body, good | {"webhook-signature": "v1, v1,\u00e4 v2"}),
        receiver.post(body, {}),
        receiver.send("old", when=now - 6 * minutes),
        receiver.send("early", when=now + 6 * minutes),
        receiver.send("rubbish", "[]"),
        receiver.send("cut", body[:-5]),
        receiver.send("other", json.dumps({"type": "invoice.paid", "data": {"id": 1}})),
    ]

    assert refused == [400] * len(refused)
    assert (receiver.announce(1024 * 1024 + 1), receiver.announce(None)) == (413, 411)
    said = lines(receiver.complained, len(refused))
    assert all("refused a message: it " in line or "refused a message: no signature" in line for line in said)
    assert receiver.printed == []
    assert (receiver.send("recent", when=now - 4 * minutes), receiver.send("ahead", when=now + 4 * minutes)) == (
        204,
    ) * 2


def test_keys_change_without_a_restart(start):
    """While both keys are in the file either is taken; afterwards only the new one."""
    receiver, fresh = start(), new_key()

    receiver.key_file.write_text(f"{fresh}\n{receiver.key}\n")
    assert (receiver.send("a", key=fresh), receiver.send("b")) == (204, 204)
    receiver.key_file.write_text(fresh)
    assert (receiver.send("c", key=fresh), receiver.send("d")) == (204, 400)


def test_what_cannot_be_worked_on_now_is_asked_for_again(start):
    """Where the work cannot be done, here as the keys are gone, the answer is 500 and the id is not kept."""
    receiver = start()
    receiver.key_file.rename(receiver.key_file.with_suffix(".away"))
    assert receiver.send("id") == 500
    receiver.key_file.write_text(receiver.key)

    assert receiver.send("id") == 204
    assert lines(receiver.printed, 1) == [LINE]


@pytest.mark.parametrize(("content", "said"), [(None, "No such file"), ("", "no key"), ("whsec_%", "not whsec_")])
def test_a_bad_key_file_is_said_at_the_start(tmp_path, content, said):
    """Without a usable key it does not start, and says why without showing any of the key."""
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)

    done = subprocess.run(
        [sys.executable, PROGRAM, "--key-file", file], capture_output=True, text=True, check=False, timeout=20
    )

    assert done.returncode == 2
    assert said in done.stderr
    assert "whsec_%" not in done.stderr
