"""What many lives together have met: so that a test can say that nothing was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.model.life import Life
from tests.model.reference import Answer, Verb


class Reached:
    """What a whole run has come to: the coverage that is asserted of it."""

    def __init__(self) -> None:
        self.phases: Counter[str] = Counter()
        self.verbs: Counter[tuple[Verb, Answer]] = Counter()
        self.workers: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self.receivers: Counter[str] = Counter()
        self.others: Counter[str] = Counter()

    def add(self, life: Life) -> None:
        """Count what a life has come to."""
        self.phases.update(life.laws.phases)
        self.verbs.update(life.world.verbs)
        self.workers.update(life.machinery.seen)
        self.faults.update(life.struck())
        self.told.update(life.laws.telling.seen)
        self.receivers.update(life.world.receivers.seen)
        self.others["crashes"] += sum(replica.crashes for replica in life.replicas)
        self.others.update({f"{kind} let go": count for kind, count in life.laws.let_go.items()})
        self.others[f"{life.laws.most_at_once} of the template at once"] += 1
        self.others["lives"] += 1

    def table(self) -> str:
        """All of it, in rows of words."""
        rows: list[tuple[object, ...]] = [("phase", *self._row(self.phases)), ("worker", *self._row(self.workers))]
        rows += [("verb", f"{verb}: {answer}", count) for (verb, answer), count in sorted(self.verbs.items())]
        rows += [("told", *self._row(self.told)), ("receiver", *self._row(self.receivers))]
        rows += [("fault", *self._row(self.faults)), ("other", *self._row(self.others))]
        return "\n".join("  ".join(str(cell) for cell in row) for row in rows)

    def _row(self, counts: Mapping[Any, int]) -> tuple[str]:
        return (", ".join(f"{name} {count}" for name, count in sorted(counts.items())),)
