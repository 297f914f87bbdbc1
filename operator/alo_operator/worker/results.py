"""A result on its way out: how it is written down, how much room there is, and handing it in over HTTP."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from alo_operator.errors import InvalidResult, ReportUnavailable, ResultRefused, ResultTooLarge
from alo_operator.worker.stopping import Stop
from alo_operator.worker.wire import Answer

RESULT_BYTES: Final = 900 * 1024
MAX_DEPTH: Final = 64  # levels of nesting that Kubernetes keeps
ONE_REQUEST: Final = 15.0  # seconds
FIRST_PAUSE: Final = 0.5
LAST_PAUSE: Final = 10.0
TOKENS: Final = 3  # times that a refused token is read again, as it may just have been exchanged
JSON_TYPE: Final = "application/json"
TEXT_TYPE: Final = "text/plain"
BINARY_TYPE: Final = "application/octet-stream"
OUTSIDE: Final = "put the data into an object store or a volume and hand in where it is"

# The kubelet's limits of a termination message: for one container, and for all of a pod together. What comes within
# MARGIN bytes of them may have been cut in the middle of a character.
MESSAGE_BYTES: Final = 4096
MESSAGES_BYTES: Final = 12288
MARGIN: Final = 4
LARGEST_MESSAGE: Final = MESSAGE_BYTES - MARGIN


def room(containers: int) -> int:
    """The largest result in bytes that surely fits the termination message of a pod with that many containers.

    Init containers count. Raises ValueError for less than one.
    """
    if containers < 1:
        raise ValueError(f"containers is {containers}: count the worker itself, the others and the init containers")
    return min(MESSAGE_BYTES, MESSAGES_BYTES // containers) - MARGIN


@dataclass(frozen=True)
class Written:
    """A result as bytes. `plain` ones may go through the termination message, which carries UTF-8 and no media type."""

    content: bytes
    content_type: str
    plain: bool


def written(value: object, content_type: str | None) -> Written:
    """Write a result down: bytes as they are, everything else as JSON.

    Raises InvalidResult for what is no JSON, or none that Kubernetes keeps as it is.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        content = bytes(value)
        return Written(content, content_type or _guessed(content), plain=content_type is None and _is_text(content))
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        content = text.encode()
        _check(json.loads(text), MAX_DEPTH)
    except (TypeError, ValueError, RecursionError) as error:
        problem = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InvalidResult(f"the result is not JSON that can be kept: {problem}; hand in bytes or a string") from error
    return Written(content, content_type or JSON_TYPE, plain=content_type in {None, JSON_TYPE})


def _check(value: object, levels: int) -> None:
    """Raise ValueError for what would come back as something else."""
    if levels == 0:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("an integer has more than 64 bits")
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _check(inner, levels - 1)


def _guessed(content: bytes) -> str:
    return TEXT_TYPE if _is_text(content) else BINARY_TYPE


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def check_size(content: bytes) -> None:
    """Raise ResultTooLarge for what no worker can hand in."""
    if len(content) > RESULT_BYTES:
        raise ResultTooLarge(len(content), RESULT_BYTES, OUTSIDE)


def hand_in(send: Callable[[float], Answer], content: bytes, stop: Stop, patience: float) -> None:
    """Send until it is taken: `patience` seconds at most, and after SIGTERM no longer than the grace period.

    `send` makes one request within so many seconds; the same bytes may be sent again without harm.
    Raises ReportUnavailable, ResultRefused or ResultTooLarge.
    """
    deadline = time.monotonic() + patience
    pause, tokens, problem = FIRST_PAUSE, TOKENS, "no time was left"
    while (left := min(deadline - time.monotonic(), stop.remaining())) > 0:
        wait: float | None = None
        try:
            answer = send(min(ONE_REQUEST, left))
        except ReportUnavailable as error:
            problem = str(error)
        else:
            if answer.status == 200:
                _compare(answer, content)
                return
            tokens -= answer.status == 401
            _give_up(answer, content, tokens)
            problem, wait = f"the report endpoint answered {answer}", answer.retry_after
        # Not all workers of a cluster may come back at once.
        due = max(wait or 0.0, pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        pause = min(LAST_PAUSE, pause * 2)
        if due >= min(deadline - time.monotonic(), stop.remaining()):
            break
        if stop.told:
            time.sleep(due)
        else:
            stop.wait(due)
    raise ReportUnavailable(
        f"the result of {len(content)} bytes could not be handed in: {problem}; let the Job retry (backoffLimit), or "
        "keep the result in a store of your own and hand in where it is"
    )


def _give_up(answer: Answer, content: bytes, tokens: int) -> None:
    """Raise if asking again cannot help."""
    if answer.status == 413:
        raise ResultTooLarge(len(content), None, answer.message or OUTSIDE)
    later = answer.status in {408, 425, 429} or answer.status >= 500 or (answer.status == 401 and tokens > 0)
    if not later:
        raise ResultRefused(f"the result was refused: {answer}", status=answer.status, reason=answer.reason)


def _compare(answer: Answer, content: bytes) -> None:
    ours, theirs = hashlib.sha256(content).hexdigest(), answer.body.get("sha256")
    if theirs is not None and theirs != ours:
        raise ResultRefused(f"the result arrived changed: its SHA-256 was {ours} and became {theirs}", status=200)
