"""Callers and other people: what they can do to operations, and what they find out. Their moves are methods.

Nothing here knows how the operator decides. `tests.model.machinery` has the Job controller and the kubelet.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
from collections import Counter
from functools import partial
from typing import Any, Final

from alo_operator.api.names import LABEL_OPERATION_UID, OPERATION_PLURAL, REDELIVER_ANNOTATION, TEMPLATE_PLURAL
from alo_operator.errors import AlreadyExists, BadRequest, Forbidden, NotFound
from tests.model.receivers import Receivers, Temper, callback
from tests.model.reference import Answer, Verb
from tests.support.memory_api import FOREGROUND, MemoryApi

Body = dict[str, Any]

# What defines the work: the schema's rules keep these as they were created.
DEFINING: Final = ("templateRef", "job", "input", "metadata", "timeouts")
NAMESPACE: Final = "media"
TEMPLATE: Final = "resize"
TEMPLATE_SPEC: Final[Body] = {
    "job": {
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "template": {"spec": {"containers": [{"name": "main", "image": "example.test/resize:1"}]}},
        }
    }
}
IMPOSSIBLE_IMAGE: Final = "example.test/no such image"


class World:
    """One namespace. `by_hand` are the uids of Jobs that somebody deleted behind the operator's back."""

    def __init__(self) -> None:
        self.api = MemoryApi()
        self.receivers = Receivers()
        self.quota_full = False
        self.by_hand: set[str] = set()
        self.may_run_twice: set[str] = set()  # operations whose Job was deleted by hand before any status named it
        self.deleted: set[str] = set()  # operations that callers deleted
        self.deleted_in_foreground: set[str] = set()  # operations, so that the garbage collector deletes their Jobs
        self.bothered: set[str] = set()  # operations that somebody did more to than to create them
        self.template_made = False
        self.verbs: Counter[tuple[Verb, Answer]] = Counter()
        self._manifests: dict[str, Body] = {}
        self._numbers = itertools.count(1)

    # -- callers

    def new_name(self) -> str:
        return f"op-{next(self._numbers)}"

    def create(self, name: str, spec: Body) -> Answer:
        """POST, as `kubectl create` does."""
        try:
            self.api.add(OPERATION_PLURAL, {"metadata": {"name": name}, "spec": copy.deepcopy(spec)})
        except AlreadyExists:
            return self._said(Verb.CREATE, Answer.REFUSED)
        self._manifests[name] = spec
        return self._said(Verb.CREATE, Answer.TAKEN)

    def apply_the_same(self, name: str) -> Answer:
        """What a client that lost its answer does: the manifest as it was created, once more."""
        if self.operation(name) is None:
            self.create(name, self._manifests[name])
            return self._said(Verb.APPLY_SAME, Answer.TAKEN)
        return self._said(Verb.APPLY_SAME, self._change(name, copy.deepcopy(self._manifests[name])))

    def says_the_same(self, name: str) -> bool:
        """Whether the record still says all that its manifest does."""
        found = self.operation(name)
        return found is not None and all(
            found["spec"].get(field) == value for field, value in self._manifests[name].items()
        )

    def apply_other_work(self, name: str) -> Answer:
        """Another definition of the work under a name that is taken."""
        other = {"input": {"other": next(self._numbers)}}
        if self.operation(name) is None:
            self.create(name, {**self._manifests[name], **other})
            return self._said(Verb.APPLY_OTHER, Answer.TAKEN)
        return self._said(Verb.APPLY_OTHER, self._change(name, other))

    def cancel(self, name: str) -> Answer:
        return self._said(Verb.CANCEL, self._change(name, {"cancel": {"reason": "withdrawn"}}))

    def pause(self, name: str) -> Answer:
        return self._said(Verb.PAUSE, self._change(name, {"suspend": True}))

    def resume(self, name: str) -> Answer:
        return self._said(Verb.RESUME, self._change(name, {"suspend": False}))

    def subscribes(self, name: str, temper: Temper) -> bool:
        """Whether the receiver of that temper is among the operation's callbacks."""
        found = self.operation(name)
        return found is not None and callback(temper) in found["spec"].get("callbacks", ())

    def subscribe(self, name: str, temper: Temper) -> Answer:
        """One callback more."""
        if self.subscribes(name, temper):
            return self._said(Verb.SUBSCRIBE, Answer.UNCHANGED)
        others = self._callbacks_but(name, temper)
        return self._said(Verb.SUBSCRIBE, self._change(name, {"callbacks": [*others, callback(temper)]}))

    def unsubscribe(self, name: str, temper: Temper) -> Answer:
        """One callback less."""
        others = self._callbacks_but(name, temper)
        return self._said(Verb.UNSUBSCRIBE, self._change(name, {"callbacks": others or None}))

    def tell_again(self, name: str, which: str = "*") -> Answer:
        """Somebody asks that a callback, or all (`*`), be told once more."""
        found = self.operation(name)
        if found is None:
            return self._said(Verb.TELL_AGAIN, Answer.MISSING)
        asked = {REDELIVER_ANNOTATION: f"{which}@{next(self._numbers)}"}
        self.bothered.add(found["metadata"]["uid"])
        self.api.change(OPERATION_PLURAL, name, lambda body: body["metadata"].update(annotations=asked))
        return self._said(Verb.TELL_AGAIN, Answer.TAKEN)

    def edit(self, name: str, ready_when: str) -> None:
        """A caller changes something that may change and asks for nothing."""
        self._change(name, {"readyWhen": ready_when})

    def keep(self, name: str, retention: Body | None) -> Answer:
        """Retention may change at any time; None takes it out."""
        old = self.operation(name)
        return self._change(name, {"retention": retention}) if old else Answer.MISSING

    def delete(self, name: str, policy: str = "Background") -> Answer:
        """DELETE; `policy` Orphan takes the Job's owner away first, as `--cascade=orphan` does."""
        found = self.operation(name)
        if found is None:
            return self._said(Verb.DELETE, Answer.MISSING)
        self.bothered.add(found["metadata"]["uid"])
        self.deleted.add(found["metadata"]["uid"])
        if policy == "Foreground":
            self.deleted_in_foreground.add(found["metadata"]["uid"])
        self.api.remove(OPERATION_PLURAL, name, policy)
        if policy == "Orphan":
            for job in self.jobs_of(found["metadata"]["uid"]):
                self.api.change("jobs", job["metadata"]["name"], _disowned)
        return self._said(Verb.DELETE, Answer.TAKEN)

    # -- others

    def touch(self, uid: str) -> None:
        """Somebody labels the operation: every version known of it is now old."""
        for body in self.every(OPERATION_PLURAL):
            if body["metadata"]["uid"] == uid:
                self.bothered.add(uid)
                name = body["metadata"]["name"]
                labels = {"touched": str(len(self.api.events))}
                self.api.change(OPERATION_PLURAL, name, partial(_label, labels))

    def offer_template(self) -> str:
        """A platform team makes the template, or lets one more of its operations run at once; what it did."""
        found = self.api.objects.get((TEMPLATE_PLURAL, NAMESPACE, TEMPLATE))
        if found is None:
            self.template_made = True
            spec = {**copy.deepcopy(TEMPLATE_SPEC), "concurrency": {"limit": 1}}
            self.api.add(TEMPLATE_PLURAL, {"metadata": {"name": TEMPLATE}, "spec": spec})
            return "template made"
        self.api.change(TEMPLATE_PLURAL, TEMPLATE, _let_one_more_run)
        return "limit raised"

    def take_template_away(self) -> bool:
        """It is deleted; what runs runs on."""
        if (TEMPLATE_PLURAL, NAMESPACE, TEMPLATE) not in self.api.objects:
            return False
        self.api.remove(TEMPLATE_PLURAL, TEMPLATE)
        return True

    @property
    def highest_limit(self) -> int:
        """The highest limit so far."""
        bodies = [body for _, plural, body in self.api.events if plural == TEMPLATE_PLURAL]
        return max((int(body["spec"]["concurrency"]["limit"]) for body in bodies), default=0)

    @property
    def limit(self) -> int:
        """How many operations of the template may have work now; 0: there is no template."""
        found = self.api.objects.get((TEMPLATE_PLURAL, NAMESPACE, TEMPLATE))
        return int(found["spec"]["concurrency"]["limit"]) if found else 0

    def hold(self, name: str) -> None:
        """Somebody puts a finalizer on the operation, and keeps it there."""
        self.api.change(
            OPERATION_PLURAL, name, lambda body: body["metadata"].update(finalizers=["example.test/somebody"])
        )

    def delete_job_by_hand(self, name: str, policy: str) -> bool:
        """Somebody deletes the Job behind the operator's back; Orphan leaves its pods running."""
        found = self.operation(name)
        if found is None:
            return False
        jobs = [job for job in self.jobs_of(self.uid_of(name)) if not job["metadata"].get("deletionTimestamp")]
        for job in jobs:
            meta = job["metadata"]
            self.by_hand.add(meta["uid"])
            self.bothered.add(found["metadata"]["uid"])
            if "job" not in found["status"]:
                self.may_run_twice.add(found["metadata"]["uid"])
            if policy == "Orphan":
                for pod in self.pods_of_job(meta["uid"]):
                    self.api.change("pods", pod["metadata"]["name"], lambda body: body["toy"].update(orphan=True))
            self.api.remove("jobs", meta["name"], policy)
        return bool(jobs)

    # -- the gateway

    def report(self, name: str, pod: Body, value: str | None) -> bool:
        """The gateway writes what a pod hands in, or (None) how far it is; nothing of what is settled."""
        found = self.operation(name)
        if found is None or found["status"]["promise"] != "Pending":
            return False
        uid = pod["metadata"]["uid"]
        taken = found["status"].get("reported")
        if value is not None and taken and taken["attempt"] == uid:
            return False
        if value is None:
            told: Body = {"progress": {"percent": 40, "summary": "40%"}}
        else:
            digest = hashlib.sha256(value.encode()).hexdigest()
            told = {"reported": {"attempt": uid, "value": value, "bytes": len(value), "sha256": digest}}
        self.bothered.add(found["metadata"]["uid"])
        self.api.change(OPERATION_PLURAL, name, lambda body: body["status"].update(told))
        return True

    # -- the API server's admission

    def admit(self, method: str, path: str, body: Any) -> None:
        """What stands before a Job. Raises Forbidden over quota, BadRequest where the pod can never be."""
        if method != "POST" or not path.endswith("/jobs"):
            return
        if body["spec"]["template"]["spec"]["containers"][0].get("image") == IMPOSSIBLE_IMAGE:
            raise BadRequest(422, "Invalid", "spec.template.spec.containers[0].image: Invalid value")
        if self.quota_full:
            raise Forbidden(403, "Forbidden", "exceeded quota: few-jobs")

    # -- what is

    def every(self, plural: str) -> list[Body]:
        """All objects of one kind as they are stored: to be read, and never to be changed."""
        return [body for key, body in self.api.objects.items() if key[0] == plural]

    def operation(self, name: str) -> Body | None:
        return self.api.objects.get((OPERATION_PLURAL, NAMESPACE, name))

    def uid_of(self, name: str) -> str:
        found = self.operation(name)
        return found["metadata"]["uid"] if found else ""

    def jobs_of(self, uid: str) -> list[Body]:
        return [body for body in self.every("jobs") if owner_uid(body) == uid]

    def pods_of(self, uid: str) -> list[Body]:
        return [body for body in self.every("pods") if body["metadata"]["labels"].get(LABEL_OPERATION_UID) == uid]

    def pods_of_job(self, uid: str) -> list[Body]:
        return [body for body in self.every("pods") if body["toy"]["job"] == uid]

    # -- inside

    def _change(self, name: str, changes: Body) -> Answer:
        old = self.operation(name)
        if old is None:
            return Answer.MISSING
        new = {key: value for key, value in {**old["spec"], **changes}.items() if value is not None}
        if any(new.get(field) != old["spec"].get(field) for field in DEFINING):
            return Answer.REFUSED
        if new == old["spec"]:
            return Answer.UNCHANGED
        self.bothered.add(old["metadata"]["uid"])
        try:
            self.api.change(OPERATION_PLURAL, name, lambda body: body.update(spec=new))
        except BadRequest:
            return Answer.REFUSED
        except NotFound:
            return Answer.MISSING
        return Answer.TAKEN

    def _callbacks_but(self, name: str, temper: Temper) -> list[Body]:
        found = self.operation(name)
        callbacks: list[Body] = found["spec"].get("callbacks", []) if found else []
        return [entry for entry in callbacks if entry["name"] != temper]

    def _said(self, verb: Verb, answer: Answer) -> Answer:
        self.verbs[verb, answer] += 1
        return answer


def _let_one_more_run(body: Body) -> None:
    body["spec"]["concurrency"]["limit"] += 1


def _disowned(body: Body) -> None:
    body["metadata"].pop("ownerReferences", None)


def _label(labels: Body, body: Body) -> None:
    body["metadata"].update(labels=labels)


def owner_uid(job: Body) -> str:
    """Whose Job it is by its label, which stays when owner references go."""
    return str(job["metadata"]["labels"].get(LABEL_OPERATION_UID, ""))


def live(pod: Body) -> bool:
    """Whether something of it may still run."""
    return pod["status"]["phase"] in ("Pending", "Running")


def waits_for_dependents(body: Body) -> bool:
    """Whether it is being deleted in the foreground."""
    return FOREGROUND in body["metadata"].get("finalizers", ())
