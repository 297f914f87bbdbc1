"""What a worker says of its progress, or the Job's counters, and what status says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from alo_operator.api import limits
from alo_operator.api.reports import ReportReason
from alo_operator.api.status import Progress
from alo_operator.desired.job_view import JobView
from alo_operator.errors import ReportRefused

FIELDS: Final = ("percent", "done", "total", "unit", "message")
LARGEST: Final = 2**53  # beyond it JSON numbers are not exact everywhere


def read_progress(raw: bytes, now: datetime) -> Progress | None:
    """The progress a worker reports; None for a heartbeat, which says nothing new.

    A report says all there is to say: a field that it leaves out, or that is null, has no value any more. `percent`
    follows from `done` and `total` where it is left out.

    Raises:
        ReportRefused: the body is no JSON object, or a field of it is wrong; the message names the field.
    """
    given = _fields(raw)
    if not given:
        return None
    percent = _whole(given, "percent", 100)
    done, total = _whole(given, "done", LARGEST), _whole(given, "total", LARGEST)
    unit, message = _text(given, "unit", limits.WORD), _text(given, "message", None)
    if percent is None and done is not None and total:
        percent = min(100, 100 * done // total)
    progress = Progress(percent=percent, done=done, total=total, unit=unit, message=message, update_time=now)
    return progress.model_copy(update={"summary": _summary(progress)})


def heartbeat(shown: Progress | None, now: datetime) -> Progress:
    """What was said last, and that the worker is alive."""
    return (shown or Progress()).model_copy(update={"update_time": now})


def counted(shown: Progress | None, job: JobView, now: datetime) -> Progress | None:
    """Progress from the Job's counters, where it has several completions; else what was shown last."""
    total = job.completions
    if total is None or total < 2:
        return shown
    if shown and shown.done == job.succeeded and shown.total == total:
        return shown
    percent = min(100, 100 * job.succeeded // total)
    progress = Progress(percent=percent, done=job.succeeded, total=total, unit="completions", update_time=now)
    return progress.model_copy(update={"summary": _summary(progress)})


def complete(progress: Progress | None) -> bool:
    """Whether it says that all is done: what is said after that is worth no hurry."""
    if progress is None:
        return False
    if progress.total and progress.done is not None:
        return progress.done >= progress.total
    return progress.percent == 100


def _fields(raw: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(raw) if raw.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ReportRefused(ReportReason.INVALID_REPORT, "progress is not JSON: send an object, such as {}") from error
    if not isinstance(found, dict):
        raise ReportRefused(ReportReason.INVALID_REPORT, 'progress is not a JSON object, such as {"done": 3}')
    if unknown := [key for key in found if key not in FIELDS]:
        name = limits.clip(ascii(unknown[0]), limits.NAME)
        raise ReportRefused(ReportReason.INVALID_REPORT, f"progress has no field {name}; it has {', '.join(FIELDS)}")
    return {key: value for key, value in found.items() if value is not None}


def _whole(given: Mapping[str, Any], field: str, largest: int) -> int | None:
    value = given.get(field)
    if value is None:
        return None
    # Fractions of a percent are fine, and rounded down; so are counters that a library keeps as floating numbers.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= largest:
        said = f"{field} is a number from 0 to {largest}"
        raise ReportRefused(ReportReason.INVALID_REPORT, said)
    return int(value)


def _text(given: Mapping[str, Any], field: str, longest: int | None) -> str | None:
    value = given.get(field)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ReportRefused(ReportReason.INVALID_REPORT, f"{field} is a string")
    if longest and len(value) > longest:
        raise ReportRefused(ReportReason.INVALID_REPORT, f"{field} has at most {longest} characters")
    # The API server keeps no halves of surrogate pairs.
    whole = value.encode("utf-8", "replace").decode()
    return limits.clip(whole, limits.REASON) or None


def _summary(progress: Progress) -> str | None:
    """The progress in a few characters, for the table column."""
    if progress.done is not None and progress.total:
        said = f"{progress.done}/{progress.total}"
    elif progress.percent is not None:
        said = f"{progress.percent}%"
    elif progress.done is not None:
        said = f"{progress.done} {progress.unit or ''}"
    else:
        said = progress.message or ""
    return limits.clip(" ".join(said.split()), limits.SUMMARY) or None
