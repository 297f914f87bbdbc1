"""The work that a worker was given: who it is for, its input, and the ways to tell how it goes."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from alo_operator.errors import ResultRefused
from alo_operator.worker.places import ClusterPlace, LocalPlace, input_from, local_input
from alo_operator.worker.progress import INTERVAL, Reporter, report_of
from alo_operator.worker.results import check_size, room, written
from alo_operator.worker.stopping import Held, Stop

Place = ClusterPlace | LocalPlace


class Work:
    """One attempt at one operation.

    `id`, `namespace` and `uid` name the operation; `attempt` is different at each retry; `traceparent` continues the
    caller's trace (W3C); `input` is `spec.input`. Outside a cluster they are "local", and `in_cluster` is False.

    All methods may be called from any thread. As a context manager it listens to SIGTERM from beginning to end, where
    it is used in the main thread, and sends the last progress at the end. `run` does all that by itself.
    """

    def __init__(
        self,
        *,
        identity: Mapping[str, str],
        input: dict[str, Any],
        place: Place,
        stop: Stop,
        heartbeat: float | None = None,
        interval: float = INTERVAL,
    ) -> None:
        self.id = identity.get("ALO_ID") or "local"
        self.namespace = identity.get("ALO_NAMESPACE") or "local"
        self.uid = identity.get("ALO_UID") or "local"
        self.attempt = identity.get("ALO_ATTEMPT") or "local"
        self.traceparent = identity.get("TRACEPARENT", "")
        self.input = input
        self._place, self._stop = place, stop
        self._reporter = Reporter(place.report, interval=interval, heartbeat=heartbeat)
        self._heartbeat = heartbeat
        self._result = threading.Lock()
        self._handed_in: bytes | None = None

    @classmethod
    def from_environment(
        cls,
        *,
        interrupt: bool = True,
        containers: int | None = None,
        heartbeat: float | None = None,
        interval: float = INTERVAL,
        grace: float = 30.0,
        patience: float = 120.0,
        environ: Mapping[str, str] | None = None,
        arguments: Sequence[str] | None = None,
    ) -> Self:
        """Return the work that this process was started for; without ALO_ID, work for trying things out.

        interrupt: whether SIGTERM raises Cancelled in the main thread; if not, look at `cancelled`.
        containers: how many the pod has, init containers included: it decides how large a result may be that goes
            through the termination message. None: not known; six where there is a report endpoint for the rest, else
            three, as the operator never takes half a result.
        heartbeat: seconds without progress after which a sign of life is sent; None: none.
        interval: seconds between two progress reports.
        grace: the pod's terminationGracePeriodSeconds; nothing takes longer once the work was told to stop.
        patience: seconds for which a result is handed in again while the report endpoint is away.
        environ, arguments: instead of those of the process.

        Raises ConfigurationError if the environment is broken, InvalidInput if the input is no JSON object,
        ValueError for a number of containers below one.
        """
        environ = os.environ if environ is None else environ
        exact = None if containers is None else room(containers)
        stop = Stop(interrupt=interrupt, grace=grace)
        if not environ.get("ALO_ID"):
            given = local_input(environ, sys.argv[1:] if arguments is None else arguments)
            return cls(identity={}, input=given, place=LocalPlace(), stop=stop, interval=interval)
        given = input_from(Path(environ.get("ALO_INPUT_FILE") or "/alo/in/input.json"))
        place = ClusterPlace.from_environment(environ, room=exact, stop=stop, patience=patience)
        return cls(identity=environ, input=given, place=place, stop=stop, heartbeat=heartbeat, interval=interval)

    @classmethod
    def local(cls, input: Mapping[str, Any] | None = None) -> Self:
        """Return work for a test of a worker: `main(Work.local({"width": 800}))`. The input is copied."""
        copied = json.loads(json.dumps(dict(input or {})))
        return cls(identity={}, input=copied, place=LocalPlace(), stop=Stop())

    @property
    def in_cluster(self) -> bool:
        return isinstance(self._place, ClusterPlace)

    def progress(
        self,
        *,
        percent: float | None = None,
        done: float | None = None,
        total: float | None = None,
        unit: str | None = None,
        message: str | None = None,
    ) -> None:
        """Tell how far the work is; each report replaces the one before. Without arguments: a sign of life.

        Returns at once and never fails: reports are sent in the background, about one a second, the latest only, and
        dropped where nobody takes them. Where SIGTERM raises Cancelled, it may do so here.
        """
        report = report_of(percent=percent, done=done, total=total, unit=unit, message=message)
        with self._stop.held():
            self._reporter.offer(report)

    def result(self, value: object, *, content_type: str | None = None) -> None:
        """Hand in the result: bytes as they are, anything else as JSON. Exit with status 0 afterwards.

        A small one goes into `$ALO_RESULT_FILE`; a larger one, one with a `content_type` of its own, and bytes that are
        no text go to the report endpoint. Returns when it is taken, which may last `patience` seconds. There is one
        result: the same again is harmless. SIGTERM does not interrupt it.

        Raises InvalidResult, ResultTooLarge, ResultRefused (another result, or an operation that is already settled)
        or ReportUnavailable.
        """
        made = written(value, content_type)
        check_size(made.content)
        with self._stop.held(then_raise=False), self._result:
            if self._handed_in not in {None, made.content}:
                raise ResultRefused("another result was handed in before: an operation has one; hand it in at the end")
            self._place.take(made)
            self._handed_in = made.content

    @property
    def cancelled(self) -> bool:
        """Whether the work was told to stop: cancelled, paused, timed out, or its node is being emptied."""
        return self._stop.told

    @property
    def told_by(self) -> int:
        """The number of the signal that told the work to stop, 0 if none has come."""
        return self._stop.signal or 0

    def wait(self, seconds: float | None = None) -> bool:
        """Sleep, but no longer than until the work is told to stop (None: until then); returns whether it was."""
        return self._stop.wait(seconds)

    def check(self) -> None:
        """Raise Cancelled if the work was told to stop."""
        self._stop.check()

    def uninterrupted(self) -> Held:
        """`with work.uninterrupted():` what is done inside is done whole; Cancelled is raised after it."""
        return self._stop.held()

    def start(self) -> None:
        """Listen to SIGTERM (outside a cluster to Ctrl-C too), and begin to give signs of life."""
        self._stop.listen((signal.SIGTERM,) if self.in_cluster else (signal.SIGTERM, signal.SIGINT))
        if self._heartbeat:
            self._reporter.start()

    def close(self) -> None:
        """Send the last progress, for two seconds at most. Signals are noted from here on and raise nothing."""
        self._stop.deafen()
        self._reporter.close(min(2.0, self._stop.remaining()))

    def last_words(self, message: str) -> None:
        """Leave the text that becomes the failure's message, if the process now exits with another status than 0."""
        self._place.last_words(message)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._stop.restore()
