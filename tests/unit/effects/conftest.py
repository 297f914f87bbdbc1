"""One operation on an API server in memory, for the tests of what reads and writes it."""

import pytest

from alo_operator.api.phases import Phase
from alo_operator.controller.cache import Cache
from alo_operator.desired.job import build_job
from alo_operator.desired.steps import AddFinalizer, CreateJob, WriteStatus
from alo_operator.effects.apply import Applier
from alo_operator.effects.gather import Gatherer
from alo_operator.effects.writer import Writer
from tests.support.builders import make_operation
from tests.support.deaf import DeafListener, MuteSender
from tests.support.memory_api import MemoryApi


class Place:
    """One operation on one API server, known to one operator."""

    def __init__(self, clock):
        self.clock, self.api, self.cache = clock, MemoryApi(), Cache()
        self.lease = 10.0
        self.sender = MuteSender(self.cache)
        self.applier = Applier(
            self.api, Writer(self.api, lambda: self.lease), self.cache, DeafListener(self.api, self.cache), self.sender
        )
        self.gatherer = Gatherer(self.api, self.cache)
        self.uid = self.api.add("asyncoperations", make_operation().body())["metadata"]["uid"]
        self.learn()

    def learn(self):
        self.cache.operation_seen(self.stored())

    @property
    def view(self):
        return self.cache.operation(self.uid)

    def stored(self):
        return self.api.find("asyncoperations", "resize")

    def job(self):
        return next(self.api.every("jobs"), None)

    def apply(self, *steps):
        self.clock.run(self.applier.apply(self.view, steps))

    def start(self):
        self.apply(AddFinalizer(), CreateJob(build_job(self.view)))

    def running(self):
        status = self.view.status.model_copy(update={"phase": Phase.RUNNING, "observed_generation": 1})
        return WriteStatus(status)

    def refuse(self, error, method="POST"):
        def before(asked, path):
            if asked == method:
                raise error

        self.api.before = before


@pytest.fixture
def place(clock):
    """An operation that one operator knows and has not started."""
    return Place(clock)
