"""What must be true at every moment, whoever acts in which order; the API server's own history is the witness."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from alo_operator.api.durations import parse_duration
from alo_operator.api.names import FINALIZER, OPERATION_PLURAL
from alo_operator.api.phases import Phase
from alo_operator.effects import clock
from tests.model.line import Request
from tests.model.machinery import operation_of
from tests.model.receivers import Message
from tests.model.reference import PROMISE_IN, Limits, PromiseModel, Teller
from tests.model.replica import Defects, Replica
from tests.model.telling import TellingLaws, all_told
from tests.model.world import IMPOSSIBLE_IMAGE, World, live, owner_uid

Body = dict[str, Any]

_MINUTE: Final = timedelta(minutes=1)
FROZEN: Final = ("promise", "phase", "result", "failure", "startTime", "completionTime", "specDigest", "attempts")
KEPT: Final = ("startTime", "specDigest", "job")  # once set, for good
PLAIN_WRITES: Final = 5
DEFAULT_KEEP_JOB: Final = "24h"
LOOKED_OVER: Final = timedelta(minutes=5)


class Laws:
    """Reads the history event by event. Raises AssertionError where a law is broken.

    1. A settled promise never changes, and status never goes back.
    2. At most one Job is ever made for an operation; none while a pause or a cancellation is on record, none after the
       end, none by a process that knows of either.
    3. After a cancellation nothing of the work is live but pods that were given up by name, after a minute.
    4. Each phase and each answer is one that the reference promise allows at that moment.
    5. No replica writes without the Lease; the API server never has to refuse a status.
    6. Nothing is logged as a defect, and nothing runs hot.

    Those of `telling` beside them.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._read = 0
        self.promises: dict[str, PromiseModel] = {}
        self.last: dict[str, Body] = {}  # status by uid, as last written
        self.waited: set[str] = set()  # operations of which status said why they do not start
        self.phases: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()
        self._jobs: dict[str, Body] = {}
        self._pods: defaultdict[str, set[str]] = defaultdict(set)  # phases seen, by pod
        self.refused: list[str] = []
        self._now, self._set_back = clock.now(), False
        self.most_at_once = 0  # operations of the template
        self._gone: set[str] = set()
        self.let_go: Counter[str] = Counter()  # Jobs and records whose retention was over
        self.defects = Defects()
        self.telling = TellingLaws(world.receivers, world.deleted, self.last)

    # -- what is told while it happens

    def sent(self, replica: Replica, request: Request) -> None:
        """A request goes out: law 5, and 2 as far as the sender knows."""
        if not request.writes:
            return
        self.writes[request.about] += 1
        holder = self._holder()
        assert holder == replica.identity, f"{replica.identity} writes while {holder or 'nobody'} has the Lease"
        known = replica.app.cache.operation(request.about)
        if request.method == "POST" and request.path.endswith("/jobs"):
            assert known is not None, "a Job is made for an operation that the process does not know"
            stopped = known.deleting or (known.spec and (known.spec.cancel or known.spec.suspend))
            assert not stopped, "a Job is made although the process knows of the cancellation or the pause"

    def posted(self, replica: Replica, message: Message) -> None:
        """A message to a callback goes out: law 5 again."""
        self.read()
        holder = self._holder()
        assert holder == replica.identity, f"{replica.identity} tells while {holder or 'nobody'} has the Lease"
        self.telling.posted(message)

    def was_refused(self, request: Request, why: str) -> None:
        """An answer 422: law 5; a patch that no longer fits is no offence, as it was decided on an older version."""
        if not request.path.endswith("/jobs") and "rejected our request" not in why:
            self.refused.append(f"{request.method} {request.path}: {why}")

    def moved(self) -> None:
        """Time has passed, or the clock was set."""
        self.read()
        now = clock.now()
        self._set_back = self._set_back or now < self._now
        self._now = now
        self.telling.set_back = self._set_back
        for promise in self.promises.values():
            promise.it_is(now)

    # -- laws

    def hold(self) -> None:
        """All laws, for all that happened since the last call."""
        self.read()
        assert not self.refused, f"the API server had to refuse {self.refused}"
        assert not self.defects.found, self.defects.found[0]

    def read(self) -> None:
        """Laws 1 to 4, event by event."""
        events = self._world.api.events
        while self._read < len(events):
            kind, plural, body = events[self._read]
            self._read += 1
            if plural == OPERATION_PLURAL:
                self._operation(kind, body)
            elif plural == "jobs":
                self._job(kind, body)
            elif plural == "pods" and kind != "DELETED":
                self._pod(body)

    def _operation(self, kind: str, body: Body) -> None:
        uid, status, meta = body["metadata"]["uid"], body["status"], body["metadata"]
        if kind == "ADDED":
            self.promises[uid] = _promise(body)
            self.last[uid] = status
        promise, before = self.promises[uid], self.last[uid]
        if (body["spec"].get("cancel") or meta.get("deletionTimestamp")) and before["promise"] == "Pending":
            promise.asked_to_stop()
        promise.pause_is(bool(body["spec"].get("suspend")))
        self._takes_in(promise, body)
        self._goes_on(promise, Phase(before["phase"]), before, status)
        self.telling.operation(kind, body, before)
        self.last[uid] = status
        if any(c["type"] == "Started" and c["status"] == "False" for c in status.get("conditions", ())):
            self.waited.add(uid)
        if before["phase"] != status["phase"] or kind == "ADDED":
            self.phases[status["phase"]] += 1
            self._shown(uid, promise, Phase(status["phase"]), status)
        if kind == "DELETED":
            settled = status["promise"] != "Pending"
            assert settled or not promise.jobs, f"{meta['name']} went without an answer: {status}"
            assert uid in self._world.deleted or promise.record_over, f"{meta['name']} was deleted too soon: {promise}"
            self.let_go["record"] += uid not in self._world.deleted
            self._gone.add(uid)

    def _takes_in(self, promise: PromiseModel, body: Body) -> None:
        """What may change and what is reported, as the reference wants to know it."""
        status, retention = body["status"], body["spec"].get("retention") or {}
        reported = status.get("reported")
        if reported:
            promise.handed_in[reported["attempt"]] = reported["value"]
        if status.get("completionTime"):
            promise.settled_at = datetime.fromisoformat(status["completionTime"])
        promise.keep_job = parse_duration(retention.get("job") or DEFAULT_KEEP_JOB)
        promise.keep_record = parse_duration(retention["record"]) if "record" in retention else None
        promise.it_is(clock.now())

    def _goes_on(self, promise: PromiseModel, old: Phase, before: Body, status: Body) -> None:
        """Law 1."""
        new = Phase(status["phase"])
        assert promise.may_turn(old, new), f"the phase went from {old} to {new}"
        assert status["promise"] == PROMISE_IN[new], f"{new} with a promise that is {status['promise']}"
        seen, sees = before["observedGeneration"], status["observedGeneration"]
        assert sees >= seen, f"observedGeneration went from {seen} to {sees}"
        for field in FROZEN if before["promise"] != "Pending" else KEPT:
            changed = (before["promise"] != "Pending" or field in before) and status.get(field) != before.get(field)
            assert not changed, f"{field} went from {before.get(field)} to {status.get(field)}"
        asked, asks = before.get("cancellation"), status.get("cancellation")
        if asked:
            same = asks and all(asks[field] == asked[field] for field in ("requestTime", "source"))
            assert same, f"the cancellation went from {asked} to {asks}"

    def _shown(self, uid: str, promise: PromiseModel, phase: Phase, status: Body) -> None:
        """Law 4, and 3 at the end."""
        if phase is Phase.PAUSED:
            running = [pod["metadata"]["name"] for pod in self._world.pods_of(uid) if live(pod)]
            assert not running or promise.interfered, f"Paused, and {running} live on"
            promise.work_rests()
        if status["promise"] == "Pending":
            assert promise.may_show(phase), f"{phase} is not true: {promise}"
            return
        reason = _reason(status)
        allowed = promise.ends()
        assert reason in allowed.get(phase, ()), f"{phase}/{reason}, but the facts allow {allowed}: {promise}"
        self._result(promise, phase, reason, status)
        if phase in (Phase.CANCELLED, Phase.TIMED_OUT):
            for pod in self._world.pods_of(uid):
                if live(pod):
                    _given_up_in_time(pod, status, promise.told_at)

    def _result(self, promise: PromiseModel, phase: Phase, reason: str, status: Body) -> None:
        result = status.get("result")
        if phase is Phase.SUCCEEDED:
            lost = reason == "ResultLost"
            may_be_lost = promise.interfered or promise.collected or promise.pod_deleted
            assert not lost or may_be_lost, "the result was deleted before it was read"
            good = result and result["value"] in promise.results() and not result.get("partial")
            assert lost or good, f"the result is {result}: {promise}"
        elif result:
            assert result["value"] in promise.partial_results(), f"a partial result that no worker gave: {result}"
            assert result["partial"], "a partial result that does not say so"
            assert phase is not Phase.FAILED, "failed work has no result"

    def _job(self, kind: str, body: Body) -> None:
        """Law 2."""
        uid, job = owner_uid(body), body["metadata"]["uid"]
        promise, status, old = self.promises[uid], self.last[uid], self._jobs.get(job)
        self._jobs[job] = body
        if old is None:
            again = uid in self._world.may_run_twice
            assert promise.may_start_work() or again, "the work was started twice, or may not be started at all"
            assert status["phase"] in (Phase.PENDING, Phase.RUNNING), f"a Job was made while {status['phase']}"
            promise.job_made()
            if promise.templated:
                self._in_turn()
            return
        for condition in body.get("status", {}).get("conditions", ()):
            if condition["type"] in ("Complete", "Failed"):
                when = datetime.fromisoformat(condition["lastTransitionTime"])
                promise.job_ended(condition["type"], condition["reason"], when)
        gone = body["metadata"].get("deletionTimestamp")
        if (gone or kind == "DELETED") and not old["metadata"].get("deletionTimestamp"):
            teller = self._teller(uid, job)
            promise.job_told(teller, datetime.fromisoformat(gone) if gone else self._now)
            if status["promise"] != "Pending" and teller is Teller.OPERATOR and uid not in self._gone:
                assert promise.job_over, f"the Job was deleted too soon: {promise}"
                self.let_go["Job"] += 1

    def _in_turn(self) -> None:
        """Never more operations of the template have work than may; its limit only rises here."""
        mine = [uid for uid, each in self.promises.items() if each.templated and each.jobs]
        at_work = [uid for uid in mine if self.last[uid]["promise"] == "Pending" and uid not in self._gone]
        assert self._world.template_made, "a Job was made without a template"
        self.most_at_once = max(self.most_at_once, len(at_work))
        assert len(at_work) <= self._world.highest_limit, f"{len(at_work)} are at work at once"

    def _teller(self, uid: str, job: str) -> Teller:
        if job in self._world.by_hand:
            return Teller.SOMEBODY
        return Teller.COLLECTOR if uid in self._world.deleted_in_foreground else Teller.OPERATOR

    def _pod(self, body: Body) -> None:
        name, uid, phase = body["metadata"]["name"], operation_of(body), body["status"]["phase"]
        promise = self.promises[uid]
        if name not in self._pods:
            assert self.last[uid]["promise"] == "Pending", f"{name} was made after the end"
        promise.pod_deleted = promise.pod_deleted or bool(body["metadata"].get("deletionTimestamp"))
        for status in body["status"].get("containerStatuses", ()):
            if began := status["state"].get("running"):
                promise.work_began(datetime.fromisoformat(began["startedAt"]))
            ended = status["state"].get("terminated")
            if ended and ended["exitCode"] == 0:
                promise.done_by.add(body["metadata"]["uid"])
        self._pods[name].add(phase)

    # -- at rest

    def hold_when_caught_up(self) -> None:
        """What an operator that was given time has done, with nothing more happening: agreement with the reference."""
        self.hold()
        for body in self._world.every(OPERATION_PLURAL):
            uid, status, meta = body["metadata"]["uid"], body["status"], body["metadata"]
            promise, pods = self.promises[uid], self._world.pods_of(uid)
            where = f"{meta['name']} ({status}; {promise})"
            # Work that only waits is reported minutes after its Job was made, by a clock that may have been set back.
            # What waits for its turn costs no write at all.
            waits = self._set_back or (promise.templated and not promise.jobs)
            unseen = waits and status["observedGeneration"] < 0
            assert unseen or status["observedGeneration"] == meta["generation"], f"a change was not taken in: {where}"
            if status["promise"] != "Pending":
                self.telling.hold_when_caught_up(body)
                assert not all_told(body) or FINALIZER not in meta.get("finalizers", ()), (
                    f"keeps its finalizer: {where}"
                )
                continue
            # A pod on a dead node is given up by the clock on the wall, and later where that was set back.
            must = promise.must_settle() and not self._set_back and uid not in self._world.may_run_twice
            assert not must, f"never settled: {where}"
            wanted = {Phase.PENDING} if not promise.began else {Phase.RUNNING, Phase.PENDING}
            if any(pod["status"]["phase"] == "Running" and not pod["toy"].get("node_dead") for pod in pods):
                wanted = {Phase.RUNNING}
            if promise.templated and not promise.jobs and status["phase"] == Phase.PENDING:
                continue  # it waits for its template, or for its turn, paused or not
            stuck = any(pod["toy"].get("node_dead") for pod in pods)
            if promise.pause_wanted:
                wanted = {Phase.PAUSED} | ({Phase.PENDING, Phase.RUNNING} if stuck else set())
            if stuck and self._set_back and promise.may_show(Phase.CANCELLING):
                surely = promise.stop_asked and not promise.ended
                wanted = {Phase.CANCELLING} | (set() if surely else wanted)
            assert status["phase"] in wanted, f"should be {sorted(wanted)}: {where}"

    def hold_at_rest(self) -> None:
        """All work has ended: everything is settled, no finalizer is left, nothing is live."""
        self.hold_when_caught_up()
        for body in self._world.every(OPERATION_PLURAL):
            meta, status = body["metadata"], body["status"]
            assert status["promise"] != "Pending", f"{meta['name']} never settled: {status}"
            self._kept_no_longer(body)
            self.telling.hold_at_rest(body)
            assert not meta.get("deletionTimestamp"), f"{meta['name']} was deleted and is still there: {status}"
        assert not any(live(pod) for pod in self._world.every("pods")), "work is live at rest"

    def _kept_no_longer(self, body: Body) -> None:
        uid, name, promise = body["metadata"]["uid"], body["metadata"]["name"], self.promises[body["metadata"]["uid"]]
        if promise.settled_at and promise.keep_record and all_told(body):
            late = clock.now() > promise.settled_at + promise.keep_record + LOOKED_OVER
            assert not late, f"{name} should be gone: {promise}"
        if promise.settled_at and promise.keep_job:
            late = clock.now() > promise.settled_at + promise.keep_job + LOOKED_OVER
            assert not late or not self._world.jobs_of(uid), f"the Job of {name} should be gone: {promise}"

    def hold_the_budget(self, uid: str, rounds: int) -> None:
        """A plain operation cost at most five writes, and one for each round of attempts to tell."""
        assert self.writes[uid] <= PLAIN_WRITES + rounds, f"{self.writes[uid]} writes, with {rounds} rounds of telling"

    def _holder(self) -> str:
        lease = self._world.api.find("leases", "alo-operator", "alo-system")
        return str(lease["spec"]["holderIdentity"]) if lease else ""


