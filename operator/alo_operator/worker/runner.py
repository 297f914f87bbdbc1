"""The frame of a worker program: from the start to the exit status."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Final, NoReturn

from alo_operator.errors import AloError, Cancelled
from alo_operator.worker.progress import INTERVAL
from alo_operator.worker.work import Work

FAILED: Final = 1
BY_SIGNAL: Final = 128


def run(
    main: Callable[[Work], object],
    *,
    interrupt: bool = True,
    containers: int | None = None,
    heartbeat: float | None = None,
    interval: float = INTERVAL,
    grace: float = 30.0,
    patience: float = 120.0,
) -> NoReturn:
    """Call `main` with the work and end the process with what becomes of it. The options are Work.from_environment's.

    | main ...              | exit status | failure text                          |
    | returns None          | 0           |                                       |
    | returns anything else | 0           | and that is handed in as the result   |
    | raises                | 1           | the exception; its traceback is logged |
    | raises Cancelled      | 143         | that it was told to stop              |
    | calls sys.exit        | as it says  | as it says                            |

    A result that does not get through is a failure too.
    """
    try:
        work = Work.from_environment(
            interrupt=interrupt,
            containers=containers,
            heartbeat=heartbeat,
            interval=interval,
            grace=grace,
            patience=patience,
        )
    except AloError as problem:
        sys.exit(str(problem))
    sys.exit(_status(main, work))


def _status(main: Callable[[Work], object], work: Work) -> int:
    """Run `main` to its end and return the exit status; what it leaves behind is handed in or said by then."""
    work.start()
    message = ""
    try:
        try:
            value = main(work)
        finally:
            # From here on a signal raises nothing any more. The handler stays: the process is about to end by itself.
            work.close()
        if value is not None:
            work.result(value)
        status = 0
    except Cancelled as told:
        status, message = BY_SIGNAL + work.told_by, str(told)
        sys.stderr.write(f"{message}\n")
    except SystemExit as asked:
        status, message = _asked(asked.code)
        if message:
            sys.stderr.write(f"{message}\n")
    except AloError as problem:
        status, message = FAILED, str(problem)
        sys.stderr.write(f"{message}\n")
    except Exception as error:  # noqa: BLE001 - whatever the worker's code raises ends here
        status, message = FAILED, _in_short(error)
        traceback.print_exc()
    if message:
        work.last_words(message)
    return status


def _asked(code: object) -> tuple[int, str]:
    """Exit status and message of `sys.exit(code)`, as Python itself takes them."""
    if code is None:
        return 0, ""
    return (code & 0xFF, "") if isinstance(code, int) else (FAILED, str(code))


def _in_short(error: Exception) -> str:
    """An exception in one line, with the place where it was raised."""
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot be shown is shown by its name
        said = ""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename.rpartition('/')[2]}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}{': ' if said else ''}{said}{place}"
