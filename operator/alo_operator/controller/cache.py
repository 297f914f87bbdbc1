"""What this replica knows: slim views, fed by events and by the answers to its own reads and writes.

A view gives way only to a higher resourceVersion of the same uid, and a uid once seen deleted stays deleted, so late,
repeated or reordered events can do no harm. Operations that rest (settled, nothing due) shrink to a few words.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from alo_operator.api.names import FINALIZER
from alo_operator.api.phases import Promise
from alo_operator.desired.fields import number, section, text
from alo_operator.desired.job_view import JobView
from alo_operator.desired.observed import Notes, Observed, OperationView
from alo_operator.effects import clock

_REMEMBERED_DELETIONS: Final = 20_000


class Resting(NamedTuple):
    """All that is kept of an operation with nothing due."""

    namespace: str
    name: str
    resource_version: int


@dataclass(slots=True)
class _Job:
    view: JobView
    gone: bool = False  # the API server has been asked and has it no more
    doubtful: bool = False  # a watch told of its end, which a lost label would look like too


class Cache:
    """Operations by uid, Jobs by their operation's uid; satisfies `effects.records.Records`."""

    def __init__(self) -> None:
        self._operations: dict[str, OperationView | Resting] = {}
        self._jobs: dict[str, _Job] = {}
        self._jobless: set[str] = set()  # operations the API server was asked about and has no Job for
        self._notes: dict[str, Notes] = {}
        self._deleted: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._operations)

    # -- operations

    def operation(self, uid: str) -> OperationView | None:
        """The operation as last seen; None where it is gone, unknown, or rests."""
        found = self._operations.get(uid)
        return found if isinstance(found, OperationView) else None

    def operation_seen(self, body: Mapping[str, Any]) -> bool:
        """Take in an operation; False for what is already known."""
        uid = text(body, "metadata", "uid")
        version = int(text(body, "metadata", "resourceVersion") or 0)
        old = self._operations.get(uid)
        if uid in self._deleted or (old is not None and old.resource_version >= version):
            return False
        if _rests(body):
            self._rest(uid, Resting(text(body, "metadata", "namespace"), text(body, "metadata", "name"), version))
            return not isinstance(old, Resting)
        view = OperationView.from_body(body)
        # The spec is needed until the Job exists and the digest is in status; sooner would cost a read.
        self._operations[uid] = view.slim() if view.status.spec_digest and uid in self._jobs else view
        return True

    def operation_gone(self, uid: str) -> None:
        """Forget an operation for good."""
        self._operations.pop(uid, None)
        self._forget_work(uid)
        self._deleted[uid] = None
        while len(self._deleted) > _REMEMBERED_DELETIONS:
            self._deleted.popitem(last=False)

    def unsettled(self) -> Iterator[str]:
        """Uids of all operations for which something may be due."""
        return (uid for uid, found in list(self._operations.items()) if isinstance(found, OperationView))

    def versions(self) -> dict[str, int]:
        """The resourceVersion known of each operation, by uid."""
        return {uid: found.resource_version for uid, found in self._operations.items()}

    def place(self, uid: str) -> tuple[str, str] | None:
        """Namespace and name of an operation, resting or not."""
        found = self._operations.get(uid)
        return (found.namespace, found.name) if found else None

    # -- Jobs

    def job_seen(self, body: Mapping[str, Any]) -> bool:
        """Take in a Job; False where no decision depends on the difference."""
        view = JobView.from_body(body)
        uid = view.owner_uid
        if not uid or uid in self._deleted or isinstance(self._operations.get(uid), Resting):
            return False
        old = self._jobs.get(uid)
        if old is not None and old.view.uid == view.uid:
            old.doubtful = False
            if old.gone or old.view.resource_version >= view.resource_version:
                return False
        self._jobs[uid] = _Job(view)
        self._jobless.discard(uid)
        notes = self.notes(uid)
        if view.started != (notes.started_seen is not None):
            # A resumed Job starts afresh, so this is forgotten too.
            self._notes[uid] = replace(notes, started_seen=clock.now() if view.started else None)
        return old is None or not old.view.same_state(view)

    def job_deleted(self, body: Mapping[str, Any]) -> bool:
        """Take in that a Job was watched going; its last state is kept for the outcome."""
        self.job_seen(body)
        view = JobView.from_body(body)
        known = self._jobs.get(view.owner_uid)
        if known is None or known.view.uid != view.uid or known.gone:
            return False
        known.doubtful = True
        return True

    def job_doubtful(self, uid: str) -> None:
        """A list of Jobs lacked this operation's."""
        if uid in self._jobs:
            self._jobs[uid].doubtful = True

    def job_gone(self, uid: str) -> None:
        """The API server was asked and has no Job for this operation."""
        self._jobless.add(uid)
        notes = self.notes(uid)
        if notes.job_gone_seen is None:
            self.note(uid, replace(notes, job_gone_seen=clock.now()))
        if uid in self._jobs:
            self._jobs[uid].gone = True

    def job_versions(self) -> dict[str, tuple[str, int]]:
        """By operation uid: the Job's uid and resourceVersion, of Jobs not known to be gone."""
        return {uid: (job.view.uid, job.view.resource_version) for uid, job in self._jobs.items() if not job.gone}

    # -- memory and decisions

    def notes(self, uid: str) -> Notes:
        """What this process remembers of the operation."""
        return self._notes.get(uid) or _NOTHING

    def note(self, uid: str, notes: Notes) -> None:
        """Remember it, for as long as the operation is not at rest."""
        if self.operation(uid) is not None:
            self._notes[uid] = notes

    def observe(self, uid: str) -> Observed | None:
        """Everything known, for one decision; None where nothing can be due."""
        operation = self.operation(uid)
        if operation is None:
            return None
        job = self._jobs.get(uid)
        gone = job.gone if job else uid in self._jobless
        return Observed(
            operation,
            job.view if job else None,
            job_gone=gone,
            job_doubtful=bool(job and job.doubtful),
            notes=self.notes(uid),
        )

    def _rest(self, uid: str, resting: Resting) -> None:
        self._operations[uid] = resting
        self._forget_work(uid)

    def _forget_work(self, uid: str) -> None:
        self._jobs.pop(uid, None)
        self._notes.pop(uid, None)
        self._jobless.discard(uid)


_NOTHING: Final = Notes()


def _rests(body: Mapping[str, Any]) -> bool:
    """Whether nothing is due until somebody changes the object; read off the raw one: a restart meets thousands."""
    status = section(body, "status")
    if text(status, "promise") in ("", Promise.PENDING):
        return False
    finalizers = section(body, "metadata").get("finalizers") or ()
    return FINALIZER not in finalizers and number(status, "observedGeneration") >= number(
        body, "metadata", "generation"
    )
