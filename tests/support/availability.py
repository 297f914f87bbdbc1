"""Operations that keep coming while operators die: what became of each, and how long nobody took new ones on."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self

from tests.support.api import Api, ApiError
from tests.support.audit import OPERATOR_USER, AuditLog, operation_of, owners_of
from tests.support.histories import CUT_OFF, moment
from tests.support.waiting import wait_for

Object = dict[str, Any]

AHEAD = 12


class Stream:
    """Makes an operation every `pause` seconds in a thread of its own, from entering to leaving the context.

    `manifest` gives the operation for a name. Where no answer comes it asks again, which the name makes safe. `AHEAD`
    operations more than anybody asked for it waits, so that a slow machine is not buried while something starts on it.
    """

    def __init__(self, kubeconfig: Path, namespace: str, manifest: Callable[[str], Object], pause: float) -> None:
        self.kubeconfig, self.namespace, self.manifest, self.pause = kubeconfig, namespace, manifest, pause
        self.names: list[str] = []
        self._most = AHEAD
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the stream could not make its last operation within a minute"

    def more(self, count: int, timeout: float = 60.0) -> None:
        """Return when that many more operations have been made."""
        wanted = len(self.names) + count
        self._most = wanted + AHEAD
        wait_for(lambda: len(self.names) >= wanted, timeout, lambda: f"{wanted} operations, {len(self.names)} so far")

    def _run(self) -> None:
        client = Api(self.kubeconfig)
        try:
            while not self._end.is_set():
                name = f"op-{len(self.names):03d}"
                if len(self.names) < self._most and self._made(client, name):
                    self.names.append(name)
                self._end.wait(self.pause)
        finally:
            client.close()

    def _made(self, client: Api, name: str) -> bool:
        try:
            client.create("asyncoperations", self.manifest(name), self.namespace)
        except ApiError as problem:
            return problem.status == 409  # it had been made, and only the answer was lost
        except (OSError, HTTPException):
            return False
        return True


@dataclass(frozen=True)
class Taken:
    """One operation as the audit log shows it: when it was made, and when its Job was."""

    name: str
    asked: datetime
    begun: datetime

    @property
    def waited(self) -> float:
        """Seconds from the one to the other."""
        return (self.begun - self.asked).total_seconds()


def taken(audit: AuditLog, api: Api, namespace: str, names: list[str]) -> list[Taken]:
    """Demand that each operation got exactly one Job, and tell when.

    An operation one of whose requests was cut off (504 in the log, whatever became of it) has its time missing here.
    """
    owners = owners_of(api.list("jobs", namespace))
    assert sorted(owners.values()) == sorted(names), "one Job for each operation and no other"
    asked = {
        request.name: moment(request.time)
        for request in audit.requests(verb="create", resource="asyncoperations", namespace=namespace)
        if request.code == 201
    }
    ordered = sorted(names, key=len, reverse=True)
    begun: dict[str, list[datetime]] = {}
    for request in audit.requests(user=OPERATOR_USER, verb="create", resource="jobs", namespace=namespace):
        assert request.code in (201, 409, CUT_OFF), str(request)
        if request.code == 201:
            begun.setdefault(operation_of(request, ordered, owners), []).append(moment(request.time))
    assert {name: times for name, times in begun.items() if len(times) != 1} == {}, "more than one Job was made"
    return [Taken(name, asked[name], begun[name][0]) for name in names if name in asked and name in begun]


def figures(found: list[Taken]) -> str:
    """How long operations waited for their Job: the worst, and half of them."""
    waits = sorted(one.waited for one in found)
    half = waits[len(waits) // 2]
    return f"{len(waits)} operations; longest wait for a Job {waits[-1]:.1f} s, half of them at most {half:.2f} s"


def random_length(dice: random.Random, longest: float) -> float:
    """Seconds of work: a third none."""
    return dice.choice([0.0, round(dice.uniform(0, longest), 2), round(dice.uniform(0, longest), 2)])
