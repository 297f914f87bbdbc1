import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

EVERY_SECONDS = 15.0


def say(text: str) -> None:
    """Print a line of progress. It goes to standard error, so that `env` and `up` can be used in scripts."""
    print(f"[cluster] {text}", file=sys.stderr, flush=True)


@contextmanager
def step(text: str, *, quiet_below: float = 0.0) -> Generator[None, None, None]:
    """Say what is being done, every 15 s that it still is, and how long it took.

    Below `quiet_below` seconds nothing but a failure is said.
    """
    began = time.monotonic()
    over = threading.Event()
    if not quiet_below:
        say(f"{text} ...")

    def remind() -> None:
        while not over.wait(EVERY_SECONDS):
            say(f"{text}: {time.monotonic() - began:.0f} s so far")

    reminder = threading.Thread(target=remind, daemon=True)
    reminder.start()
    try:
        yield
    except BaseException:
        say(f"{text}: failed after {time.monotonic() - began:.1f} s")
        raise
    finally:
        over.set()
        reminder.join()
    took = time.monotonic() - began
    if took >= quiet_below:
        say(f"{text}: done in {took:.1f} s")
