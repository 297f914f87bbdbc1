"""Waiting on a condition: the only place in the tests that sleeps."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class NotInTime(AssertionError):
    """The condition did not come true in time; the message says what was awaited and what was last seen."""


def wait_for(
    condition: Callable[[], T],
    timeout: float = 30.0,
    describe: str | Callable[[], str] = "the condition",
    interval: float = 0.1,
) -> T:
    """Call `condition` every `interval` seconds until it returns something true, and return that.

    An AssertionError raised by the condition counts as not yet; any other exception passes through. `describe` says
    what is awaited; as a function it is called only at the end and may say what the world looks like.
    Raises NotInTime after `timeout` seconds; the condition is always tried once more at the end.
    """
    deadline = time.monotonic() + timeout
    while True:
        last = time.monotonic() >= deadline
        problem: object
        try:
            found = condition()
        except AssertionError as error:
            problem = error
        else:
            if found:
                return found
            problem = repr(found)
        if last:
            text = describe() if callable(describe) else describe
            raise NotInTime(f"not within {timeout:g} s: {text}; last seen: {problem}")
        time.sleep(interval)


def stays(condition: Callable[[], object], seconds: float, describe: str, interval: float = 0.1) -> None:
    """Demand that `condition` is true from now on for `seconds`. Raises AssertionError at its first lapse."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        assert found, f"did not stay so for {seconds:g} s: {describe}; seen: {found!r}"
        time.sleep(interval)
