"""The Job controller in memory brings Jobs through the same states as the real one; no operator runs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from alo_operator.effects import clock
from alo_operator.effects.cluster import JSON, MERGE_PATCH
from tests.cluster.providers import Capability
from tests.support.api import Api, path_of
from tests.support.clocks import FakeClock
from tests.support.history import history, moment
from tests.support.memory.garbage import GarbageCollector
from tests.support.memory.job_controller import JobController
from tests.support.memory.nodes import Nodes
from tests.support.memory_api import MemoryApi
from tests.support.operations import simulated_job
from tests.support.waiting import wait_for

pytestmark = pytest.mark.needs(Capability.SIMULATED_NODES)

Object = dict[str, Any]
Step = tuple[Callable[[Object], bool], str, Object]
"""When (judged by the Job), then PATCH or DELETE, with which body."""

LONG = 600
RULE = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
OURS: Object = {"podReplacementPolicy": "Failed", "podFailurePolicy": {"rules": [RULE]}}  # as the operator makes Jobs
SUSPEND, RESUME = {"spec": {"suspend": True}}, {"spec": {"suspend": False}}
HOW = {"PATCH": MERGE_PATCH, "DELETE": JSON}
COUNTS = ("active", "ready", "succeeded", "failed", "terminating")


def status(job: Object) -> Object:
    found: Object = job.get("status", {})
    return found


def runs(job: Object) -> bool:
    return bool(status(job).get("ready"))


def rests(job: Object) -> bool:
    return has(job, "Suspended") and not any(status(job).get(name) for name in ("active", "terminating"))


def has_ended(job: Object) -> bool:
    return has(job, "Complete") or has(job, "Failed")


def has(job: Object, condition: str) -> bool:
    return any(c["type"] == condition and c["status"] == "True" for c in status(job).get("conditions", ()))


@dataclass(frozen=True)
class Story:
    """One Job: how long its pods run and how they end, what is done to it, and when the story is over."""

    seconds: float = 1
    exit_code: int = 0
    spec: Object = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    over: Callable[[Object], bool] = has_ended

    def manifest(self, name: str) -> Object:
        job = simulated_job(self.seconds, self.exit_code, **{**OURS, **self.spec})
        template = job["spec"]["template"]
        template["spec"]["terminationGracePeriodSeconds"] = 20
        template["metadata"]["annotations"]["alo-test/term-seconds"] = "2"
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, **job}


def deleted(policy: str) -> Step:
    return runs, "DELETE", {"propagationPolicy": policy}


STORIES = {
    "succeeds": Story(),
    "fails": Story(exit_code=3),
    "fails-twice": Story(exit_code=3, spec={"backoffLimit": 1}),
    "is-many": Story(spec={"completions": 3, "parallelism": 2}),
    "starts-suspended": Story(spec={"suspend": True}, steps=((rests, "PATCH", RESUME),)),
    "is-suspended": Story(
        LONG, steps=((runs, "PATCH", SUSPEND), (rests, "PATCH", RESUME), (runs, "PATCH", SUSPEND)), over=rests
    ),
    "is-late": Story(LONG, spec={"activeDeadlineSeconds": 2}),
    "was-late": Story(
        LONG,
        spec={"activeDeadlineSeconds": 4},
        steps=((runs, "PATCH", SUSPEND), (lambda job: rests(job) and age(job) > 6, "PATCH", RESUME)),
    ),
    "is-deleted": Story(LONG, steps=(deleted("Foreground"),)),
    "is-dropped": Story(LONG, steps=(deleted("Background"),)),
}


def age(job: Object) -> float:
    """Seconds since the Job first started, by whichever clock goes here."""
    return (clock.now() - datetime.fromisoformat(status(job)["startTime"])) / timedelta(seconds=1)


def is_told(story: Story, job: Object | None, done: int) -> bool:
    return job is None or (done == len(story.steps) and story.over(job))


def paths(bodies: Iterator[tuple[str, Object]]) -> dict[str, dict[str, list[Any]]]:
    """Per Job and count the values it went through, and the conditions in the order of their coming."""
    found: dict[str, dict[str, list[Any]]] = {}
    for kind, job in bodies:
        nothing: dict[str, list[Any]] = {name: [0] for name in COUNTS}
        path = found.setdefault(job["metadata"]["name"], nothing | {"conditions": [], "gone": []})
        if kind == "DELETED":
            path["gone"].append(True)
            if path["terminating"][-1] == 0 < len(path["terminating"]) - 1:
                path["terminating"].pop()  # whether the last pod's going is counted before the Job goes is a race
            continue
        for name in COUNTS:
            value = status(job).get(name, 0)
            if path[name][-1] != value:
                path[name].append(value)
        for condition in status(job).get("conditions", ()):
            told = (condition["type"], condition["status"], condition["reason"])
            if told not in path["conditions"]:
                path["conditions"].append(told)
    return found


def told_really(api: Api, namespace: str) -> dict[str, dict[str, list[Any]]]:
    """All stories side by side on the cluster."""
    since, done = moment(api, namespace), dict.fromkeys(STORIES, 0)
    for name, story in STORIES.items():
        api.create("jobs", story.manifest(name), namespace)

    def all_told() -> bool:
        jobs = {job["metadata"]["name"]: job for job in api.list("jobs", namespace)}
        for name, story in STORIES.items():
            if name in jobs and done[name] < len(story.steps) and story.steps[done[name]][0](jobs[name]):
                _, method, body = story.steps[done[name]]
                api.request(method, path_of("jobs", namespace, name), body, content_type=HOW[method])
                done[name] += 1
        return all(is_told(story, jobs.get(name), done[name]) for name, story in STORIES.items())

    wait_for(all_told, 90.0, f"all stories are told; done: {done}", 0.1)
    return paths((event.kind, event.object) for event in history(api, "jobs", namespace, since))


class Simulated:
    """Simulated nodes in memory, which read the same annotations."""

    def __init__(self, memory: MemoryApi) -> None:
        self._memory, self._nodes = memory, Nodes(memory.server)
        self._jobs, self._garbage = JobController(memory.server), GarbageCollector(memory.server)
        self._told: dict[str, datetime] = {}

    def act(self) -> None:
        """Everybody does what is due now."""
        self._jobs.work()
        self._garbage.collect()
        for pod in self._nodes.pods():
            notes, meta = pod["metadata"]["annotations"], pod["metadata"]
            if "deletionTimestamp" in meta:
                since = self._told.setdefault(meta["uid"], clock.now())
                if clock.now() >= since + timedelta(seconds=float(notes["alo-test/term-seconds"])):
                    self._nodes.stop(pod)
            elif pod["status"]["phase"] == "Pending":
                self._nodes.start(pod)
            elif pod["status"]["phase"] == "Running":
                since = datetime.fromisoformat(pod["status"]["startTime"])
                if clock.now() >= since + timedelta(seconds=float(notes["alo-test/run-seconds"])):
                    self._nodes.end(pod, int(notes["alo-test/exit-code"]))
        self._jobs.work()
        self._garbage.collect()


def told_in_memory(time: FakeClock) -> dict[str, dict[str, list[Any]]]:
    """One story after the other in memory."""
    found: dict[str, dict[str, list[Any]]] = {}
    for name, story in STORIES.items():
        memory = MemoryApi()
        cluster, done = Simulated(memory), 0
        path = path_of("jobs", "media", name)
        memory.ask("POST", path_of("jobs", "media"), body=story.manifest(name))
        for _ in range(200):
            cluster.act()
            job = memory.find("jobs", name)
            if job and done < len(story.steps) and story.steps[done][0](job):
                _, method, body = story.steps[done]
                memory.ask(
                    method, path, body=body, content_type=MERGE_PATCH if method == "PATCH" else "application/json"
                )
                done += 1
            if is_told(story, memory.find("jobs", name), done):
                break
            time.advance(0.5)
        found |= paths((kind, body) for kind, plural, body in memory.events if plural == "jobs")
    return found


def test_jobs_go_through_the_same_states(api, namespace, monkeypatch):
    """Success, failure, retries, suspension, deadlines and deletions of live work: the same counts and conditions."""
    real = told_really(api, namespace)
    memory = told_in_memory(FakeClock().install(monkeypatch))

    differences = [
        f"{name}.{part}: {values} and in memory {memory[name][part]}"
        for name, path in real.items()
        for part, values in path.items()
        if memory[name][part] != values
    ]
    assert not differences, "\n".join(differences)
