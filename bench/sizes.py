"""How much of everything."""

from dataclasses import dataclass, fields, replace
from typing import Self


@dataclass(frozen=True)
class Sizes:
    """Numbers of operations (or of Jobs), rates per second and times in seconds.

    burst: created at once, their work takes no time; so many bare Jobs before and after them.
    preset: created at once with the finalizer on.
    steady: created at `rate` a second, their work takes `steady_work` seconds.
    cancel_of: running, of which each `cancel_each`-th is cancelled.
    standing: how many settled operations there are at each level; probe: operations created at `rate` a second there.
    large: settled operations with inputs of `large_input` bytes.
    bare: Jobs before and after the loads that are not made at once, to see drift.
    patches: bare writes of the client.
    """

    burst: int = 1000
    preset: int = 200
    steady: int = 600
    rate: float = 5.0
    steady_work: float = 2.0
    cancel_of: int = 300
    cancel_each: int = 10
    standing: tuple[int, ...] = (100, 1000, 10_000, 50_000)
    probe: int = 100
    large: int = 2000
    large_input: int = 65_000
    bare: int = 300
    patches: int = 1000
    creators: int = 16

    def scaled(self, scale: float) -> Self:
        """Every number of objects times `scale`, at least 10; rates, times and the creators as they are."""

        def fewer(count: int) -> int:
            return max(10, round(count * scale))

        counts = ("burst", "preset", "steady", "cancel_of", "bare", "probe", "large", "patches")
        found = {field.name: fewer(getattr(self, field.name)) for field in fields(self) if field.name in counts}
        return replace(self, **found, standing=tuple(fewer(count) for count in self.standing))
