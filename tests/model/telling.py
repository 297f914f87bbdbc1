"""What must be true of callbacks at every moment: at each message that goes out, each change of status, and at rest."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from alo_operator.api.names import FINALIZER, REDELIVER_ANNOTATION
from alo_operator.effects import clock
from tests.model.receivers import Message, Receivers, Temper, origin_of

Body = dict[str, Any]

SCHEDULE: Final = "2s,5s,20s,70s"
ATTEMPTS: Final = 5
OPENS: Final = 5  # failures in a row after which a destination is left alone
LAST_ROUND: Final = timedelta(seconds=30)
SLACK: Final = timedelta(seconds=15)
SAID: Final = ("promise", "phase", "startTime", "completionTime", "result", "failure", "attempts")
ENDED: Final = ("Delivered", "DeadLettered")


class TellingLaws:
    """Reads what happens to deliveries. Raises AssertionError where a law is broken.

    1. Written first, told after: whatever is sent is what the API server has on record, and the same at each attempt.
    2. Nobody is told who unsubscribed before the end.
    3. Delivered is only what was taken; what is dead-lettered was refused for good, tried as often as the schedule
       says, or held back by a destination that failed again and again.
    4. No record goes while somebody is to be told: not by retention, and after a deletion only once everybody had an
       attempt, or half a minute.
    5. At rest all who subscribe are told, or given up, and whoever asked to be told again was.

    `last` is the status of each operation as last written.
    """

    def __init__(self, receivers: Receivers, deleted: set[str], last: Mapping[str, Body]) -> None:
        self._receivers, self._deleted, self._last = receivers, deleted, last
        self._known: defaultdict[str, dict[tuple[str, str], Body]] = defaultdict(dict)  # callbacks since the end
        self._bodies: dict[tuple[str, str], Body] = {}
        self._told: Counter[tuple[str, str]] = Counter()  # how often an entry became Delivered, by uid and callback
        self._sent_to: Counter[tuple[str, str]] = Counter()  # by uid and callback
        self.set_back = False
        self.seen: Counter[str] = Counter()

    # -- messages

    def posted(self, message: Message) -> None:
        """A message goes out: laws 1 and 2."""
        uid, data = message.uid, message.data
        status = self._last[uid]
        assert status["promise"] != "Pending", f"told before the end was on record: {data}"
        differs = {field for field in SAID if data.get(field) != status.get(field)}
        assert not differs, f"{data} is told, but {status} is on record"
        known = {key for key in self._known[uid] if key[1] == message.url}
        assert known, f"{message.url} is told, and did not subscribe"
        name = known.pop()[0]
        assert message.id == f"{uid}_{name}_{status['phase'].lower()}", message.id
        assert message.signed == (name == Temper.SIGNED), f"{name} is told with or without a signature"
        self._sent_to[uid, name] += 1
        self._receivers.sent[message.key] += 1
        body = json.loads(message.body)
        before = self._bodies.setdefault(message.key, body)
        assert body == before, f"another message under the same id: {body} after {before}"

    # -- status

    def operation(self, kind: str, body: Body, before: Body) -> None:
        """An operation has changed; `before` is its status until then: laws 3 and 4."""
        uid, status, meta = body["metadata"]["uid"], body["status"], body["metadata"]
        entries = status.get("deliveries", [])
        if status["promise"] == "Pending":
            assert not entries, f"deliveries before the end: {entries}"
            return
        callbacks = {(entry["name"], entry["url"]): entry for entry in body["spec"].get("callbacks", ())}
        self._known[uid] |= callbacks
        old = {entry["name"]: entry for entry in before.get("deliveries", ())}
        for entry in entries:
            if entry["state"] in ENDED and old.get(entry["name"], {}).get("state") != entry["state"]:
                self._ended(body, entry)
        if status.get("redelivery") != before.get("redelivery"):
            self.seen["told again"] += 1
        going = kind == "DELETED" or bool(meta.get("deletionTimestamp"))
        if going and uid not in self._deleted:
            missing = {name for name, _ in callbacks} - {entry["name"] for entry in entries}
            assert not missing, f"{meta['name']} is let go before {missing} are told"
        if kind == "DELETED":
            waiting = [entry["name"] for entry in entries if entry["state"] not in ENDED]
            assert not waiting, f"{meta['name']} went before {waiting} were told"

    def _ended(self, body: Body, entry: Body) -> None:
        uid, name, status = body["metadata"]["uid"], entry["name"], body["status"]
        identity = f"{uid}_{name}_{status['phase'].lower()}"
        keys = [(identity, url) for known, url in self._known[uid] if known == name]
        where = f"{name} of {body['metadata']['name']}: {entry}"
        self.seen[entry["state"]] += 1
        if entry["state"] == "Delivered":
            self._told[uid, name] += 1
            taken = sum(self._receivers.taken[key] for key in keys)
            assert taken >= self._told[uid, name], f"taken {taken} times only: {where}"
            return
        error, deleting = entry.get("lastError", ""), body["metadata"].get("deletionTimestamp")
        failed = sum(self._receivers.failed[key] for key in keys)
        if "given up" in error:
            assert deleting, f"given up, and nobody deletes it: {where}"
            since = max(_time(deleting), _time(status["completionTime"]))
            tried = self._sent_to[uid, name] or clock.now() >= since + LAST_ROUND or self.set_back
            assert tried, f"given up without an attempt: {where}"
            self.seen["given up"] += 1
        elif error.startswith("Gone"):
            assert name == Temper.GONE, where
            self.seen["gone"] += 1
        elif failed < ATTEMPTS:
            assert max(self._receivers.failures[origin_of(url)] for _, url in keys) >= OPENS, f"too soon: {where}"
            self.seen["held back for good"] += 1
        else:
            self.seen["tried in vain"] += 1

    # -- at rest

    def hold_deletions(self, operations: list[Body], led_since: datetime | None) -> None:
        """Law 4: an operator that leads lets go of what is deleted within half a minute of its end."""
        if led_since is None or self.set_back:
            return
        for body in operations:
            meta, status = body["metadata"], body["status"]
            if (
                status["promise"] == "Pending"
                or not meta.get("deletionTimestamp")
                or FINALIZER not in meta["finalizers"]
            ):
                continue
            since = max(_time(meta["deletionTimestamp"]), _time(status["completionTime"]), led_since)
            late = clock.now() - since - LAST_ROUND
            assert late < SLACK, f"{meta['name']} should be gone since {late}: {status}"

    def hold_when_caught_up(self, body: Body) -> None:
        """Law 5, as far as it asks for no time."""
        spec, status, meta = body["spec"], body["status"], body["metadata"]
        entries = status.get("deliveries", [])
        wanted = sorted(entry["name"] for entry in spec.get("callbacks", ()))
        where = f"{meta['name']}: {wanted}, {status}"
        if meta.get("deletionTimestamp"):
            return
        assert sorted(entry["name"] for entry in entries) == wanted, f"deliveries do not follow: {where}"
        asked = meta.get("annotations", {}).get(REDELIVER_ANNOTATION)
        assert not asked or not entries or status.get("redelivery") == asked, f"not told again: {where}"
        if not all_told(body):
            assert FINALIZER in meta.get("finalizers", ()), f"no finalizer while somebody is to be told: {where}"

    def waiting(self, body: Body) -> list[Body]:
        """The deliveries of an operation that are to be over, given time.

        Where the clock was set back, what was to be sent again waits until it shows that time once more.
        """
        waiting = [entry for entry in body["status"].get("deliveries", ()) if entry["state"] not in ENDED]
        return [each for each in waiting if not self.set_back or _time(each["nextAttemptTime"]) <= clock.now()]

    def hold_at_rest(self, body: Body) -> None:
        """Law 5."""
        self.hold_when_caught_up(body)
        waiting = self.waiting(body)
        assert not waiting, f"{body['metadata']['name']}: never told: {waiting}"


def all_told(body: Body) -> bool:
    """Whether every delivery of an operation is over."""
    return all(entry["state"] in ENDED for entry in body["status"].get("deliveries", ()))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
