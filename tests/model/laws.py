"""What must be true at every moment, whoever acts in which order."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any, Final

from alo_operator.api.names import FINALIZER, LABEL_OPERATION_UID
from tests.model.world import World, live

Body = dict[str, Any]

_MINUTE: Final = timedelta(minutes=1)
ANSWER: Final = ("promise", "phase", "result", "failure", "startTime", "completionTime", "specDigest", "attempts")


class Laws:
    """Reads the API server's own history, event by event. Raises AssertionError where a law is broken.

    1. A settled promise never changes.
    2. At most one Job is ever made for an operation, and none once it is settled.
    3. After a cancellation nothing of the work is live.
    4. The answer is the truth: a success was a Complete Job, a failure a Failed one, a cancellation was asked for.
    5. At rest everything is settled, and no finalizer of ours is left.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._read = 0
        self._answers: dict[str, Body] = {}
        self._jobs: defaultdict[str, set[str]] = defaultdict(set)
        self.phases: Counter[str] = Counter()
        self._last: dict[str, str] = {}

    def hold(self) -> None:
        """Laws 1 to 4, for all that happened since the last call."""
        events = self._world.api.events
        for kind, plural, body in events[self._read :]:
            if plural == "asyncoperations":
                self._operation(body)
            elif plural == "jobs" and kind == "ADDED":
                self._job(body)
        self._read = len(events)
        refused = [request for request in self._world.api.requests if request[2] == 422 and "/jobs" not in request[1]]
        assert not refused, f"the API server had to refuse {refused}"

    def hold_at_rest(self) -> None:
        """Law 5 as well: nothing is going on any more, and nothing will."""
        self.hold()
        for body in self._world.api.every("asyncoperations"):
            meta, status = body["metadata"], body["status"]
            waits = any(c["reason"] == "NotSupported" and c["type"] == "Accepted" for c in status.get("conditions", ()))
            assert status["promise"] != "Pending" or waits, f"{meta['name']} never settled: {status}"
            assert FINALIZER not in meta.get("finalizers", ()), f"{meta['name']} keeps its finalizer: {status}"
            assert not meta.get("deletionTimestamp"), f"{meta['name']} was deleted and is still there"
        assert not list(self._world.api.every("pods")) or all(not live(pod) for pod in self._world.api.every("pods")), (
            "work is live at rest"
        )

    def _operation(self, body: Body) -> None:
        uid, status = body["metadata"]["uid"], body["status"]
        if self._last.get(uid) != status["phase"]:
            self._last[uid] = status["phase"]
            self.phases[status["phase"]] += 1
        answer = {field: status.get(field) for field in ANSWER}
        if uid in self._answers:
            assert answer == self._answers[uid], f"an answer changed from {self._answers[uid]} to {answer}"
        elif status["promise"] != "Pending":
            self._answers[uid] = answer
            self._truth(body)

    def _job(self, body: Body) -> None:
        owner = body["metadata"]["labels"][LABEL_OPERATION_UID]
        self._jobs[owner].add(body["metadata"]["uid"])
        assert owner not in self._answers, "a Job was made for a settled operation"
        assert len(self._jobs[owner]) == 1 or owner in self._world.may_run_twice, "the work was started twice"

    def _truth(self, body: Body) -> None:
        uid, status = body["metadata"]["uid"], body["status"]
        phase, failure = status["phase"], status.get("failure") or {}
        ended = self._world.ended[uid]
        if phase == "Succeeded":
            assert "Complete" in ended, "a success without a Complete Job"
            lost = "result" not in status and uid not in self._world.deleted_by_hand
            assert not lost, "the result was deleted before it was read"
        elif "Complete" in ended:
            # A Job deleted in time counts no end, so this one had completed before any cancellation reached it.
            assert uid in self._world.deleted_by_hand, f"a Complete Job ended as {phase}: {failure}"
        if failure.get("type") == "WorkerFailed":
            assert "Failed" in ended, "a worker's failure without a Failed Job"
        if phase == "Cancelled":
            assert uid in self._world.asked_to_stop, "a cancellation that nobody asked for"
        if phase in ("Cancelled", "TimedOut"):
            for pod in self._world.api.every("pods"):
                if pod["metadata"]["labels"][LABEL_OPERATION_UID] == uid and live(pod):
                    self._given_up_in_time(pod, status)

    def _given_up_in_time(self, pod: Body, status: Body) -> None:
        """A pod may be left behind only by name, and only after a minute."""
        name = pod["metadata"]["name"]
        assert name in {cause["name"] for cause in status["failure"].get("causes", ())}, f"{name} is live and not named"
        told = pod["metadata"].get("deletionTimestamp") or status["cancellation"]["requestTime"]
        waited = datetime.fromisoformat(status["completionTime"]) - datetime.fromisoformat(told)
        assert waited >= _MINUTE, f"{name} was given up after {waited}"
