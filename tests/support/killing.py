"""Ending an operator at a chosen or at a random moment, and what the audit log shows of that moment."""

import os
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from pathlib import Path

from tests.support.audit import OPERATOR_USER, Request, parse
from tests.support.histories import Death, now
from tests.support.operator_process import OperatorProcess
from tests.support.waiting import wait_for

SEED_VARIABLE = "ALO_SEED"
# Requests that a process had sent may still be answered just after its end, but long before a new one can write.
IN_FLIGHT = timedelta(milliseconds=200)


def dice() -> random.Random:
    """A source of random moments; its seed is printed, and taken from ALO_SEED where that is set."""
    seed = os.environ.get(SEED_VARIABLE) or secrets.token_hex(4)
    print(f"random moments from {SEED_VARIABLE}={seed}")
    return random.Random(seed)


class Tail:
    """The operator's accepted writes as they appear at the end of the audit log."""

    def __init__(self, log: Path, namespace: str) -> None:
        self.log, self.namespace = log, namespace
        self.offset = log.stat().st_size

    def fresh(self) -> Iterator[Request]:
        """The writes since the last call."""
        with self.log.open("rb") as log:
            log.seek(self.offset)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self.offset += len(whole)
        for line in whole.splitlines():
            # Most lines are other people's: look before parsing.
            if OPERATOR_USER.encode() not in line or self.namespace.encode() not in line:
                continue
            request = parse(line.decode())
            if request and request.is_write and request.code < 300 and request.namespace == self.namespace:
                yield request


def write_of(names: Collection[str], resource: str, subresource: str = "", nth: int = 1) -> Callable[[Request], bool]:
    """A condition for `kill_upon`: one of these operations gets its nth write of this kind, counted from here on."""
    seen: Counter[str] = Counter()

    def wanted(request: Request) -> bool:
        whose = request.name if request.resource == "asyncoperations" else request.name.rpartition("-")[0]
        if (request.resource, request.subresource) != (resource, subresource) or whose not in names:
            return False
        seen[whose] += 1
        return seen[whose] == nth

    return wanted


def kill(operator: OperatorProcess) -> Death:
    """SIGKILL, now."""
    operator.kill()
    dead = now()
    return Death(dead, dead + IN_FLIGHT)


def pass_time(seconds: float) -> None:
    """Return at a random moment that somebody has drawn; never a stand-in for a condition."""
    until = time.monotonic() + seconds
    wait_for(lambda: time.monotonic() >= until, seconds + 5, "the random moment", interval=0.01)


def kill_after(operator: OperatorProcess, seconds: float) -> Death:
    """SIGKILL after some seconds."""
    pass_time(seconds)
    return kill(operator)


def kill_upon(operator: OperatorProcess, tail: Tail, wanted: Callable[[Request], bool], timeout: float = 30.0) -> Death:
    """SIGKILL as soon as the log shows a write that is `wanted`, or after `timeout` seconds."""
    until = time.monotonic() + timeout
    wait_for(
        lambda: any(wanted(request) for request in tail.fresh()) or time.monotonic() >= until,
        timeout + 5,
        "the operator writes something",
        interval=0.004,
    )
    return kill(operator)
