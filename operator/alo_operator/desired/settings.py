"""What the people who run the operator decide for all operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Settings:
    """Choices made at the start of a process; the same in every pass.

    `log_tail`: whether the end of a failed worker's log may become failure text.
    """

    log_tail: bool = True


DEFAULTS: Final = Settings()
