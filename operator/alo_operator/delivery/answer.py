"""What became of one attempt to tell a callback."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """One attempt that was made.

    `target` is that of the delivery it belongs to. `time` is when it began (UTC), `status` the HTTP status that came,
    `error` a word and a sentence, "" for a delivery. `final`: repeating it cannot help. `retry_after`: the seconds
    that the receiver asked for.
    """

    callback: str
    target: str | None
    time: datetime
    status: int | None = None
    error: str = ""
    final: bool = False
    retry_after: float | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver has taken the message."""
        return not self.error
