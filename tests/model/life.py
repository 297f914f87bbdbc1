"""A whole small cluster in virtual time: callers, machinery, one or two operators, and the laws over all of them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest

from alo_operator.api.names import OPERATION_PLURAL
from alo_operator.api.phases import Phase
from alo_operator.controller import app as application
from alo_operator.effects import clock
from tests.model.faults import Fault
from tests.model.laws import Laws
from tests.model.machinery import Machinery
from tests.model.receivers import Temper, callback
from tests.model.replica import Replica, stand_in_for_kopf
from tests.model.simulation import Simulation
from tests.model.world import IMPOSSIBLE_IMAGE, TEMPLATE, Body, World

_NEVER: Final = 1e9
_CATCHING_UP: Final = (1, 1, 2, 2, 5, 5, 10, 20, 30, 60, 60, 120, 300)
_PATIENTLY: Final = (2,) * 10 + (5,) * 10 + (20,) * 25
_ROUNDS: Final = 24
_PLAIN: Final = ("plain", "told", "told twice", "told by and by")


def work(**changes: Any) -> Body:
    """A spec: one pod, no retries; `job` are fields of the Job's spec, `image` its image, the rest fields of spec."""
    pod: Body = {"containers": [{"name": "main", "image": changes.pop("image", "example.test/work:1")}]}
    job: Body = {"backoffLimit": 0, "completions": 1, "template": {"spec": pod}, **changes.pop("job", {})}
    return {"job": {"spec": job}, **changes}


KINDS: Final[dict[str, Body]] = {
    "plain": work(),
    "retrying": work(job={"backoffLimit": 2}),
    "impatient": work(timeouts={"scheduleToStart": "30s"}),
    "hurried": work(timeouts={"startToClose": "20s"}),
    "bounded": work(timeouts={"scheduleToStart": "40s", "startToClose": "20s", "scheduleToClose": "2m"}),
    "paused": work(suspend=True),
    "withdrawn": work(cancel={"reason": "never mind"}),
    "early": work(readyWhen="Started"),
    "impossible": work(job={"selector": {}}),
    "refused": work(image=IMPOSSIBLE_IMAGE),
    "kept shortly": work(retention={"job": "20s", "record": "45s"}),
    "cleaned up": work(retention={"job": "10s"}),
    "templated": {"templateRef": {"name": TEMPLATE}},
    "told": work(callbacks=[callback(Temper.TAKES)]),
    "told twice": work(callbacks=[callback(Temper.SIGNED), callback(Temper.SLOW)]),
    "told by and by": work(callbacks=[callback(Temper.STUTTERS), callback(Temper.BUSY)]),
    "told in vain": work(callbacks=[callback(Temper.DEAD), callback(Temper.GONE)]),
    "told nothing": work(callbacks=[callback(Temper.HANGS)]),
    "told and let go": work(callbacks=[callback(Temper.TAKES), callback(Temper.FLAPS)], retention={"record": "15s"}),
}


