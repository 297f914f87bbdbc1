"""An operation that is to be told of, and what is decided about its deliveries."""

from datetime import timedelta

from alo_operator.delivery.answer import Answer
from alo_operator.delivery.schedule import Schedule
from alo_operator.desired.observed import Notes
from alo_operator.desired.plan import plan
from alo_operator.desired.settings import Settings
from alo_operator.desired.subscriptions import target_of
from tests.support.builders import at, make_observed, make_operation
from tests.support.plans import written

END = 60  # when `settled()` says that it ended
QUICK = Settings(schedule=Schedule((timedelta(seconds=10), timedelta(seconds=100))), retention_job=None)


def callback(name, path=""):
    return {"name": name, "url": f"https://{name}.example/{path}", "format": "CloudEvents"}


def settled(*names, **entries):
    """An operation that has ended, subscribed to by `names`; `entries`: fields of their deliveries in status."""
    operation = make_operation().settled().with_finalizer().spec(callbacks=[callback(name) for name in names])
    found = operation.view().spec.callbacks
    return operation.status(
        deliveries=[
            {"name": one.name, "state": "Pending", "target": target_of(one), **entries.get(one.name, {})}
            for one in found
        ]
    )


def answer(operation, name, began=END, **fields):
    entry = next(entry for entry in operation.view().status.deliveries if entry.name == name)
    return Answer(name, entry.target, at(began), **fields)


def decide(operation, now=END, **notes):
    return plan(make_observed(operation, notes=Notes(**notes), job_gone=True), at(now), QUICK)


def entries(decided):
    return {entry.name: entry for entry in written(decided).deliveries}


def states(decided):
    return {name: entry.state.value for name, entry in entries(decided).items()}
