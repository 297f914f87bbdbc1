"""Whom to tell of the outcome, when, and when to give up.

The states of one callback of a settled operation, and what each asks for:

    in spec, without an entry of it in status    subscribed: an entry, due at once
    its entry is of another one of that name     the same
    an entry, and no callback of it in spec      unsubscribed: the entry goes
    Pending, due                                 hand it to the sender
    Pending, in the sender's hands               wait for the answer
    Pending, its destination held                wait until that may be asked again; give up when its time is over
    Pending, taken                               Delivered
    Pending, not taken                           counted; due again after the schedule's next step
    Pending, refused for good or schedule over   DeadLettered
    anything, told again on request              Pending, due at once, counted anew
    Pending, the operation being deleted         one last attempt within 30 s; then it is given up

What is sent is always what status says already: written first, told after. An answer that is lost, with the process or
with a write that meets a newer state, is asked for again: at least once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alo_operator.api import limits
from alo_operator.api.conditions import Reason
from alo_operator.api.deliveries import DeliveryError
from alo_operator.api.status import Delivery, DeliveryState, OperationStatus
from alo_operator.delivery.answer import Answer
from alo_operator.delivery.schedule import Schedule
from alo_operator.desired.deadlines import earliest
from alo_operator.desired.observed import Observed, OperationView
from alo_operator.desired.settling import stamp
from alo_operator.desired.steps import PostEvent, SendCallbacks
from alo_operator.desired.subscriptions import due_at_once, subscribed

# Answers that come within this time are written together.
ROUND: Final = timedelta(seconds=1)
# From the deletion, or from the end where that comes later.
LAST_ROUND: Final = timedelta(seconds=30)

_PENDING: Final = DeliveryState.PENDING


@dataclass(frozen=True, slots=True)
class Telling:
    """What is due of an operation's callbacks.

    `status` is the new one where it differs, and takes in `answered`; `lost` tells of those given up. `send` and `wake`
    count once that is written.
    """

    status: OperationStatus
    answered: tuple[Answer, ...] = ()
    lost: tuple[PostEvent, ...] = ()
    send: SendCallbacks | None = None
    wake: datetime | None = None


def tell(observed: Observed, status: OperationStatus, now: datetime, schedule: Schedule) -> Telling:
    """What is due of the callbacks of a settled operation; `status` is what is to be written otherwise."""
    operation, notes = observed.operation, observed.notes
    if not operation.deleting and (entries := subscribed(operation, stamp(now))) != status.deliveries:
        status = status.model_copy(update={"deliveries": entries})
    if not status.deliveries or (operation.spec is None and not operation.deleting):
        return Telling(status)  # nobody is to be told, or only a newer version knows where
    status = _told_again(operation, status, now)
    waiting = {(entry.name, entry.target) for entry in status.deliveries if entry.state is _PENDING}
    answers = tuple(answer for answer in notes.answers if (answer.callback, answer.target) in waiting)
    sending = notes.sending & {name for name, _ in waiting}
    due = earliest(*(answer.time + ROUND for answer in answers)) if sending else None
    if answers and (due is None or now >= due):
        status = _answered(operation, status, answers, now, schedule)
        answers, due = (), None
        answered = notes.answers
    else:
        answered = ()
    if operation.deleting:
        return _last_round(observed, status, answered, due, now)
    quiet = sending | {answer.callback for answer in answers}
    status = _expired(observed, status, quiet, now, schedule)
    held = {name: until for name, until in notes.held if until > now}
    at_rest = [entry for entry in status.deliveries if entry.state is _PENDING and entry.name not in quiet]
    moments = {entry.name: max(entry.next_attempt_time or now, held.get(entry.name, now)) for entry in at_rest}
    names = tuple(name for name, moment in moments.items() if moment <= now)
    return Telling(
        status,
        answered,
        _given_up(operation.status, status, Reason.DELIVERY_FAILED),
        SendCallbacks(names) if names else None,
        earliest(due, *(moment for moment in moments.values() if moment > now)),
    )


def _last_round(
    observed: Observed, status: OperationStatus, answered: tuple[Answer, ...], due: datetime | None, now: datetime
) -> Telling:
    operation, notes = observed.operation, observed.notes
    assert operation.deleting
    deadline = max(operation.deleting, status.completion_time or operation.deleting) + LAST_ROUND
    # Whatever was answered since the deletion was the last attempt: no two clocks are compared for that.
    heard = {answer.callback for answer in answered}
    unheard = {answer.callback for answer in notes.answers} - heard
    held = dict(notes.held)
    entries, names, waits = [], [], False
    for entry in status.deliveries:
        entries.append(entry)
        if entry.state is not _PENDING:
            continue
        if now >= deadline or operation.spec is None or entry.name in heard:
            said = entry.last_error or f"{DeliveryError.TIMEOUT}: no attempt was answered in time"
            entries[-1] = _ended(entry, DeliveryState.DEAD_LETTERED, f"{said}; given up with the deleted operation")
        elif entry.name in notes.sending or entry.name in unheard:
            waits = True
        elif held.get(entry.name, now) > now:
            waits, due = True, earliest(due, held[entry.name])
        else:
            names.append(entry.name)
    new = status.model_copy(update={"deliveries": tuple(entries)})
    return Telling(
        new,
        answered,
        _given_up(operation.status, new, Reason.DELIVERY_DROPPED),
        SendCallbacks(tuple(names), last=True, deadline=deadline) if names else None,
        earliest(due, deadline) if waits or names else None,
    )


def _told_again(operation: OperationView, status: OperationStatus, now: datetime) -> OperationStatus:
    """`status` with what the annotation asks for, once for each value of it."""
    asked = operation.redeliver
    if not asked or asked == status.redelivery or operation.deleting:
        return status
    names = {name.strip() for name in asked.partition("@")[0].split(",")}
    everybody = "*" in names
    status = _each(
        status,
        lambda entry: due_at_once(entry.name, entry.target, stamp(now)) if everybody or entry.name in names else entry,
    )
    return status.model_copy(update={"redelivery": asked})


def _answered(
    operation: OperationView, status: OperationStatus, answers: Iterable[Answer], now: datetime, schedule: Schedule
) -> OperationStatus:
    found = {answer.callback: answer for answer in answers}

    def after(entry: Delivery) -> Delivery:
        if entry.state is not _PENDING or entry.name not in found:
            return entry
        return _after(entry, found[entry.name], f"{operation.uid}/{entry.name}", now, schedule)

    return _each(status, after)


def _after(entry: Delivery, answer: Answer, seed: str, now: datetime, schedule: Schedule) -> Delivery:
    entry = entry.model_copy(
        update={
            "attempts": entry.attempts + 1,
            "last_attempt_time": stamp(answer.time),
            "last_status": answer.status,
            "last_error": limits.clip(answer.error, limits.DELIVERY_ERROR) or None,
        }
    )
    if answer.delivered:
        return _ended(entry, DeliveryState.DELIVERED, None)
    pause = None if answer.final else schedule.delay(entry.attempts, seed, answer.retry_after)
    if pause is None:
        return _ended(entry, DeliveryState.DEAD_LETTERED, entry.last_error)
    return entry.model_copy(update={"next_attempt_time": stamp(now + pause + timedelta(seconds=1))})


def _expired(
    observed: Observed, status: OperationStatus, quiet: Iterable[str], now: datetime, schedule: Schedule
) -> OperationStatus:
    """`status`, in which those are given up whose destination was down for longer than all attempts would have taken.

    Only of what is held for that reason, and only for the time that it was seen down: whatever was due while no
    operator ran gets its attempt.
    """
    held = {name for name, until in observed.notes.held if until > now} - set(quiet)
    down = {name: since for name, since in observed.notes.down if name in held}

    said = f"{DeliveryError.DESTINATION_FAILED}: it failed for others so often that this one was not tried any more"

    def unless_over(entry: Delivery) -> Delivery:
        if entry.state is not _PENDING or entry.name not in down:
            return entry
        since = max(entry.next_attempt_time or now, down[entry.name])
        if now < since + schedule.remaining(entry.attempts):
            return entry
        return _ended(entry, DeliveryState.DEAD_LETTERED, entry.last_error or said)

    return _each(status, unless_over)


def _each(status: OperationStatus, change: Callable[[Delivery], Delivery]) -> OperationStatus:
    return status.model_copy(update={"deliveries": tuple(map(change, status.deliveries))})


def _ended(entry: Delivery, state: DeliveryState, error: str | None) -> Delivery:
    said = limits.clip(error, limits.DELIVERY_ERROR) if error else None
    return entry.model_copy(update={"state": state, "next_attempt_time": None, "last_error": said})


def _given_up(old: OperationStatus, new: OperationStatus, reason: Reason) -> tuple[PostEvent, ...]:
    """An Event for each callback that is not going to be told."""
    before = {(entry.name, entry.target) for entry in old.deliveries if entry.state is DeliveryState.DEAD_LETTERED}
    return tuple(
        PostEvent(
            warning=True,
            reason=reason,
            message=f"callback {entry.name} was not told after {entry.attempts} attempts: {entry.last_error}",
            about=f"{entry.name}/{new.redelivery or ''}",
        )
        for entry in new.deliveries
        if entry.state is DeliveryState.DEAD_LETTERED and (entry.name, entry.target) not in before
    )
