"""The floor of writing: the operator's client sends PATCHes to operations and does nothing else.

Prints one line of JSON: {"writes": number, "seconds": wall clock, "cpu_ms": of this process for each write}.
"""

from __future__ import annotations

import asyncio
import json
import time

from alo_operator.effects import paths
from alo_operator.effects.cluster import MERGE_PATCH
from alo_operator.effects.command_line import run_to_the_end
from bench.peers.program import arguments, client

AT_ONCE = 8


async def main() -> None:
    given = arguments(writes=1000)
    cluster = client(given.kubeconfig)
    items = (await cluster.get(paths.operations(given.namespace)))["items"]
    names = [item["metadata"]["name"] for item in items]
    assert names, f"there are no operations in {given.namespace}"
    numbers = iter(range(given.writes))

    async def work() -> None:
        for number in numbers:
            path = paths.operation(given.namespace, names[number % len(names)])
            body = {"metadata": {"annotations": {"bench": str(number)}}}
            await cluster.request("PATCH", path, body=body, content_type=MERGE_PATCH)

    began, cpu = time.monotonic(), time.process_time()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    await cluster.close()
    print(json.dumps({"writes": given.writes, "seconds": round(seconds, 2), "cpu_ms": 1000 * cpu / given.writes}))


if __name__ == "__main__":
    run_to_the_end(main, "text", "info")  # the event loop and garbage collection of the operator
