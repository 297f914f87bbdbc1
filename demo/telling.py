"""The act in which somebody is told: the example receiver as a process, and what it says."""

import base64
import json
import secrets
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.programs import ROOT, DemoError, Heard, free_port
from demo.watching import Object, settled, status_of

if TYPE_CHECKING:
    from demo.acts import Acts

RECEIVER = "examples/receiver/receiver.py"
NAME = "october-told"


class Receiver(Heard):
    """The example receiver on loopback; `said` are the lines it has printed."""

    def __init__(self, port: int, key_file: Path) -> None:
        self.said: list[str] = []
        command = [sys.executable, "-u", RECEIVER, "--port", str(port), "--key-file", str(key_file)]
        super().__init__(command, lambda line: self.said.append(line.rstrip()), errors_too=True)


def tell(acts: "Acts") -> None:
    """Play the act."""
    acts.screen.act(
        "8. Whoever asked is told, even if they are not there just now",
        "The operation names a URL. Its receiver (examples/receiver) is down when the work ends, so the message comes "
        "again. It is signed with a key from a Secret, and carries an id: what comes twice is worked on once.",
    )
    with tempfile.TemporaryDirectory() as folder:
        _play(acts, Path(folder) / "key")


def _play(acts: "Acts", key_file: Path) -> None:
    screen, kubectl, watch = acts.screen, acts.kubectl, acts.watch
    screen.command("echo whsec_$(openssl rand -base64 32) > key")
    key_file.write_text(f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}\n")
    kubectl.shown("create", "secret", "generic", "billing-hook", f"--from-file={key_file}")
    kubectl.shown("label", "secret", "billing-hook", "alo-operator.io/signing-key=true")
    port = free_port()
    path = f"demo/operations/{NAME}.yaml"
    screen.output((ROOT / path).read_text())
    kubectl.shown(
        *("apply", "-f", "-"),
        feed=(ROOT / path).read_text().replace("8099", str(port)),
        before=f"sed s/8099/{port}/ {path} | ",
    )
    tried = watch.follow(screen, NAME, lambda found: settled(found) and bool(delivery(found).get("attempts")))
    kubectl.shown("get", "aop", NAME, "-o", "jsonpath={.status.deliveries}")
    acts.expect(
        "the answer is there, and telling it is still due",
        (status_of(tried)["promise"], delivery(tried)["state"]) == ("Fulfilled", "Pending"),
        json.dumps(status_of(tried)),
    )

    screen.command(f"python3 {RECEIVER} --port {port} --key-file key &")
    receiver = Receiver(port, key_file)
    try:
        told = watch.follow(screen, NAME, lambda found: delivery(found).get("state") == "Delivered", seconds=60)
        acts.wait_until(lambda: len(receiver.said) >= 2)
        screen.output("\n".join(receiver.said))
        value = json.dumps(status_of(told)["result"]["value"], ensure_ascii=False, sort_keys=True)
        acts.expect(
            "the receiver has verified and worked on the same answer that is in .status",
            f"{acts.stage.namespace}/{NAME} Succeeded {value}" in receiver.said,
            str(receiver.said),
        )
        kubectl.shown("annotate", "aop", NAME, "alo-operator.io/redeliver=billing@1", "--overwrite")
        acts.wait_until(lambda: len(receiver.said) >= 3)
        screen.output("\n".join(receiver.said[2:]))
        acts.expect(
            "sent again on request, it has the same id: nothing was done twice",
            receiver.said[2:] == [f"{acts.stage.namespace}/{NAME} came again"],
            str(receiver.said),
        )
    finally:
        receiver.stop()


def delivery(operation: Object) -> dict[str, Any]:
    """How telling the one callback stands; empty while nothing is known of it."""
    found = status_of(operation).get("deliveries") or [{}]
    if len(found) != 1:
        raise DemoError(f"{NAME} has {len(found)} deliveries: {json.dumps(found)}")
    return dict(found[0])
