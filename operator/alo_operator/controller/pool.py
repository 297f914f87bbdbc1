"""The reconcilers: each takes a key, looks, decides, writes, and looks again until nothing is due."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from alo_operator.controller import metrics
from alo_operator.controller.cache import Cache
from alo_operator.controller.chronicle import tell
from alo_operator.controller.reminders import SOON
from alo_operator.controller.stopwatch import Stopwatch
from alo_operator.controller.workqueue import WorkQueue
from alo_operator.desired.observed import Observed
from alo_operator.desired.plan import plan
from alo_operator.desired.settings import DEFAULTS, Settings
from alo_operator.desired.steps import Plan
from alo_operator.effects import clock
from alo_operator.effects.apply import Applier
from alo_operator.effects.gather import Gatherer
from alo_operator.errors import AloError, NotLeader

logger = logging.getLogger(__name__)

WORKERS: Final = 32
_MOST_LOOKS: Final = 5
_MOST_ROUNDS: Final = 10
_LOUD_AFTER: Final = 5


@dataclass(frozen=True, slots=True)
class Tools:
    """What a pass works with."""

    cache: Cache
    queue: WorkQueue
    gatherer: Gatherer
    applier: Applier
    settings: Settings = DEFAULTS
    stopwatch: Stopwatch = field(default_factory=Stopwatch)


class Pool:
    """A fixed number of reconcilers over one queue."""

    def __init__(self, tools: Tools, workers: int = WORKERS) -> None:
        self._tools, self._workers = tools, workers
        self._tasks: list[asyncio.Task[None]] = []
        self._busy = 0
        self.last_turn = clock.monotonic()

    def start(self) -> None:
        """Start all reconcilers."""
        self._tasks = [
            asyncio.create_task(self._work(), name=f"reconciler {number}") for number in range(self._workers)
        ]

    async def stop(self, patience: float) -> None:
        """Let passes under way finish for up to `patience` seconds, then end all reconcilers."""
        self._tools.queue.clear()
        deadline = clock.monotonic() + patience
        while self._busy and clock.monotonic() < deadline:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.05)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def alive(self) -> bool:
        """Whether every reconciler still runs."""
        return all(not task.done() for task in self._tasks)

    async def _work(self) -> None:
        queue = self._tools.queue
        while True:
            uid = await queue.get()
            self._busy += 1
            started = clock.monotonic()
            try:
                await self._reconcile(uid)
            finally:
                self._busy -= 1
                self._tools.cache.turns.passed(uid)
                self._tools.stopwatch.passed(uid)
                self.last_turn = clock.monotonic()
                metrics.RECONCILE_SECONDS.observe(self.last_turn - started)
                queue.done(uid)

    async def _reconcile(self, uid: str) -> None:
        queue = self._tools.queue
        try:
            wake = await self._until_nothing_is_due(uid)
        except NotLeader:
            logger.debug("not leading; the pass is left to who is", extra={"uid": uid})
            return  # whoever leads starts from all that is not settled
        except AloError as error:
            self._try_again(uid, error)
            return
        except Exception:
            # One object that meets a defect of ours harms only itself.
            metrics.QUARANTINED.inc()
            delay = queue.retry(uid)
            logger.exception("a pass failed", extra={**self._whose(uid), "retry_s": round(delay, 1)})
            return
        queue.forget_failures(uid)
        if wake is not None:
            queue.add_after(uid, wake, idle=self._tools.cache.operation(uid) is None)

    async def _until_nothing_is_due(self, uid: str) -> float | None:
        cache = self._tools.cache
        for _ in range(_MOST_ROUNDS):
            observed = cache.observe(uid)
            if observed is None:
                due, place = cache.due(uid), cache.place(uid)
                if due is None or place is None:
                    return None
                if (delay := due - clock.now().timestamp()) > 0:
                    return delay if delay <= SOON else None  # of what is far away the reminders tell
                await self._tools.gatherer.revive(uid, *place)
                continue
            operation = observed.operation
            observed, decision = await self._decide(observed)
            if not decision.in_line:
                self._tools.cache.turns.leave(uid)
            if not decision.steps:
                cache.rest(operation, decision.wake)
                if cache.operation(uid) is None:
                    continue
                return (decision.wake - clock.now()).total_seconds() if decision.wake else None
            await self._tools.applier.apply(observed.operation, decision.steps)
            tell(cache, self._tools.stopwatch, observed, decision)
        raise AloError(f"no rest after {_MOST_ROUNDS} rounds of writes; is somebody else writing the same status?")

    async def _decide(self, observed: Observed) -> tuple[Observed, Plan]:
        decision = plan(observed, clock.now(), self._tools.settings)
        for _ in range(_MOST_LOOKS):
            if decision.look is None:
                return observed, decision
            if pause := self._tools.gatherer.postponed(decision.look):
                return observed, Plan(wake=clock.now() + timedelta(seconds=pause))
            observed = await self._tools.gatherer.look(observed, decision.look, decision.asked)
            decision = plan(observed, clock.now(), self._tools.settings)
        if decision.look is not None:
            raise AloError(f"still undecided after {_MOST_LOOKS} looks; next would be {decision.look.name}")
        return observed, decision

    def _try_again(self, uid: str, error: AloError) -> None:
        metrics.RETRIES.labels(error=type(error).__name__).inc()
        delay = self._tools.queue.retry(uid)
        level = logging.WARNING if delay > _LOUD_AFTER or not error.retryable else logging.INFO
        extra = {**self._whose(uid), "error": str(error), "retry_s": round(delay, 1)}
        logger.log(level, "a pass could not be finished and will be repeated", extra=extra)

    def _whose(self, uid: str) -> dict[str, str]:
        place = self._tools.cache.place(uid)
        return {"operation": "/".join(place) if place else "?", "uid": uid}
