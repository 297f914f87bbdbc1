"""Settled operations by the ten thousand: one is made as users and the operator make it, the others are its copies."""

from __future__ import annotations

import asyncio
import copy
import time
import uuid
from datetime import UTC, datetime

from bench import gauges
from bench.client import METADATA, Caller, Object, Refused, path_of
from bench.ground import Ground
from bench.loads.running import OPERATIONS
from bench.store import store
from tests.support.operations import operation, simulated_job

PATIENCE = 600.0  # seconds until the API server serves what was stored
AT_REST = 0.15  # of a core: what API server and controllers may use while nothing is asked of them
AHEAD = "Too large resource version"  # what it says of a version that its watch cache has not seen yet
OWN = ("name", "uid", "resourceVersion")


async def fill(ground: Ground, caller: Caller, namespace: str, names: list[str], given: Object) -> None:
    """Have operations of these names that were settled long ago, of about 2 KB each beside their input `given`.

    The first is made and settled through the API, so that defaults and managed fields are real. The bytes that the API
    server stored for it are put into etcd for each of the others, with a name and a uid of their own. Returns when the
    API server serves all of them from its watch cache and whoever else watches them has come to rest, too.

    Raises RuntimeError where the last is not served as the first is, or where not as many came to be.
    """
    if not names:
        return
    path, before = path_of(OPERATIONS, namespace), await _count(caller, namespace)
    first, *others = names
    await caller.send("POST", path, operation(first, job=simulated_job(0), input=given))
    made = await caller.send("PATCH", f"{path}/{first}/status", {"status": settled()}, how="merge")
    uid, revision = made["metadata"]["uid"], int(made["metadata"]["resourceVersion"])
    async with store(ground.etcd) as etcd:
        model = await etcd.get(key(namespace, first))
        # The last one by itself: all of one transaction have one revision, which the watch cache has reached with the
        # first of them.
        for some in (others[:-1], others[-1:]):
            pairs = ((key(namespace, name), copied(model, (first, uid), (name, str(uuid.uuid4())))) for name in some)
            revision = max(revision, await etcd.put(pairs))
    last = await _served(caller, f"{path}/{names[-1]}", revision)
    if without_own(last) != without_own(made):
        raise RuntimeError(f"{names[-1]} is not served as its model {first} is")
    there = await _count(caller, namespace) - before
    if there != len(names):
        raise RuntimeError(f"{there} operations came to be in {namespace} instead of {len(names)}")
    await asyncio.to_thread(_rest, ground)


def _rest(ground: Ground) -> None:
    """The garbage collector watches every kind, and is still being told of the last thousands."""
    for name in ("kube-apiserver", "kube-controller-manager"):
        if (pid := ground.pids().get(name)) is not None:
            gauges.calm(pid, share=AT_REST)


def key(namespace: str, name: str) -> str:
    """Where the API server keeps an operation in etcd."""
    return f"/registry/alo-operator.io/{OPERATIONS}/{namespace}/{name}"


def copied(model: bytes, old: tuple[str, str], new: tuple[str, str]) -> bytes:
    """The stored form with another name and uid, everything else byte for byte.

    Raises ValueError where it does not have each of them exactly once.
    """
    for field, before, after in zip(("name", "uid"), old, new, strict=True):
        word = f'"{field}":"{before}"'.encode()
        if model.count(word) != 1:
            raise ValueError(f"the stored form has {word.decode()} {model.count(word)} times")
        model = model.replace(word, f'"{field}":"{after}"'.encode())
    return model


def without_own(body: Object) -> Object:
    """An operation as served, without what only it has."""
    found = copy.deepcopy(body)
    for field in OWN:
        found["metadata"].pop(field)
    return found


async def _served(caller: Caller, path: str, revision: int) -> Object:
    """The object, from a watch cache that has seen everything up to that revision."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return await caller.send("GET", path, resourceVersion=str(revision))
        except Refused as error:
            if AHEAD not in str(error) or time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.2)


async def _count(caller: Caller, namespace: str) -> int:
    page = await caller.send("GET", path_of(OPERATIONS, namespace), accept=METADATA, limit="1")
    return len(page["items"] or ()) + int(page["metadata"].get("remainingItemCount") or 0)


def settled() -> Object:
    """The status of a success with all conditions that there may be: no smaller than what the operator writes."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def condition(kind: str, value: str, reason: str, message: str) -> Object:
        said = {"type": kind, "status": value, "reason": reason, "message": message}
        return said | {"lastTransitionTime": now, "observedGeneration": 1}

    return {
        "observedGeneration": 1,
        "promise": "Fulfilled",
        "phase": "Succeeded",
        "specDigest": "v1:sha256:" + 64 * "a",
        "effective": {"retention": {"job": "24h"}},
        "startTime": now,
        "completionTime": now,
        "conditions": [
            condition("Accepted", "True", "Accepted", "the operation was accepted"),
            condition("Started", "True", "Started", "the work has started"),
            condition("Completed", "True", "Succeeded", "the work has ended with success"),
            condition("Succeeded", "True", "Succeeded", "the work has ended with success"),
            condition("Ready", "True", "Succeeded", "the work has ended with success"),
            condition("Reconciling", "False", "Succeeded", ""),
            condition("Stalled", "False", "Succeeded", ""),
        ],
        "job": {"name": "settled-0123456789", "uid": "00000000-0000-0000-0000-000000000000"},
        "attempts": {"count": 1, "last": {"pod": "settled-0123456789-abcde", "exitCode": 0, "reason": "Completed"}},
        "result": {"value": {"be": 2, "not": 1, "or": 1, "to": 2}, "contentType": "application/json", "bytes": 31},
    }
