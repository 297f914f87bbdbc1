"""Log lines: for people (text) or for machines (one JSON object a line), with the fields given as `extra`."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final

from alo_operator.api.model import format_time

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Kopf adds its own to records about objects; they repeat what ours say.
_KOPF: Final = frozenset({"settings", "k8s_skip", "k8s_ref"})


def configure(log_format: str, level: str) -> None:
    """Send all logging to stderr in `log_format` ("text" or "json"), from `level` on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Kopf tells of every call of a handler; only what went wrong matters here.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.captureWarnings(True)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What was given as `extra`."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD and key not in _KOPF}


class JsonFormatter(logging.Formatter):
    """`{"time", "level", "logger", "message", ...extra, "exception"?}`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line: dict[str, Any] = {
            "time": format_time(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """`time LEVEL message  key=value ...`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback where there is one."""
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        pairs = " ".join(f"{key}={value}" for key, value in fields_of(record).items())
        line = f"{time} {record.levelname:<7} {record.getMessage()}" + (f"  {pairs}" if pairs else "")
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
