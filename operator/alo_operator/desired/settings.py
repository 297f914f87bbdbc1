"""What the people who run the operator decide for all operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from alo_operator.delivery.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Settings:
    """Choices made at the start of a process; the same in every pass.

    `log_tail`: whether the end of a failed worker's log may become failure text. `report_url`: where workers reach the
    gateway, without a slash at its end; None where there is none. `retention_job`: how long the Jobs of operations
    are kept that do not say so themselves, nor their templates; None: for ever. `schedule`: when a callback that did
    not take its message is told again.
    """

    log_tail: bool = True
    report_url: str | None = None
    retention_job: str | None = "24h"
    schedule: Schedule = Schedule.DEFAULT


DEFAULTS: Final = Settings()
