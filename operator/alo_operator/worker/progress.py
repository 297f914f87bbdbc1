"""Progress that never holds up the work: the latest report wins, and a thread of its own sends it."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from alo_operator.errors import ReportUnavailable
from alo_operator.worker.wire import Answer

logger = logging.getLogger("alo_operator.worker")

Report = Mapping[str, Any]

INTERVAL: Final = 1.0  # seconds between two reports; the gateway merges them further
LAST_PAUSE: Final = 60.0
WORD: Final = 128  # characters of a unit
SENTENCE: Final = 1024  # characters of a message
COUNT: Final = 2**53


def report_of(
    *,
    percent: float | None = None,
    done: float | None = None,
    total: float | None = None,
    unit: str | None = None,
    message: str | None = None,
) -> Report:
    """One report as the endpoint wants it: whole numbers in their range, texts cut to their length."""
    numbers = {"percent": _whole(percent, 100), "done": _whole(done, COUNT), "total": _whole(total, COUNT)}
    texts = {
        "unit": None if unit is None else str(unit)[:WORD],
        "message": None if message is None else str(message)[:SENTENCE],
    }
    return {name: value for name, value in (numbers | texts).items() if value is not None}


def _whole(number: float | None, most: int) -> int | None:
    """A number rounded down and kept within 0 and `most`; None for what is no number, as nothing may stop the work."""
    try:
        return None if number is None else int(min(max(number, 0), most))
    except (TypeError, ValueError):
        return None


class Reporter:
    """Sends the latest of the reports it is offered, `interval` seconds apart.

    `send` makes one request; what it raises or answers never reaches the work. `heartbeat` seconds after the last
    report it sends an empty one (None: never).
    """

    def __init__(
        self, send: Callable[[Report], Answer], *, interval: float = INTERVAL, heartbeat: float | None = None
    ) -> None:
        self._send, self._interval, self._heartbeat = send, interval, heartbeat
        self._changed = threading.Condition()
        self._latest: Report | None = None
        self._ending = False
        self._over = False  # nobody wants reports any more
        self._failures = 0
        self._not_before = time.monotonic()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, once. It never keeps the process from ending."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="alo-progress", daemon=True)
                self._thread.start()

    def offer(self, report: Report) -> None:
        with self._changed:
            self._latest = report
            self._changed.notify()
        self.start()

    def close(self, timeout: float) -> None:
        """Send what is left, unless the endpoint is away; `timeout` seconds at most."""
        with self._changed:
            self._ending = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(max(0.0, timeout))

    def _run(self) -> None:
        while (report := self._due()) is not None:
            try:
                answer = self._send(report)
            except ReportUnavailable as problem:
                self._note(report, None, str(problem))
            except Exception:
                logger.exception("progress is no longer reported")
                return
            else:
                self._note(report, answer, str(answer))

    def _due(self) -> Report | None:
        """Wait for the next report and take it; None at the end."""
        with self._changed:
            while not self._over:
                if self._ending and (self._latest is None or self._failures):
                    return None
                now = time.monotonic()
                due = self._not_before
                if self._latest is None:
                    due = due - self._interval + self._heartbeat if self._heartbeat else float("inf")
                if now >= due or (self._ending and self._latest is not None):
                    report, self._latest = self._latest or {}, None
                    return report
                self._changed.wait(None if due == float("inf") else due - now)
            return None

    def _note(self, report: Report, answer: Answer | None, text: str) -> None:
        """Decide when to go on, and whether at all."""
        with self._changed:
            status = answer.status if answer else 0
            if 200 <= status < 300 or status == 400:
                if status == 400:
                    logger.warning("a progress report was refused: %s", text)
                self._failures = 0
                self._not_before = time.monotonic() + self._interval
                return
            if status == 409:
                logger.warning("progress is no longer reported: %s", text)
                self._over = True
                return
            if not self._failures:
                logger.warning("progress cannot be reported, and will be tried again: %s", text)
            self._failures += 1
            pause = min(LAST_PAUSE, 2.0 ** min(self._failures, 10)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            asked = (answer.retry_after if answer else None) or 0.0
            self._not_before = time.monotonic() + max(self._interval, pause, min(asked, 10 * LAST_PAUSE))
            if self._latest is None and report:
                self._latest = report
