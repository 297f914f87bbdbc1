"""The vocabulary of a plan: what a pass may do, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from alo_operator.api.status import OperationStatus, Result
from alo_operator.delivery.answer import Answer


class Look(Enum):
    """Something a decision needs to know first; each is one consistent read."""

    JOB = auto()  # GET the Job by its name
    PODS = auto()  # LIST the pods of the operation
    REASON = auto()  # LIST the pods, and the Job's Events where there is no pod
    TEMPLATE = auto()  # GET the template by its name
    INPUT = auto()  # hold the input against the template's schemas; no read
    TURN = auto()  # ask whether the template has room for one more; no read
    RESULT = auto()  # hold `Plan.asked` against the resultSchema that the Job carries; a read where it is not known


@dataclass(frozen=True, slots=True)
class AddFinalizer:
    """Make deletion wait for us; before any Job exists."""


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Let deletion go on."""


@dataclass(frozen=True, slots=True)
class CreateJob:
    """POST the Job, with strict field validation."""

    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete the Job; only this uid at this version.

    Live work in the foreground, so that the Job is gone only after its pods are. Of work that is over (`over`) the Job
    goes at once and the garbage collector takes its pods: there is nothing to wait for.
    """

    name: str
    uid: str
    resource_version: int
    over: bool = False


@dataclass(frozen=True, slots=True)
class DeleteOperation:
    """Delete the operation, at the uid and version it was decided on; owner references take its Job along."""


@dataclass(frozen=True, slots=True)
class PatchJob:
    """Merge `spec` into the Job's spec; only this uid at this version."""

    name: str
    uid: str
    resource_version: int
    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WatchPods:
    """Listen to the work's pods until they are gone: their last words are told in no other way."""


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Replace status, at the resourceVersion it was decided on; `answered`: the callbacks' answers it takes in."""

    status: OperationStatus
    answered: tuple[Answer, ...] = ()


@dataclass(frozen=True, slots=True)
class SendCallbacks:
    """Hand the callbacks of these names to the sender.

    `last`: the operation is being deleted and this is the last attempt; it is over by `deadline`.
    """

    names: tuple[str, ...]
    last: bool = False
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True)
class PostEvent:
    """One Kubernetes Event about the operation, named so that a repetition adds none: after uid, reason and `about`."""

    warning: bool
    reason: str
    message: str
    about: str = ""


Step = (
    AddFinalizer
    | RemoveFinalizer
    | CreateJob
    | DeleteJob
    | DeleteOperation
    | PatchJob
    | WatchPods
    | WriteStatus
    | PostEvent
    | SendCallbacks
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Either something to look at first, or steps in order; `wake` is when time alone could change the plan.

    `asked` is what Look.RESULT is about. `in_line` is False where an operation that has no work leaves its turn, of
    those that its template lets run, to the next.
    """

    steps: tuple[Step, ...] = ()
    look: Look | None = None
    wake: datetime | None = None
    asked: Result | None = None
    in_line: bool = True
