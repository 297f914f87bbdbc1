"""Judging by JSON Schemas in a process of its own."""

import asyncio
import os
import signal

import pytest

from alo_operator.desired.verdict import MATCH, Finding
from alo_operator.effects import schemas as module
from alo_operator.effects.schemas import Schemas
from alo_operator.errors import SchemasUnavailable

NUMBER = {"type": "object", "properties": {"a/b": {"type": "integer"}}}
DOUBLING = {
    "$defs": {
        **{f"s{n}": {"anyOf": [{"$ref": f"#/$defs/s{n + 1}"}] * 2} for n in range(40)},
        "s40": {"type": "string"},
    },
    "$ref": "#/$defs/s0",
}


def judging(work):
    """Run `work(schemas)` on a loop of its own."""

    async def run():
        schemas = Schemas()
        try:
            return await work(schemas)
        finally:
            await schemas.stop()

    return asyncio.run(run())


def pids(schemas):
    return [lane._process.pid if lane._process else None for lane in schemas._lanes]


def test_a_verdict_names_the_place_and_what_is_expected():
    """As a JSON pointer; of the value no more than a piece is shown, and of many mistakes three."""

    async def work(schemas):
        good = await schemas.judge("n", NUMBER, {"a/b": 1})
        bad = await schemas.judge("n", NUMBER, {"a/b": "x" * 10_000})
        many = await schemas.judge("m", {"items": {"type": "string"}}, list(range(1000)))
        return good, bad, many

    good, bad, many = judging(work)

    assert good == MATCH
    assert bad.finding is Finding.MISMATCH
    assert bad.message.startswith('at /a~1b: the value is not of type "integer" (it is "xxx')
    assert len(bad.message) < 200
    assert many.message.count("at /") == 3


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "strin"}, "at /type"),
        ({"pattern": "(?=a)"}, "without look-around"),
        ({"$ref": "http://example.test/a"}, "other documents are not followed"),
    ],
)
def test_a_schema_that_is_none_is_unusable(schema, words):
    """Whatever the value; it is found before any value is there."""

    async def work(schemas):
        return await schemas.check("x", schema), await schemas.judge("x", schema, {})

    for found in judging(work):
        assert (found.finding, words in found.message) == (Finding.UNUSABLE, True)


@pytest.mark.promise("TPL-9")
def test_a_schema_that_costs_too_much_takes_only_its_process_down():
    """After half a second of CPU; it is tried once more elsewhere, and from then on only there."""

    async def work(schemas):
        await schemas.judge("n", NUMBER, {})
        before = pids(schemas)
        found = await schemas.judge("d", DOUBLING, {})
        good = await schemas.judge("n", NUMBER, {})
        pid = pids(schemas)[0]
        await schemas.judge("d", DOUBLING, {})
        return before, found, good, pid, pids(schemas)[0]

    before, found, good, pid, still = judging(work)

    assert found.finding is Finding.UNUSABLE
    assert "more than half a second" in found.message
    assert good == MATCH
    assert before[0] != pid == still


def test_a_process_killed_by_somebody_is_no_verdict():
    """As for want of memory: it is asked anew at once."""

    async def work(schemas):
        await schemas.judge("n", NUMBER, {})
        os.kill(pids(schemas)[0], signal.SIGKILL)
        first = await schemas.judge("n", NUMBER, {})
        await schemas.judge("m", NUMBER, {})
        return first

    assert judging(work) == MATCH


def test_a_process_that_cannot_be_started_is_no_verdict(monkeypatch, tmp_path):
    """Nobody's schema is to blame."""
    monkeypatch.setattr(module, "PROGRAM", tmp_path / "missing.py")

    async def work(schemas):
        await schemas.judge("n", NUMBER, {})

    with pytest.raises(SchemasUnavailable):
        judging(work)


def test_many_at_once_get_each_their_own_answer():
    """One process answers them one by one."""

    async def work(schemas):
        values = [{"a/b": number if number % 2 else str(number)} for number in range(100)]
        return await asyncio.gather(*(schemas.judge("n", NUMBER, value) for value in values))

    found = judging(work)

    assert [verdict.finding is Finding.MATCH for verdict in found] == [bool(number % 2) for number in range(100)]
