"""What this replica knows: slim views, fed by events and by the answers to its own reads and writes.

A view gives way only to a higher resourceVersion of the same uid, and a uid once seen deleted stays deleted, so late,
repeated or reordered events can do no harm. Operations that rest (settled, nothing due yet) shrink to a few words; one
whose time has come is read again, whole, and goes back to rest after its pass.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from alo_operator.controller.resting import Resting, has_time, rests
from alo_operator.controller.templates import Templates
from alo_operator.controller.turns import Turns
from alo_operator.desired.fields import text
from alo_operator.desired.job import job_name_known
from alo_operator.desired.job_view import JobView
from alo_operator.desired.observed import Notes, Observed, OperationView
from alo_operator.desired.retention import Due, Keeping
from alo_operator.desired.settings import DEFAULTS, Settings
from alo_operator.effects import clock

_REMEMBERED_DELETIONS: Final = 20_000


@dataclass(slots=True)
class _Job:
    view: JobView
    gone: bool = False  # the API server has been asked and has it no more
    doubtful: bool = False  # a watch told of its end, which a lost label would look like too


class Cache:
    """Operations by uid, Jobs by their operation's uid, templates; satisfies `effects.records.Records`.

    `wake` is called with the uid of each operation that may go on because of a template or another operation of it.
    """

    def __init__(self, settings: Settings = DEFAULTS, wake: Callable[[str, bool], None] = lambda *_: None) -> None:
        self._settings = settings
        self.turns = Turns(wake)
        self.templates = Templates(self.turns, wake)
        self._operations: dict[str, OperationView | Resting] = {}
        self._jobs: dict[str, _Job] = {}
        self._jobless: set[str] = set()  # operations the API server was asked about and has no Job for
        self._awake: dict[str, bool] = {}  # operations that have rested before, and whether they had a Job then
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
        if rests(body, clock.now()):
            self._rest(uid, body, version)
            return not isinstance(old, Resting)
        if isinstance(old, Resting):
            self._awake[uid] = old.job
        view = OperationView.from_body(body)
        self.turns.seen(view, working=uid in self._jobs)
        # The spec is needed until the Job exists and the digest is in status; sooner would cost a read.
        self._operations[uid] = view.slim() if view.status.spec_digest and uid in self._jobs else view
        return True

    def operation_revived(self, body: Mapping[str, Any]) -> None:
        """Take in an operation that rested and has something due, whole; `rest` ends this."""
        view = OperationView.from_body(body)
        old = self._operations.get(view.uid)
        if isinstance(old, Resting) and view.resource_version >= old.resource_version:
            self._awake[view.uid] = old.job
            self._operations[view.uid] = view.slim()

    def rest(self, view: OperationView, wake: datetime | None) -> None:
        """Nothing is due of `view` until `wake`: to rest, if it has rested before or only waits for callbacks' time."""
        telling = view.settled and view.keeping.telling
        if self._operations.get(view.uid) is not view or not (telling or view.uid in self._awake):
            return
        if telling and (view.deleting or self.notes(view.uid).sending or not has_time(wake, clock.now())):
            return
        job, due = self._has_job(view.uid), self._due(view.keeping)
        # What is due before `wake` has been looked into, and nothing can be done about it.
        if job and due.job and not (wake and wake <= due.job):
            due = due._replace(job=None)
        if due.record and not (wake and wake <= due.record):
            due = due._replace(record=None)
        if telling:
            due = due._replace(telling=wake)
        self._forget_work(view.uid)
        place = view.namespace, view.name
        self._operations[view.uid] = Resting.of(place, view.resource_version, job, due)

    def due(self, uid: str) -> int | None:
        """When something is due of an operation that rests, in seconds since 1970; None: never, or it does not rest."""
        found = self._operations.get(uid)
        return found.due if isinstance(found, Resting) else None

    def resting(self) -> Iterator[tuple[str, int]]:
        """Uid and moment of all operations that rest and of which something will be due."""
        for uid, found in list(self._operations.items()):
            if isinstance(found, Resting) and (due := found.due) is not None:
                yield uid, due

    def operation_gone(self, uid: str) -> None:
        """Forget an operation for good."""
        self._operations.pop(uid, None)
        self.turns.left(uid)
        self._forget_work(uid)
        self._deleted[uid] = None
        while len(self._deleted) > _REMEMBERED_DELETIONS:
            self._deleted.popitem(last=False)

    def unsettled(self) -> Iterator[str]:
        """Uids of all operations for which something may be due."""
        return (uid for uid, found in list(self._operations.items()) if isinstance(found, OperationView))

    def heard_of(self, uid: str) -> bool:
        """Whether this operation was told of, be it that it is gone."""
        return uid in self._operations or uid in self._deleted

    def versions(self) -> dict[str, int]:
        """The resourceVersion known of each operation, by uid."""
        return {uid: found.resource_version for uid, found in self._operations.items()}

    def version(self, uid: str) -> int:
        """The resourceVersion known of one operation; -1 where none is."""
        found = self._operations.get(uid)
        return found.resource_version if found else -1

    def place(self, uid: str) -> tuple[str, str] | None:
        """Namespace and name of an operation, resting or not."""
        found = self._operations.get(uid)
        return (found.namespace, found.name) if found else None

    # -- Jobs

    def job_seen(self, view: JobView) -> bool:
        """Take in a Job; False where no decision depends on the difference."""
        uid = view.owner_uid
        if not uid or uid in self._deleted or self._claims_falsely(view):
            return False
        if isinstance(self._operations.get(uid), Resting):
            return self._job_of_resting(uid, there=view.deleting is None)
        old = self._jobs.get(uid)
        if old is not None and old.view.uid == view.uid:
            old.doubtful = False
            if old.gone or old.view.resource_version >= view.resource_version:
                return False
        self._jobs[uid] = _Job(view)
        self._jobless.discard(uid)
        self.turns.working(uid)
        notes = self.notes(uid)
        if view.started != (notes.started_seen is not None):
            # A resumed Job starts afresh, so this is forgotten too.
            self._notes[uid] = replace(notes, started_seen=clock.now() if view.started else None)
        return old is None or old.view != view

    def job_deleted(self, view: JobView) -> bool:
        """Take in that a Job was watched going; its last state is kept for the outcome."""
        if isinstance(self._operations.get(view.owner_uid), Resting):
            self._job_of_resting(view.owner_uid, there=False)
            return False
        self.job_seen(view)
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

    def jobs_listed(self, owners: AbstractSet[str]) -> None:
        """All Jobs there are belong to these operations, as far as they rest."""
        for uid, found in list(self._operations.items()):
            if isinstance(found, Resting) and found.job != (uid in owners):
                self._job_of_resting(uid, there=uid in owners)

    def job_versions(self) -> dict[str, tuple[str, int]]:
        """By operation uid: the Job's uid and resourceVersion, of Jobs not known to be gone."""
        return {uid: (job.view.uid, job.view.resource_version) for uid, job in self._jobs.items() if not job.gone}

    def job_version(self, uid: str) -> tuple[str, int]:
        """The same of one operation's Job; "" and -1 where none is known, or it is gone."""
        job = self._jobs.get(uid)
        return (job.view.uid, job.view.resource_version) if job and not job.gone else ("", -1)

    # -- templates

    def template_seen(self, body: Mapping[str, Any]) -> bool:
        """Take in a template; False for what is already known."""
        return self.templates.seen(body)

    def take_turn(self, uid: str) -> bool:
        """Whether the operation may have work now, as far as its template's limit goes."""
        return self.turns.take(uid)

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
        if (job := self._jobs.get(uid)) and self._claims_falsely(job.view):
            job = None  # seen before its operation was; the real one is asked for by its name
            del self._jobs[uid]
        gone = job.gone if job else uid in self._jobless or not self._awake.get(uid, True)
        return Observed(
            operation,
            job.view if job else None,
            job_gone=gone,
            job_doubtful=bool(job and job.doubtful),
            notes=self.notes(uid),
            template=self.templates.of(operation),
        )

    def _rest(self, uid: str, body: Mapping[str, Any], version: int) -> None:
        place = text(body, "metadata", "namespace"), text(body, "metadata", "name")
        due = self._due(Keeping.from_body(body))
        self._operations[uid] = Resting.of(place, version, self._has_job(uid), due)
        self.turns.left(uid)
        self._forget_work(uid)

    def _claims_falsely(self, view: JobView) -> bool:
        """Whether a Job says that it is an operation's, but has not the one name which that operation's Job has."""
        operation = self.operation(view.owner_uid)
        return operation is not None and view.name != job_name_known(operation)

    def _due(self, keeping: Keeping) -> Due:
        return keeping.due(self._settings)

    def _has_job(self, uid: str) -> bool:
        if isinstance(found := self._operations.get(uid), Resting):
            return found.job
        if job := self._jobs.get(uid):
            return not job.gone and job.view.deleting is None
        return self._awake.get(uid, False) and uid not in self._jobless

    def _job_of_resting(self, uid: str, *, there: bool) -> bool:
        """Note whether an operation that rests has a Job; whether that is news."""
        found = self._operations[uid]
        assert isinstance(found, Resting)
        if found.job == there:
            return False
        self._operations[uid] = found._replace(job=there)
        return there

    def _forget_work(self, uid: str) -> None:
        self._awake.pop(uid, None)
        self._jobs.pop(uid, None)
        self._notes.pop(uid, None)
        self._jobless.discard(uid)


_NOTHING: Final = Notes()
