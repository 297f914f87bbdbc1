"""The API server in memory answers as the real one does: the same random requests to both; no operator runs."""

import random

import pytest

from tests.controlplane.random_requests import Dice, watches
from tests.controlplane.twins import Request, Twins
from tests.support.namespaces import make, remove

FIRST = {
    "apiVersion": "alo-operator.io/v1alpha1",
    "kind": "AsyncOperation",
    "metadata": {"name": "first"},
    "spec": {"templateRef": {"name": "resize"}},
}


def check_answers(twins: Twins, seed: int, count: int) -> None:
    """Ask both the same `count` requests; each answer is compared, and the state once the controllers are done."""
    dice = Dice(seed)
    print(f"seed {seed}")
    twins.ask(Request("POST", "configmaps", body={"metadata": {"name": "first"}}))
    twins.ask(Request("POST", "asyncoperations", body=FIRST))
    dice.named += [("configmaps", "first"), ("asyncoperations", "first")]
    for _ in range(count):
        request = dice.next()
        twins.ask(request)
        for answer in twins.real.remembered[len(dice.named) :]:
            dice.named.append((request.plural, answer["metadata"]["name"]))
        if request.method != "GET":
            twins.rest()
    started = {"resourceVersion": "<version:0>"}
    twins.watch([(plural, {**started, **query}) for plural, query in watches()])


@pytest.mark.parametrize("seed", range(3))
def test_random_requests_get_the_same_answers(api, namespace, seed):
    """Good and bad requests to operations, Jobs and ConfigMaps: the same codes, reasons, objects, and events."""
    twins = Twins(api, namespace)
    try:
        check_answers(twins, seed, 100)
    finally:
        twins.let_go()


@pytest.mark.full
def test_thousands_of_random_requests_get_the_same_answers(api, crds):
    """The same with other dice each time, in one namespace after the other."""
    for seed in random.SystemRandom().sample(range(1_000_000), 20):
        twins = Twins(api, make(api))
        try:
            check_answers(twins, seed, 200)
        finally:
            twins.let_go()
            remove(api, twins.real.namespace)
