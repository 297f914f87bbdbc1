"""What docs/callbacks.md shows is what is sent, and its programs verify it."""

import base64
import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from alo_operator.api.deliveries import DeliveryError
from alo_operator.delivery.schedule import Schedule
from alo_operator.delivery.signing import parse_keys, sign
from tests.house.repository import text
from tests.support import callback_samples as samples
from tests.support.tiers import not_run

PAGE = Path("docs/callbacks.md")

GO = """package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

%s

func main() {
	header := http.Header{}
	header.Set("webhook-id", os.Args[2])
	header.Set("webhook-timestamp", os.Args[3])
	header.Set("webhook-signature", os.Args[4])
	body, err := os.ReadFile(os.Args[5])
	if err != nil {
		panic(err)
	}
	if verify(os.Args[1], header, body) != nil {
		os.Exit(1)
	}
}
"""
JAVA = """
import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Base64;
import java.util.stream.Stream;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Verify {
%s

    public static void main(String[] a) throws Exception {
        System.exit(verified(a[0], a[1], a[2], a[3], Files.readAllBytes(Path.of(a[4]))) ? 0 : 1);
    }
}
"""
NODE = """%s
import { readFileSync } from "node:fs";
const [key, id, timestamp, signature, file] = process.argv.slice(2);
const headers = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature };
try { verify(key, headers, readFileSync(file)); } catch { process.exit(1); }
"""
PYTHON = """%s
import sys
key, *headers, file = sys.argv[1:]
names = ("webhook-id", "webhook-timestamp", "webhook-signature")
try:
    verified(key, dict(zip(names, headers)), open(file, "rb").read())
except Exception:
    sys.exit(1)
"""


def shown(language):
    """The page's blocks in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text(PAGE), re.MULTILINE | re.DOTALL)


def need(*programs):
    """Report the test as not run where one of these is missing."""
    if missing := [program for program in programs if not shutil.which(program)]:
        not_run(f"{', '.join(missing)} is not on PATH; it runs the verification that docs/callbacks.md shows")


def python(folder):
    (folder / "verify.py").write_text(PYTHON % shown("python")[0])
    return [sys.executable, folder / "verify.py"]


def shell(folder):
    need("openssl")
    (code,) = (block for block in shown("sh") if block.startswith("# verify"))
    (folder / "verify.sh").write_text(f'{code}verify "$@"\n')
    return ["/bin/sh", folder / "verify.sh"]


def go(folder):
    need("go")
    (folder / "main.go").write_text(GO % shown("go")[0])
    (folder / "go.mod").write_text("module verify\n\ngo 1.22\n")
    settings = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
    subprocess.run(["go", "build", "-o", "verify", "."], cwd=folder, check=True, env=settings)
    return [folder / "verify"]


def node(folder):
    need("node")
    (folder / "verify.mjs").write_text(NODE % shown("js")[0])
    return ["node", folder / "verify.mjs"]


def java(folder):
    need("javac", "java")
    (folder / "Verify.java").write_text(JAVA % shown("java")[0])
    subprocess.run(["javac", "Verify.java"], cwd=folder, check=True)
    return ["java", "-cp", folder, "Verify"]


def new_key():
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def check(command, folder):
    """The program takes what was signed just now with its key, and nothing else."""
    key, other, body = new_key(), new_key(), samples.message(samples.BILLING).body
    file, changed = folder / "body", folder / "changed"
    file.write_bytes(body)
    changed.write_bytes(body.replace(b"800", b"801"))

    def verdict(name="id", ahead=0, keys=(key,), given=file, claimed=None, extra=""):
        when = int(time.time()) + ahead
        signed = sign(parse_keys("\n".join(keys).encode()), name, when, body)["webhook-signature"]
        words = [*command, key, claimed or name, str(when), extra + signed, given]
        return subprocess.run(words, check=False, capture_output=True, timeout=30).returncode

    assert verdict() == 0
    assert verdict(keys=(other, key)) == 0, "one of several signatures is enough"
    assert verdict(keys=(key, other)) == 0, "one of several signatures is enough"
    assert verdict(extra="v1a,AAAA v1,AAAA ") == 0, "signatures of other kinds and keys do not matter"
    refused = {
        "another key": verdict(keys=(other,)),
        "a changed body": verdict(given=changed),
        "another message's id": verdict(claimed="other"),
        "an old message": verdict(ahead=-600),
        "one from the future": verdict(ahead=600),
    }
    assert all(refused.values()), refused


@pytest.mark.parametrize("made", [python, shell, go])
def test_programs_that_verify_take_ours_and_nothing_else(made, tmp_path):
    """The page's programs for Python, shell and Go, as they stand there."""
    check(made(tmp_path), tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("made", [node, java])
def test_programs_for_other_machines_verify_too(made, tmp_path):
    """The page's programs for Node and Java, where these are installed."""
    check(made(tmp_path), tmp_path)


def test_the_messages_shown_are_those_that_are_sent():
    """Both bodies are the operator's, byte for byte once they are on one line, and so are headers and signature."""
    bodies = [json.dumps(json.loads(block), separators=(",", ":")) for block in shown("json")]
    (head,) = shown("http")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    sent = samples.message(samples.BILLING)

    assert bodies == [samples.message(one).body.decode() for one in (samples.BILLING, samples.AUDIT)]
    assert headers == {
        "Host": "billing.example",
        "User-Agent": "alo-operator/VERSION",
        "Content-Type": sent.content_type,
        "webhook-id": sent.id,
        "webhook-timestamp": str(int(samples.SENT.timestamp())),
        "webhook-signature": samples.signature(),
        "traceparent": samples.SUBJECT.traceparent,
    }
    assert f"`{samples.KEY}`" in text(PAGE)
    assert Webhook(samples.KEY).sign(sent.id, samples.SENT, bodies[0]) == headers["webhook-signature"]
    assert hashlib.sha256(json.dumps(sent_value(sent)).encode()).hexdigest() in bodies[0]


def sent_value(sent):
    return json.loads(sent.body)["data"]["result"]["value"]


def test_the_schedule_described_is_the_default():
    """The pauses in the text are those of the code."""
    words = {"5s": "5 s", "5m": "5 min", "30m": "30 min"}
    pauses = [words.get(pause, pause.replace("h", " h")) for pause in str(Schedule.DEFAULT).split(",")]
    said = f"{', '.join(pauses[:-1])} and {pauses[-1]}"

    assert said in " ".join(text(PAGE).split())


def test_every_word_of_an_error_is_explained():
    """The table of words has each that status.deliveries[].lastError can begin with, and no other."""
    rows = re.findall(r"^\| (`[A-Z][A-Za-z`, ]+`) \|", text(PAGE), re.MULTILINE)

    assert {word for cell in rows for word in re.findall(r"`(\w+)`", cell)} == {word.value for word in DeliveryError}