def _promise(body: Body) -> PromiseModel:
    """The reference promise of a record as it was created."""
    spec = body["spec"]
    given = spec.get("timeouts") or {}
    names = ("scheduleToStart", "startToClose", "scheduleToClose")
    limits = Limits(*(parse_duration(given[name]) if name in given else None for name in names))
    if "templateRef" in spec:
        created = datetime.fromisoformat(body["metadata"]["creationTimestamp"])
        return PromiseModel(created=created, limits=limits, templated=True)
    pod = spec["job"]["spec"]["template"]["spec"]
    bad = "selector" in spec["job"]["spec"] or pod["containers"][0]["image"] == IMPOSSIBLE_IMAGE
    return PromiseModel(
        created=datetime.fromisoformat(body["metadata"]["creationTimestamp"]),
        limits=limits,
        impossible="InvalidJob" if bad else "",
    )


def _reason(status: Body) -> str:
    return next(str(c["reason"]) for c in status["conditions"] if c["type"] == "Succeeded")


def _given_up_in_time(pod: Body, status: Body, job_told: datetime | None) -> None:
    """A pod may be left behind only by name, and only after a minute; `job_told`: when its Job was deleted."""
    name = pod["metadata"]["name"]
    assert name in {cause["name"] for cause in status["failure"].get("causes", ())}, f"{name} is live and not named"
    told = pod["metadata"].get("deletionTimestamp") or status["cancellation"]["requestTime"]
    since = min(datetime.fromisoformat(told), job_told or datetime.max.replace(tzinfo=UTC))
    waited = datetime.fromisoformat(status["completionTime"]) - since
    assert waited >= _MINUTE, f"{name} was given up after {waited}"
