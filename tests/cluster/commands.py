import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.errors import ClusterError


def run(
    arguments: Sequence[str | Path],
    *,
    feed: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    seconds: float = 120,
) -> str:
    """Run a program to its end and return what it printed on standard output.

    Raises ClusterError, with what the program said, if it is missing, fails, or takes longer than `seconds`.
    """
    words = [str(argument) for argument in arguments]
    try:
        done = subprocess.run(
            words, input=feed, env=env, cwd=cwd, timeout=seconds, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise ClusterError(f"{words[0]} is not installed or not on PATH; install it and try again") from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{' '.join(words[:4])} ... did not end within {seconds:g} s") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise ClusterError(f"{' '.join(words[:6])} ... failed with exit code {done.returncode}: {said}")
    return done.stdout


def succeeds(arguments: Sequence[str | Path], *, seconds: float = 30) -> bool:
    """Return whether the program exists, ends within `seconds` and exits 0."""
    try:
        run(arguments, seconds=seconds)
    except ClusterError:
        return False
    return True
