"""The processes that one test starts, of one kind."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tests.support.operator_process import OperatorProcess

P = TypeVar("P", bound=OperatorProcess)


@dataclass
class Processes(Generic[P]):
    """Those that were started, in order; some may have ended already."""

    started: list[P] = field(default_factory=list, kw_only=True)

    def launch(self, process: P, *, wait: bool) -> P:
        """Start one that is to be ended with the test."""
        self.started.append(process)
        return process.start(wait=wait)

    def end(self) -> None:
        """End all. Raises AssertionError for one that does not obey or that logged an unexpected error."""
        problems = []
        for process in self.started:
            if process.running:
                try:
                    process.stop()
                except AssertionError as problem:
                    problems.append(str(problem))
            shown = f"{process.what} {process.identity}"
            print(f"log of {shown}:\n{process.tail(60)}")
            problems += [f"{shown} logged: {line}" for line in process.unexpected_errors()[:10]]
        assert not problems, "\n".join(problems)
