import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.progress import say


@contextmanager
def locked(path: Path, why: str) -> Generator[None, None, None]:
    """Hold the lock file at `path`; while another process holds it, say `why` and wait.

    The lock ends with the process, however that ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting: another process is {why}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
