"""Judging values by the JSON Schemas of templates, away from the event loop: see `schema_judge`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

from alo_operator.desired.fields import Json
from alo_operator.desired.verdict import MATCH, Finding, Verdict
from alo_operator.errors import SchemasUnavailable

logger = logging.getLogger(__name__)

PROGRAM: Final = Path(__file__).with_name("schema_judge.py")
# On the wall; the process ends itself after half a second of CPU, and on a busy machine that takes longer.
PATIENCE: Final = 30.0
REMEMBERED: Final = 1000
_TOO_EXPENSIVE: Final = "judging by it takes more than half a second or 160 MiB; make it simpler"
_ABSENT: Final = object()


class Schemas:
    """Two processes, started when first needed: one for all schemas, one for those that have killed the first.

    So whoever offers a schema that costs too much delays only others who do. A schema that cannot even be compiled is
    remembered and costs nothing more.
    """

    def __init__(self) -> None:
        self._lanes = (_Judge(), _Judge())
        self._suspects: OrderedDict[str, None] = OrderedDict()
        self._unusable: OrderedDict[str, Verdict] = OrderedDict()

    async def check(self, key: str, schema: Json) -> Verdict:
        """Whether `schema` is one that values can be judged by; `key` stands for it and for no other.

        Raises SchemasUnavailable.
        """
        return await self._ask(key, schema, _ABSENT)

    async def judge(self, key: str, schema: Json, value: Any) -> Verdict:
        """Whether `value` is as `schema` says. Raises SchemasUnavailable."""
        return await self._ask(key, schema, value)

    async def stop(self) -> None:
        """End the processes."""
        for lane in self._lanes:
            await lane.stop()

    async def _ask(self, key: str, schema: Json, value: Any) -> Verdict:
        if found := self._unusable.get(key):
            return found
        verdict = None
        if key not in self._suspects:
            verdict = await self._lanes[0].verdict(key, schema, value)
        if verdict is None:
            _remember(self._suspects, key, None)
            verdict = await self._lanes[1].verdict(key, schema, value)
        if verdict is None:
            verdict = Verdict(Finding.UNUSABLE, _TOO_EXPENSIVE)
        if verdict.finding is Finding.UNUSABLE and value is _ABSENT:
            _remember(self._unusable, key, verdict)
        return verdict


class _Judge:
    """One process and the line of those who wait for it."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def verdict(self, key: str, schema: Json, value: Any) -> Verdict | None:
        """The verdict; None where the process died of the question."""
        question = {"key": key} if value is _ABSENT else {"key": key, "value": value}
        async with self._turn:
            found = await self._ask(question)
            if found == {"unknown": True}:
                found = await self._ask({**question, "schema": schema})
        if found is None:
            return None
        if "mismatch" in found:
            return Verdict(Finding.MISMATCH, str(found["mismatch"]))
        if "unusable" in found:
            return Verdict(Finding.UNUSABLE, str(found["unusable"]))
        return MATCH

    async def stop(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _ask(self, question: dict[str, Any]) -> dict[str, Any] | None:
        process = await self._started()
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            async with asyncio.timeout(PATIENCE):
                await process.stdin.drain()
                line = await process.stdout.readline()
        except ConnectionError:
            line = b""  # it has ended
        except TimeoutError as error:
            await self.stop()
            raise SchemasUnavailable(f"no verdict within {PATIENCE:.0f} s") from error
        except asyncio.CancelledError:
            await self.stop()  # its answer would be taken for that to the next question
            raise
        if line.endswith(b"\n"):
            found = json.loads(line)
            assert isinstance(found, dict)
            return found
        status = await process.wait()
        self._process = None
        logger.info("a schema ended the process that judged by it", extra={"status": status})
        if status >= 0:
            raise SchemasUnavailable(f"the process that judges by schemas ended with status {status}")
        if status == -signal.SIGTERM:
            raise SchemasUnavailable("the process that judges by schemas was stopped")
        return None

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                str(PROGRAM),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the operator; this one ends with its stdin
            )
        except OSError as error:
            raise SchemasUnavailable(f"the process that judges by schemas cannot be started: {error}") from error
        return self._process


def _remember(memory: OrderedDict[str, Any], key: str, found: Any) -> None:
    memory[key] = found
    while len(memory) > REMEMBERED:
        memory.popitem(last=False)
