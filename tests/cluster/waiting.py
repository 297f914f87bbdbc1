import time
from collections.abc import Callable

from tests.cluster.errors import ClusterError

PAUSE_SECONDS = 0.05


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str, explain: Callable[[], str] = str) -> None:
    """Ask `condition` again and again until it is true.

    Raises ClusterError naming `what` after `seconds`, with the words of `explain()` behind it; errors of
    `condition` pass through.
    """
    if not becomes_true(condition, seconds=seconds):
        raise ClusterError(f"{what}: not within {seconds:g} s. {explain()}".rstrip())


def becomes_true(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Return whether `condition` becomes true within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE_SECONDS)
    return True