class Life:
    """`disturbed`: something happened that plain operations need not bear within their budget of writes."""

    def __init__(self, replicas: int = 1) -> None:
        self._patched = pytest.MonkeyPatch()
        self._patched.setattr(application, "LAG_EVERY", _NEVER)
        stand_in_for_kopf(self._patched)
        self._log = logging.getLogger("alo_operator")
        self._level = self._log.level
        self.sim = Simulation(self._patched)
        self.world = World()
        self.machinery = Machinery(self.world)
        self.laws = Laws(self.world)
        self._log.setLevel(logging.ERROR)
        self._log.addHandler(self.laws.defects)
        self.sim.moved.append(self.laws.moved)
        self.replicas = [
            Replica(self.world, self.sim, f"replica-{n}", self.laws.sent, self.laws.posted, self.laws.was_refused)
            for n in range(replicas)
        ]
        self.start_the_dead()
        self.disturbed = False
        self.names: list[str] = []
        self.kinds: dict[str, str] = {}

    def close(self) -> None:
        """End everything; time is the machine's again."""
        for replica in self.replicas:
            replica.crash()
        self.sim.close()
        self._log.removeHandler(self.laws.defects)
        self._log.setLevel(self._level)
        self._patched.undo()

    # -- callers

    def create(self, kind: str = "plain") -> str:
        name = self.world.new_name()
        self.world.create(name, KINDS[kind])
        self.names.append(name)
        self.kinds[name] = kind
        return name

    def phase(self, name: str) -> Phase | None:
        """What status says; None: there is no record."""
        body = self.world.operation(name)
        return Phase(body["status"]["phase"]) if body else None

    def follows(self, name: str) -> bool:
        """Whether status has taken in the latest change of the spec."""
        body = self.world.operation(name)
        return body is not None and body["status"]["observedGeneration"] == body["metadata"]["generation"]

    def pods(self, name: str, phase: str) -> list[Body]:
        """The pods of an operation that are in `phase` and not being deleted."""
        pods = self.world.pods_of(self.world.uid_of(name))
        return [p for p in pods if p["status"]["phase"] == phase and "deletionTimestamp" not in p["metadata"]]

    # -- the operators

    @property
    def leader(self) -> Replica | None:
        return next((replica for replica in self.replicas if replica.leading), None)

    def hear(self) -> None:
        """All that happened is told."""
        for replica in self.replicas:
            replica.catch_up()

    def goes_on(self, seconds: float = 2.0, *, starts: bool = True, manners: str = "dies") -> None:
        """Everybody does what there is to do, for a while: operators, cluster, again."""
        self.hear()
        self.sim.pass_time(seconds / 2)
        self.machinery.goes_on(starts=starts, manners=manners)
        self.hear()
        self.sim.pass_time(seconds / 2)
        self.hold()

    def hold(self) -> None:
        """All laws, now."""
        self.laws.hold()
        assert not self.sim.problems, self.sim.problems
        assert all(replica.well for replica in self.replicas), "an operator has ended by itself"

    def begins(self, name: str) -> None:
        """Until a worker runs, and status says so."""
        self.goes_on_until(lambda: self.pods(name, "Running") and self.phase(name) is Phase.RUNNING)

    def start_the_dead(self) -> None:
        """Every operator that does not run is started."""
        for replica in self.replicas:
            if not replica.alive:
                replica.start()

    def goes_on_until(self, wanted: Callable[[], Any], *, starts: bool = True) -> None:
        """The same, with dead operators replaced, until `wanted` holds. Raises AssertionError after ten minutes."""
        for seconds in _PATIENTLY:
            self.start_the_dead()
            self.goes_on(seconds, starts=starts)
            if wanted():
                return
        raise AssertionError("it does not come to that")

    def strike(self, fault: Fault, place: int) -> None:
        """`fault` at one of the leader's next requests (0: the next one)."""
        self.disturbed = True
        replica = self.leader or self.replicas[0]
        if replica.alive:
            replica.strike(fault, place)

    def struck(self) -> Counter[str]:
        """How often each kind of fault has met a request of a running process."""
        return Counter(fault.name.lower() for replica in self.replicas for fault in replica.all_struck())

    # -- rest

    def calm_down(self) -> None:
        """No more trouble: everybody runs, and what was held up or missed comes through."""
        self.world.quota_full = False
        self.world.receivers.up = True
        self.start_the_dead()
        for replica in self.replicas:
            replica.line.fates.clear()
            replica.line.release()

    def catches_up(self, *, thoroughly: bool = True) -> None:
        """The operators get time, while nothing starts or ends by itself; then they agree with the reference.

        `thoroughly`: a quarter of an hour, in which all that only waits is given up; else two minutes.
        """
        self.calm_down()
        for replica in self.replicas:
            replica.begin_anew()
        led_since = None
        for seconds in _CATCHING_UP[: None if thoroughly else -3]:
            led_since = (led_since or clock.now()) if self.leader else None
            self.goes_on(seconds, starts=False)
            self.laws.telling.hold_deletions(self.world.every(OPERATION_PLURAL), led_since)
        self.laws.hold_when_caught_up()

    def rests(self, *, thoroughly: bool = True) -> None:
        """All work may end, pauses are over, dead nodes are removed: everything comes to its end and stays there."""
        self.catches_up(thoroughly=thoroughly)
        if not self.world.limit:
            self.world.offer_template()
        for name in self.names:
            if (found := self.world.operation(name)) and found["spec"].get("suspend"):
                self.world.resume(name)
        quiet = 0
        for _ in range(_ROUNDS):
            self.machinery.nodes_are_removed()
            before = self._written()
            self.goes_on(30)
            for body in self.world.every(OPERATION_PLURAL):
                self.machinery.end_work(body["metadata"]["name"], 0)
            for pod in self.world.every("pods"):
                if pod["toy"].get("orphan"):
                    self.machinery.end_orphan(pod)
            self.goes_on(30)
            quiet = quiet + 1 if self._written() == before and not self._telling() else 0
            if quiet == 2:
                break
        else:
            raise AssertionError("there is no rest: something is written again and again")
        self.laws.hold_at_rest()
        if not self.disturbed:
            self._hold_the_budget()

    def _written(self) -> int:
        return sum(self.laws.writes.values()) + sum(1 for _, plural, _ in self.world.api.events if plural != "leases")

    def _telling(self) -> bool:
        """Whether somebody is still to be told."""
        return any(self.laws.telling.waiting(body) for body in self.world.every(OPERATION_PLURAL))

    def _hold_the_budget(self) -> None:
        for name, kind in self.kinds.items():
            body = self.world.operation(name)
            if body and kind in _PLAIN and body["status"]["phase"] == "Succeeded":
                uid, entries = body["metadata"]["uid"], body["status"].get("deliveries", ())
                if uid not in self.world.bothered | self.laws.waited:
                    self.laws.hold_the_budget(uid, sum(entry["attempts"] for entry in entries))

    def clock_is_set(self, hours: float) -> None:
        """Somebody sets the wall clock."""
        self.sim.set_wall_clock(timedelta(hours=hours))
