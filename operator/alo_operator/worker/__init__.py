"""The library for workers written in Python. It needs Python's standard library only.

    from alo_operator.worker import Work, run

    def main(work: Work) -> object:
        for done, name in enumerate(work.input["names"]):
            work.progress(done=done, total=len(work.input["names"]), message=name)
            ...
        return {"resized": done + 1}

    if __name__ == "__main__":
        run(main)

Outside a cluster the same program reads its input from `--input FILE` and prints progress and result.
"""

from alo_operator.errors import (
    Cancelled,
    InvalidResult,
    ReportError,
    ReportUnavailable,
    ResultRefused,
    ResultTooLarge,
)
from alo_operator.worker.runner import run
from alo_operator.worker.work import Work

__all__ = [
    "Cancelled",
    "InvalidResult",
    "ReportError",
    "ReportUnavailable",
    "ResultRefused",
    "ResultTooLarge",
    "Work",
    "run",
]
