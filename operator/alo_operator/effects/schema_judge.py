"""The process that judges by JSON Schemas; started by `schemas`, it knows nothing of the operator.

Schemas come from users. Some cost more than anybody has (references that double at each step), and the library holds
the interpreter meanwhile, so all of it happens here, where it may take its own process down: after half a second of
CPU for one question, or with 160 MiB.

One question a line on stdin, as JSON: {"key", "value"?, "schema"?}. A schema is compiled once and kept under its key;
without "value" it is only compiled. One answer a line on stdout: {"unknown": true} where the key has to come with its
schema, {"ok": true}, {"unusable": why}, or {"mismatch": where and what is expected}.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import sys
from collections import OrderedDict
from typing import Any, Final

import jsonschema_rs

CPU_SECONDS: Final = 0.5  # a question; the signal that ends it is not caught
NICENESS: Final = 5  # the operator itself goes first
MEMORY: Final = 160 * 2**20
KEPT: Final = 64
REGEX_BYTES: Final = 2 * 2**20
MOST_ERRORS: Final = 3
SHOWN: Final = 80  # characters of a value
SENTENCE: Final = 300

_HINTS: Final = {
    "regex": "patterns are regular expressions without look-around and back-references, and of bounded size",
    "Retrieval is disabled": "references to other documents are not followed",
}

Kept = OrderedDict[str, "jsonschema_rs.Draft202012Validator"]


def main() -> None:
    """Answer until stdin ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    os.nice(NICENESS)
    kept: Kept = OrderedDict()
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        found = answer(json.loads(line), kept)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


def answer(question: dict[str, Any], kept: Kept) -> dict[str, Any]:
    """The answer to one question."""
    key = question["key"]
    if key not in kept:
        if "schema" not in question:
            return {"unknown": True}
        try:
            kept[key] = jsonschema_rs.Draft202012Validator(
                question["schema"],
                pattern_options=jsonschema_rs.RegexOptions(size_limit=REGEX_BYTES, dfa_size_limit=REGEX_BYTES),
                offline=True,
                mask="the value",
            )
        except jsonschema_rs.ValidationError as error:
            return {"unusable": _with_hint(_mismatch(error, question["schema"]))}
        except (jsonschema_rs.ReferencingError, ValueError, MemoryError) as error:
            return {"unusable": _with_hint(_clip(str(error) or type(error).__name__, SENTENCE))}
        if len(kept) > KEPT:
            kept.popitem(last=False)
    kept.move_to_end(key)
    if "value" not in question:
        return {"ok": True}
    value = question["value"]
    try:
        errors = list(itertools.islice(kept[key].iter_errors(value), MOST_ERRORS))
    except ValueError as error:
        return {"mismatch": _clip(str(error) or type(error).__name__, SENTENCE)}
    except MemoryError:
        return {"unusable": "judging by it takes too much memory; make it simpler"}
    return {"mismatch": "; ".join(_mismatch(error, value) for error in errors)} if errors else {"ok": True}


def _with_hint(said: str) -> str:
    hint = next((hint for word, hint in _HINTS.items() if word in said), "")
    return f"{said}; {hint}" if hint else said


def _mismatch(error: jsonschema_rs.ValidationError, value: Any) -> str:
    place: Any = value
    try:
        for step in error.instance_path:
            place = place[step]
    except (LookupError, TypeError):
        place = {}
    said = _clip(error.message, SENTENCE)
    shown = "" if isinstance(place, dict | list) else f" (it is {_clip(json.dumps(place, ensure_ascii=False), SHOWN)})"
    return f"at {_pointer(error.instance_path)}: {said}{shown}"


def _pointer(path: Any) -> str:
    """RFC 6901; "/" for the whole, which an empty string would not show."""
    steps = [str(step).replace("~", "~0").replace("/", "~1") for step in path]
    return _clip("/" + "/".join(steps), SENTENCE)


def _clip(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


if __name__ == "__main__":
    main()
