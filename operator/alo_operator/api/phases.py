"""Where an operation stands: its phases, what each means for the promise, and the words other protocols use."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Promise(StrEnum):
    """The answer so far; it leaves Pending once and never changes again."""

    PENDING = "Pending"
    FULFILLED = "Fulfilled"
    REJECTED = "Rejected"


class Phase(StrEnum):
    """A summary for people, columns and selectors."""

    PENDING = "Pending"
    RUNNING = "Running"
    PAUSED = "Paused"
    CANCELLING = "Cancelling"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    TIMED_OUT = "TimedOut"


class AloStatus(StrEnum):
    """`AloInfo.status` of the ALO protocol."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"


class NexusState(StrEnum):
    """The operation states of the Nexus protocol."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class PhaseMeaning:
    """One line of the table of phases."""

    promise: Promise
    alo: AloStatus
    nexus: NexusState


_WORKING: Final = PhaseMeaning(Promise.PENDING, AloStatus.RUNNING, NexusState.RUNNING)

MEANING_OF: Final[dict[Phase, PhaseMeaning]] = {
    Phase.PENDING: _WORKING,
    Phase.RUNNING: _WORKING,
    Phase.PAUSED: _WORKING,
    Phase.CANCELLING: _WORKING,
    Phase.SUCCEEDED: PhaseMeaning(Promise.FULFILLED, AloStatus.COMPLETED, NexusState.SUCCEEDED),
    Phase.FAILED: PhaseMeaning(Promise.REJECTED, AloStatus.COMPLETED, NexusState.FAILED),
    Phase.TIMED_OUT: PhaseMeaning(Promise.REJECTED, AloStatus.COMPLETED, NexusState.FAILED),
    Phase.CANCELLED: PhaseMeaning(Promise.REJECTED, AloStatus.COMPLETED, NexusState.CANCELED),
}

PROMISE_OF: Final[dict[Phase, Promise]] = {phase: meaning.promise for phase, meaning in MEANING_OF.items()}

SETTLED: Final[frozenset[Phase]] = frozenset(
    phase for phase, promise in PROMISE_OF.items() if promise is not Promise.PENDING
)
