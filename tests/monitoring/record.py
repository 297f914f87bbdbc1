"""Scrapes of two operators and a gateway through a few minutes of small work, with some trouble in the middle.

Trouble is made on purpose, so that panels about it have something to show: work that fails or
is cancelled, a line that is long, a receiver that is down for a while, a leader that is killed, an API server that is
stopped for a moment.
"""

import contextlib
import json
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

from tests.cluster.providers import Cluster, Options, choose
from tests.support import installed, namespaces
from tests.support.api import Api, ApiError
from tests.support.callbacks import LOOPBACK, callback
from tests.support.fixtures import Operators
from tests.support.gateway_process import Gateways
from tests.support.kubectl import Kubectl
from tests.support.operations import operation, simulated_job, template
from tests.support.operator_process import SERVICE_ACCOUNT, SYSTEM_NAMESPACE, OperatorProcess
from tests.support.receivers import Receiver, answer, receiving
from tests.support.reporting import ReportingStage

EVERY: Final = 5.0  # seconds between two scrapes, and between two steps of the load
STEPS: Final = 60
KILL_AT, STOP_AT, DOWN = 24, 40, range(12, 30)

Scrape = tuple[float, dict[str, str], str]  # seconds, labels of the target, Prometheus' text


def recorded(cluster_name: str) -> list[Scrape]:
    """Start a cluster of this name with simulated nodes alone (or find it), record, and leave it up."""
    cluster = choose().up(Options(name=cluster_name, real_node=False, simulated_nodes=2, services=False))
    api, kubectl = Api(cluster.kubeconfig), Kubectl(cluster.kubectl, cluster.kubeconfig)
    installed.install_crds(kubectl, api)
    installed.install_rbac(kubectl)
    kubeconfig = cluster.kubeconfig_for_service_account(SYSTEM_NAMESPACE, SERVICE_ACCOUNT)
    namespace = namespaces.make(api)
    with tempfile.TemporaryDirectory() as made, contextlib.ExitStack() as at_the_end:
        folder = Path(made)
        receiver = at_the_end.enter_context(receiving())
        at_the_end.callback(namespaces.remove, api, namespace)
        gateways, operators = Gateways(cluster, folder), Operators(kubeconfig, namespace, folder)
        for program in (gateways, operators):
            at_the_end.callback(_end, program.end)
        gateway = gateways.start()
        arguments = [
            "--report-url",
            gateway.url,
            *LOOPBACK,
            "--delivery-schedule",
            "10s,20s,30s",
            "--retention-job",
            "60s",
        ]
        replicas = [operators.start(f"alo-operator-{index}", arguments=arguments) for index in range(2)]
        stage = ReportingStage(api, namespace, kubectl.inside(namespace), operators, gateway)
        with _scraping([*replicas, gateway]) as scrapes:
            _load(stage, cluster, replicas[0], receiver)
    return scrapes


def _end(end: Callable[[], None]) -> None:
    """End processes; that they complained of an API server that was stopped is as it should be."""
    with contextlib.suppress(AssertionError), contextlib.redirect_stdout(None):
        end()


@contextlib.contextmanager
def _scraping(targets: list[OperatorProcess]) -> Iterator[list[Scrape]]:
    """Scrape all targets again and again, as Prometheus would with the labels that Kubernetes gives."""
    over, scrapes = threading.Event(), list[Scrape]()

    def scrape() -> None:
        while not over.wait(EVERY):
            for index, target in enumerate(targets):
                job = f"alo-{target.what}"
                pod = f"{job}-{index % 2}"
                labels = {"namespace": SYSTEM_NAMESPACE, "job": job, "pod": pod}
                labels["instance"] = f"10.244.0.{7 + index}:8080"
                with contextlib.suppress(OSError):
                    scrapes.append((time.time(), labels, target.scrape()))

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield scrapes
    finally:
        over.set()
        thread.join()


def _load(stage: ReportingStage, cluster: Cluster, leader: OperatorProcess, receiver: Receiver) -> None:
    """Make a few operations in each step; nobody waits for them to end."""
    dice, pace = random.Random(7), threading.Event()
    job = simulated_job(20)
    stage.api.create("operationtemplates", template("two-at-once", job=job, concurrency={"limit": 2}), stage.namespace)
    for step in range(STEPS):
        receiver.always = answer(503 if step in DOWN else 200)
        if step == KILL_AT:
            leader.kill()
        elif step == KILL_AT + 4:
            leader.start(wait=False)
        elif step == STOP_AT:
            cluster.stop_component("kube-apiserver", force=True)
        elif step == STOP_AT + 2:
            cluster.start_component("kube-apiserver")
        with contextlib.suppress(ApiError, OSError, HTTPException):  # while the API server is away
            _step(stage, step, dice, receiver)
        pace.wait(EVERY)


def _step(stage: ReportingStage, step: int, dice: random.Random, receiver: Receiver) -> None:
    told: dict[str, Any] = {"callbacks": [callback("told", receiver.url, secret=None, cloud_events=True)]}
    made = [
        operation(f"plain-{step}-{index}", job=simulated_job(dice.uniform(0, 15), 3 if dice.random() < 0.2 else 0))
        for index in range(dice.randint(1, 4))
    ]
    made.append(operation(f"told-{step}", job=simulated_job(dice.uniform(0, 10)), **told))
    made.append(operation(f"kept-{step}", job=simulated_job(3600)))
    if step % 10 < 5:
        made.append(operation(f"line-{step}", template="two-at-once"))
    if step % 5 == 0:
        made.append(operation(f"late-{step}", job=simulated_job(3600), timeouts={"startToClose": "8s"}))
    stage.create(*made)
    for name in (f"kept-{step - 3}", f"kept-{step - 2}"):
        if step >= 3 and not stage.gone(name) and stage.status(name)["promise"] == "Pending":
            _report_or_cancel(stage, name, step)


def _report_or_cancel(stage: ReportingStage, name: str, step: int) -> None:
    """Work on one operation that its worker keeps running: a report first, then its end."""
    early = name.endswith(f"-{step - 2}")
    if not stage.pods(name):
        return
    if early:
        stage.reporter(name).progress(percent=50, message="half of it")
    elif step % 4 == 0:
        stage.edit(name, cancel={"reason": "not needed any more"})
    else:
        stage.reporter(name).result(json.dumps({"step": step}).encode(), "application/json")
        stage.finish(name)
