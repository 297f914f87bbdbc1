"""What Flux, Helm and Argo CD make of an operation in every state, by their own code, is what docs/gitops.md says."""

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.providers import Capability
from tests.support import verdicts
from tests.support.operations import operation, simulated_job, template
from tests.support.stage import PATIENCE, Stage
from tests.support.tiers import not_run
from tests.support.waiting import wait_for

pytestmark = pytest.mark.needs(Capability.SIMULATED_NODES)

Object = dict[str, Any]

GATES = ("Succeeded", "Started", "Accepted")
HOLD = "alo-test.example/hold"
HOOK = "argocd.argoproj.io/hook-finalizer"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "gitops.md"


def documented() -> dict[str, list[str]]:
    """Return the rows of the page's table: state -> the three cells, one for each gate."""
    section = PAGE.read_text("utf-8").split("\n## What the tools say\n", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return {row[0]: [", ".join(re.findall(r"`(\w+)`", cell)) for cell in row[1:]] for row in rows[2:]}


@dataclass
class Scene:
    """Three operations for each thing that can happen, one for each gate, and what they looked like at a moment."""

    stage: Stage
    seen: dict[str, list[Object]] = field(default_factory=dict)

    def names(self, group: str) -> list[str]:
        return [f"{group}-{gate.lower()}" for gate in GATES]

    def make(self, group: str, job: Object | None = None, **spec: Any) -> None:
        for name, gate in zip(self.names(group), GATES, strict=True):
            self.stage.create(operation(name, job=job, readyWhen=gate, **spec))

    def edit(self, group: str, **spec: Any) -> None:
        for name in self.names(group):
            self.stage.edit(name, **spec)

    def look(self, row: str, group: str) -> None:
        self.seen[row] = [deepcopy(self.stage.operation(name)) for name in self.names(group)]

    def wait(self, group: str, what: Callable[[Object], bool], describe: str) -> None:
        def all_of_them() -> bool:
            return all(what(self.stage.operation(name)) for name in self.names(group))

        said = lambda: f"{group}: {describe}; {[self.stage.status(name) for name in self.names(group)]}"  # noqa: E731
        wait_for(all_of_them, PATIENCE, said)

    def phase(self, group: str, phase: str) -> None:
        self.wait(group, lambda one: one["status"]["phase"] == phase, f"is {phase}")

    def followed(self, group: str) -> None:
        self.wait(group, lambda one: one["status"]["observedGeneration"] == one["metadata"]["generation"], "followed")

    def condition(self, group: str, kind: str, reason: str) -> None:
        def shown(one: Object) -> bool:
            return any((c["type"], c["reason"]) == (kind, reason) for c in one["status"].get("conditions", ()))

        self.wait(group, shown, f"says {kind}/{reason}")

    def look_back(self, row: str, group: str, since: str, what: Callable[[Object], bool]) -> None:
        """Take the first moment at which `what` held; it may be over long since."""
        events = [event.object for event in self.stage.events("asyncoperations", since)]
        self.seen[row] = [
            next(one for one in events if one["metadata"]["name"] == name and what(one)) for name in self.names(group)
        ]

    def delete(self, group: str, finalizer: str = "") -> None:
        for name in self.names(group):
            if finalizer:
                patch = {"metadata": {"finalizers": [finalizer]}}
                self.stage.api.patch("asyncoperations", name, patch, self.stage.namespace)
            self.stage.api.delete("asyncoperations", name, self.stage.namespace)

    def let_go(self, group: str) -> None:
        for name in self.names(group):
            patch = {"metadata": {"finalizers": None}}
            self.stage.api.patch("asyncoperations", name, patch, self.stage.namespace)


def without_a_node() -> Object:
    job = simulated_job()
    job["spec"]["template"]["spec"]["nodeSelector"] = {"alo-test/no-such-node": "true"}
    return job


def refused_by_the_api_server() -> Object:
    job = simulated_job()
    job["spec"]["noSuchField"] = 1
    return job


def shows(one: Object, reason: str) -> bool:
    return any(condition["reason"] == reason for condition in one["status"].get("conditions", ()))


def work_that_waits(scene: Scene) -> None:
    """Needs a frozen operator; leaves it awake."""
    operator = scene.stage.operators.started[0]
    scene.make("fresh", simulated_job(never_start=True))
    scene.make("lost", simulated_job(2))
    scene.look("applied; no operator has seen it", "fresh")
    operator.thaw()
    scene.make("blocked", without_a_node())
    scene.make("held", suspend=True)
    scene.make("orphaned", template="no-such-template")
    narrow = template("narrow", job=simulated_job(900), concurrency={"limit": 1})
    scene.stage.api.create("operationtemplates", narrow, scene.stage.namespace)
    scene.stage.create(operation("a-first", template="narrow"))
    wait_for(lambda: scene.stage.status("a-first")["phase"] == "Running", PATIENCE, "the first has the one place")
    scene.make("queued", template="narrow")
    wrong = template("wrong", inputSchema={"type": "object", "required": ["width"]})
    scene.stage.api.create("operationtemplates", wrong, scene.stage.namespace)
    scene.make("mistaken", template="wrong", input={"wide": 1})
    scene.make("running", simulated_job(900))
    scene.make("stopping", simulated_job(900))
    scene.make("leaving", simulated_job(900))
    scene.make("succeeded", simulated_job(message="done"))
    scene.make("failed", simulated_job(2, exit_code=3))
    scene.make("invalid", refused_by_the_api_server())
    scene.make("withdrawn", suspend=True, cancel={"reason": "not needed"})
    scene.make("late", simulated_job(900), timeouts={"startToClose": "2s"})
    scene.make("unstarted", simulated_job(never_start=True), timeouts={"scheduleToStart": "2s"})
    for group in ("edited", "removed", "hook"):
        scene.make(group)
    for name, gate in zip(scene.names("regated"), GATES[1:] + GATES[:1], strict=True):
        scene.stage.create(operation(name, job=simulated_job(2, exit_code=3), readyWhen=gate))


def work_under_way(scene: Scene) -> None:
    for group in ("running", "stopping", "leaving"):
        scene.phase(group, "Running")
    scene.look("running", "running")
    since = scene.stage.now()
    scene.edit("running", suspend=True)
    scene.edit("stopping", cancel={"reason": "enough"})
    scene.delete("leaving")
    scene.phase("running", "Paused")
    scene.phase("stopping", "Cancelled")
    wait_for(lambda: all(map(scene.stage.gone, scene.names("leaving"))), PATIENCE, "the deleted ones are gone")
    scene.look_back("being paused, its pods are stopping", "running", since, lambda one: shows(one, "Pausing"))
    scene.look_back("being cancelled, its pods are stopping", "stopping", since, lambda one: shows(one, "Cancelling"))
    scene.look_back("being deleted, its pods are stopping", "leaving", since, lambda one: shows(one, "Cancelling"))
    scene.look("paused after its start", "running")
    scene.look("`Cancelled` after its start", "stopping")
    for name in scene.names("fresh"):
        scene.stage.job(name)
    scene.wait("fresh", lambda one: one["spec"]["readyWhen"] != "Accepted" or "conditions" in one["status"], "seen")
    scene.look("its Job is made, no pod is ready", "fresh")
    scene.condition("blocked", "Started", "Unschedulable")
    scene.look("waits for a node, an image or a quota", "blocked")
    scene.phase("held", "Paused")
    scene.look("paused before its start", "held")
    scene.condition("orphaned", "Accepted", "TemplateNotFound")
    scene.look("its template is missing", "orphaned")
    scene.wait("queued", lambda one: one["spec"]["readyWhen"] != "Accepted" or "conditions" in one["status"], "seen")
    scene.look("waits for a place under its template's limit", "queued")


def work_that_ended(scene: Scene) -> None:
    for group, phase, row in (
        ("succeeded", "Succeeded", "`Succeeded`"),
        ("failed", "Failed", "`Failed` after its start"),
        ("invalid", "Failed", "`Failed` because the API server refused its Job"),
        ("mistaken", "Failed", "`Failed` because its input is not what the template takes"),
        ("withdrawn", "Cancelled", "`Cancelled` before its start"),
        ("late", "TimedOut", "`TimedOut` after its start"),
        ("unstarted", "TimedOut", "`TimedOut` before its start"),
    ):
        scene.phase(group, phase)
        scene.look(row, group)


def take_the_pods_of_finished_work(scene: Scene, group: str) -> None:
    def complete() -> bool:
        return all("completionTime" in scene.stage.job(name)["status"] for name in scene.names(group))

    wait_for(complete, PATIENCE, f"the Jobs of {group} are complete")
    for name in scene.names(group):
        for pod in scene.stage.pods(name):
            scene.stage.api.delete("pods", pod["metadata"]["name"], scene.stage.namespace)
    wait_for(lambda: not any(map(scene.stage.pods, scene.names(group))), PATIENCE, f"the pods of {group} are gone")


def what_happens_after_the_end(scene: Scene) -> None:
    operator = scene.stage.operators.started[0]
    for group in ("edited", "removed", "hook"):
        scene.phase(group, "Succeeded")
        scene.wait(group, lambda one: "finalizers" not in one["metadata"], "has lost its finalizer")
    scene.phase("regated", "Failed")
    for name in scene.names("lost"):
        scene.stage.job(name)
    operator.pause()
    scene.edit("edited", suspend=True, cancel={"reason": "too late"})
    scene.look("`Succeeded`, then edited; the operator is away", "edited")
    scene.delete("removed", HOLD)
    scene.delete("hook", HOOK)
    take_the_pods_of_finished_work(scene, "lost")
    operator.thaw()
    for name, gate in zip(scene.names("regated"), GATES, strict=True):
        scene.stage.edit(name, readyWhen=gate)
    scene.phase("lost", "Succeeded")
    for group in ("edited", "regated"):
        scene.followed(group)
    scene.look("`Succeeded`, its result lost", "lost")
    scene.look("`Succeeded`, then paused, cancelled or edited", "edited")
    scene.look("`Failed`, then `readyWhen` was changed to this", "regated")
    scene.look("`Succeeded`, being deleted, held by somebody's finalizer", "removed")
    scene.look("`Succeeded`, being deleted as a hook of Argo CD", "hook")
    for group in ("removed", "hook"):
        scene.let_go(group)


@pytest.fixture(scope="module")
def scene(module_stage):
    if reason := verdicts.what_is_missing():
        not_run(reason)
    made = Scene(module_stage)
    module_stage.operators.started[0].pause()
    try:
        work_that_waits(made)
        work_under_way(made)
        work_that_ended(made)
        what_happens_after_the_end(made)
        yield made
    finally:
        # A simulated pod that never starts never ends either: the namespace would wait for it, were its Job not gone.
        module_stage.operators.started[0].thaw()
        for group in ("fresh", "blocked"):
            made.delete(group)
        left = [*made.names("fresh"), *made.names("blocked")]
        wait_for(lambda: all(map(module_stage.gone, left)), PATIENCE, "what never started is gone")


@pytest.fixture(scope="module")
def judged(scene):
    """Row -> the three verdicts, one for each gate."""
    flat = iter(verdicts.judge([one for row in scene.seen.values() for one in row]))
    return {row: [next(flat) for _ in GATES] for row in scene.seen}


@pytest.mark.promise("READY-1")
@pytest.mark.parametrize("row", documented())
def test_the_tools_say_what_the_page_says(judged, row):
    """Each cell of the table is what kstatus and Argo CD's engine say of an operation read from the API server."""
    found = [f"{one.kstatus}, {one.argo}" for one in judged[row]]

    assert found == documented()[row], judged[row]


@pytest.mark.promise("READY-3")
def test_a_late_edit_never_turns_the_verdict(judged):
    """Pausing or cancelling in Git what has ended long since leaves it as green as it was, once it is taken in."""
    edited, plain = judged["`Succeeded`, then paused, cancelled or edited"], judged["`Succeeded`"]

    assert [(one.kstatus, one.argo) for one in edited] == [(one.kstatus, one.argo) for one in plain]


def test_the_page_leaves_no_state_out(judged):
    """The table has a row for each state that is brought about here, and no other."""
    assert set(documented()) == set(judged)


def test_red_and_waiting_say_why(judged):
    """A tool that shows red or a pause shows the reason; so does one that waits for what may never come."""
    failed = judged["`Failed` after its start"][0]
    blocked = judged["waits for a node, an image or a quota"][0]

    assert "code 3" in failed.kstatus_message
    assert failed.argo_message.startswith("NonZeroExit: ")
    assert blocked.argo_message.startswith("Unschedulable: ")
    assert judged["its template is missing"][0].argo_message.startswith("TemplateNotFound: ")
    assert judged["paused after its start"][0].argo_message.startswith("Paused: ")
