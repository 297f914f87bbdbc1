"""The acts of the demo. Each says what it shows, does it with plain kubectl, and checks what came of it."""

import csv
import json
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from demo.programs import ROOT
from demo.stage import Stage
from demo.telling import tell
from demo.watching import Object, settled, status_of

OPERATIONS = "demo/operations"
QUICK_UP_TO = 400_000


class Acts:
    """The whole play; `problems` are the things that did not go as expected."""

    def __init__(self, stage: Stage, *, quick: bool) -> None:
        self.stage, self.quick = stage, quick
        self.screen, self.kubectl, self.watch = stage.screen, stage.kubectl, stage.watch
        self.problems: list[str] = []

    def play(self) -> None:
        """All acts in order. Raises DemoError where one cannot go on."""
        self.ask()
        self.ask_again()
        self.fail()
        self.cancel()
        self.survive()
        self.steer()
        self.offer()
        tell(self)
        self.look_back()

    def expect(self, claim: str, holds: bool, instead: str = "") -> None:
        """Tell the audience that a claim holds, or note that it does not."""
        if holds:
            self.screen.good(claim)
        else:
            self.screen.bad(f"{claim}: {instead}")
            self.problems.append(f"{claim}: {instead}")

    def ask(self) -> None:
        self.screen.act(
            "1. Ask for work under a name, get one answer",
            "A month of orders is to be summarised. The operation's name is chosen by the caller and is the id of this "
            "work; the operator runs it as a Job and keeps the answer in .status, where kubectl wait finds it.",
        )
        self.apply("orders-october")
        self.watch.follow(self.screen, "orders-october", settled)
        self.kubectl.shown("wait", "--for=condition=Completed", "aop/orders-october")
        got = self.kubectl.shown("get", "aop", "orders-october", "-o", "jsonpath={.status.result.value}")
        with (ROOT / "demo/input/orders-october.csv").open(newline="") as file:
            cents = [int(row["quantity"]) * round(float(row["price"]) * 100) for row in csv.DictReader(file)]
        value = json.loads(got.out or "null") or {}
        self.expect(
            f"the answer is right: {len(cents)} orders, revenue {sum(cents) / 100:.2f}",
            (value.get("orders"), value.get("revenue")) == (len(cents), sum(cents) / 100),
            got.out,
        )

    def ask_again(self) -> None:
        self.screen.act(
            "2. Asking twice is harmless",
            "A caller that does not know whether its request arrived sends it again: CI reruns, GitOps reapplies. The "
            "same manifest does nothing; other work under the same name is refused, before anything runs.",
        )
        again = self.apply("orders-october")
        manifest = (ROOT / OPERATIONS / "orders-october.yaml").read_text()
        changed = self.kubectl.shown(
            *("apply", "-f", "-"),
            feed=manifest.replace("file: orders-october.csv", "file: orders-november.csv"),
            before=f"sed 's/file: .*/file: orders-november.csv/' {OPERATIONS}/orders-october.yaml | ",
            check=False,
        )
        jobs = self.jobs("orders-october")
        self.expect("the same manifest changed nothing", "unchanged" in again, again)
        self.expect("changed work under the old name was refused", changed.code != 0, changed.text)
        self.expect("the work ran once: there is one Job", len(jobs) == 1, f"Jobs: {jobs}")

    def fail(self) -> None:
        self.screen.act(
            "3. A failure says why",
            "November's file has a price that is no number. The worker exits with 1 and a sentence; whoever waits for "
            "the answer reads that sentence in .status, without access to logs or pods.",
        )
        self.apply("orders-november")
        found = self.watch.follow(self.screen, "orders-november", settled)
        failure = status_of(found).get("failure") or {}
        self.screen.wrapped("failure", f"{failure.get('type')}, {failure.get('reason')}: {failure.get('message')}")
        for cause in failure.get("causes", ()):
            words = [f"{cause['kind']} {cause['name']}", cause.get("reason"), cause.get("message")]
            self.screen.wrapped("cause", ": ".join(word for word in words if word))
        self.expect(
            "the promise is rejected and names file, line and order",
            status_of(found)["promise"] == "Rejected" and "line 173, order 41572" in str(failure.get("message")),
            json.dumps(failure),
        )

    def cancel(self) -> None:
        self.screen.act(
            "4. Deleting is cancelling",
            "Five orders a second are sent to a slow receiver. Deleting the operation stops that work: the worker gets "
            "SIGTERM and time to clean up, and kubectl delete returns when its pod is gone. Nothing runs on unseen.",
        )
        self.apply("export-orders")
        self.watch.follow(self.screen, "export-orders", lambda found: status_of(found).get("phase") == "Running")
        (job,) = self.jobs("export-orders")
        said = self.listen(job)
        self.wait_until(lambda: len(said) >= (1 if self.quick else 3))
        began = time.monotonic()
        self.kubectl.shown("delete", "aop", "export-orders")
        took = time.monotonic() - began
        last = status_of(self.watch.await_gone("export-orders"))
        pods = self.kubectl.quiet("get", "pods", "-l", "alo-operator.io/operation=export-orders", "-o", "name").out
        self.wait_until(lambda: bool(said) and said[-1].startswith("told to stop"), seconds=5)
        self.screen.write("  the worker's log:")
        self.screen.output("\n".join(said))
        self.expect("the worker was told and cleaned up", any("told to stop" in line for line in said), str(said))
        self.expect(f"no pod is left when kubectl delete returns, {took:.1f} s later", not pods.strip(), pods)
        self.expect(
            "the last state on record, for whoever watched: Cancelled",
            last.get("phase") == "Cancelled",
            str(last.get("phase")),
        )

    def survive(self) -> None:
        self.screen.act(
            "5. Work in many parts shows how far it is, and does not mind an operator that dies",
            "Goldbach's conjecture is checked in eight slices, two at a time. After the second slice the operator is "
            "killed (kill -9) and started again: the promise is in the cluster, not in the operator's memory.",
        )
        began = time.monotonic()
        if self.quick:
            manifest = (ROOT / OPERATIONS / "goldbach.yaml").read_text()
            self.kubectl.shown(
                *("apply", "-f", "-"),
                feed=manifest.replace("upTo: 16000000", f"upTo: {QUICK_UP_TO}"),
                before=f"sed 's/upTo: .*/upTo: {QUICK_UP_TO}/' {OPERATIONS}/goldbach.yaml | ",
            )
        else:
            self.apply("goldbach")
        self.watch.follow(self.screen, "goldbach", lambda found: done(found) >= 2 or settled(found), began=began)
        before = self.jobs("goldbach")
        self.screen.write(f"  kill -9 {self.stage.operator.pid}, and start it again")
        took = self.stage.restart_operator()
        self.screen.write(f"  the new operator (process {self.stage.operator.pid}) was ready after {took:.1f} s")
        found = self.watch.follow(self.screen, "goldbach", settled, began=began)
        self.expect(
            "all eight slices were checked",
            (status_of(found).get("phase"), done(found)) == ("Succeeded", 8),
            json.dumps(status_of(found)),
        )
        self.expect("still the one Job: nothing was run twice", self.jobs("goldbach") == before, str(before))

    def steer(self) -> None:
        self.screen.act(
            "6. Work that reports its progress can be paused, resumed, and cancelled with its record kept",
            "Digits of pi, far more than anybody needs. The worker tells the gateway how far it is. Pausing stops its "
            "pod and keeps the promise; on resume it starts afresh. Cancelling through the spec keeps the operation, "
            "with who asked and why, and with the partial result that the worker hands in when it is told to stop.",
        )
        self.apply("pi-digits")
        self.watch.follow(self.screen, "pi-digits", lambda found: phase(found) == "Running" and done(found) > 0)
        self.change("pi-digits", '{"spec":{"suspend":true}}')
        self.watch.follow(self.screen, "pi-digits", lambda found: phase(found) == "Paused")
        # A pod that has ended is still on show for a moment.
        of_it = ("pods", "-l", "alo-operator.io/operation=pi-digits")
        self.kubectl.quiet("wait", "--for=delete", *of_it, "--timeout=30s", check=False)
        pods = self.kubectl.quiet("get", *of_it, "-o", "name").out
        self.expect("while it is paused, no pod of it is there", not pods.strip(), pods)
        resumed = datetime.now(UTC)
        self.change("pi-digits", '{"spec":{"suspend":false}}')
        # Until the fresh attempt has reported: one that has hardly begun to start hears no SIGTERM yet.
        self.watch.follow(
            self.screen,
            "pi-digits",
            lambda found: phase(found) == "Running" and reported(found) > resumed,
        )
        self.change("pi-digits", '{"spec":{"cancel":{"reason":"enough digits"}}}')
        status = status_of(self.watch.follow(self.screen, "pi-digits", settled))
        self.kubectl.shown("get", "aop", "pi-digits", "-o", "jsonpath={.status.cancellation}")
        self.kubectl.shown("get", "aop", "pi-digits", "-o", "jsonpath={.status.result}")
        result = status.get("result") or {}
        self.expect(
            "Cancelled, for the reason that was given",
            (status.get("phase"), (status.get("cancellation") or {}).get("reason")) == ("Cancelled", "enough digits"),
            json.dumps(status),
        )
        self.expect(
            "the digits found until then are kept, marked as partial",
            bool(result.get("partial")) and str((result.get("value") or {}).get("pi")).startswith("3.1"),
            json.dumps(result),
        )

    def offer(self) -> None:
        self.screen.act(
            "7. A platform team offers operations, callers only name them",
            "The summary of act 1 as an OperationTemplate: it has the Job, limits, and schemas for input and result. "
            "The caller's manifest is five lines; an input that makes no sense is refused before anything runs.",
        )
        self.apply("summarise-orders")
        self.screen.output((ROOT / OPERATIONS / "october-again.yaml").read_text())
        self.apply("october-again")
        found = status_of(self.watch.follow(self.screen, "october-again", settled))
        value = (found.get("result") or {}).get("value") or {}
        self.expect("the same answer as in act 1, by the name of the template", "revenue" in value, json.dumps(found))
        self.apply("october-misspelt")
        refused = status_of(self.watch.follow(self.screen, "october-misspelt", settled)).get("failure") or {}
        self.screen.wrapped("failure", f"{refused.get('type')}, {refused.get('reason')}: {refused.get('message')}")
        jobs = self.jobs("october-misspelt")
        self.expect(
            "a bad input is refused, the place is named, and nothing ran",
            refused.get("reason") == "InvalidInput" and "/file" in str(refused.get("message")) and not jobs,
            json.dumps(refused),
        )

    def look_back(self) -> None:
        self.screen.act("What is left: the answers", "They stay until somebody deletes them, and never change.")
        self.kubectl.shown("get", "aop")
        self.screen.write()
        self.kubectl.shown(
            *("get", "aop", "-o"),
            "custom-columns=NAME:.metadata.name,PROMISE:.status.promise,RESULT:.status.result.value.revenue,"
            "FAILURE:.status.failure.message",
        )

    def apply(self, name: str) -> str:
        return self.kubectl.shown("apply", "-f", f"{OPERATIONS}/{name}.yaml").text

    def change(self, name: str, patch: str) -> None:
        self.kubectl.shown("patch", "aop", name, "--type=merge", "-p", patch)

    def jobs(self, name: str) -> list[str]:
        return self.kubectl.quiet("get", "jobs", "-l", f"alo-operator.io/operation={name}", "-o", "name").out.split()

    def listen(self, job: str) -> list[str]:
        """A list that the log lines of the Job's pod are added to until the pod is gone."""
        said: list[str] = []
        follow = subprocess.Popen(
            self.kubectl.command("logs", "--follow", job),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

        def read() -> None:
            assert follow.stdout
            said.extend(line.rstrip() for line in iter(follow.stdout.readline, ""))
            follow.wait()

        threading.Thread(target=read, daemon=True).start()
        return said

    def wait_until(self, holds: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not holds() and time.monotonic() < deadline:
            time.sleep(0.1)


def done(operation: Object) -> int:
    return int(status_of(operation).get("progress", {}).get("done", 0))


def reported(operation: Object) -> datetime:
    """When its worker last reported; long ago where it never did."""
    said = status_of(operation).get("progress", {}).get("updateTime")
    return datetime.fromisoformat(said) if said else datetime.fromtimestamp(0, UTC)


def phase(operation: Object) -> str:
    return str(status_of(operation).get("phase"))
