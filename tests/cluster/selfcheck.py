"""What the cluster promises, tried on a running one: `python -m tests.cluster selfcheck`."""

import json
import time
from collections.abc import Callable
from typing import Any

from tests.cluster import network, remains, services
from tests.cluster.commands import run, succeeds
from tests.cluster.controlgroups import members
from tests.cluster.errors import ClusterError
from tests.cluster.images import PYTHON, SHELL
from tests.cluster.progress import say
from tests.cluster.providers import Options, choose
from tests.cluster.running import RunningCluster
from tests.cluster.source_built import SourceBuilt
from tests.cluster.waiting import wait_until

NAMESPACE = "alo-test-selfcheck"
PATIENCE = 60.0
TRAP = """\
trap 'printf bye > /dev/termination-log; exit 3' TERM
echo ready
while :; do sleep 0.1; done
"""
PYTHON_SCRIPT = """\
import getpass, hashlib, json, os, sqlite3, ssl, urllib.request
context = ssl.create_default_context(cafile='/var/run/secrets/kubernetes.io/serviceaccount/ca.crt')
address = os.environ['KUBERNETES_SERVICE_HOST'] + ':' + os.environ['KUBERNETES_SERVICE_PORT']
answer = json.load(urllib.request.urlopen('https://' + address + '/version', context=context))
print(getpass.getuser(), answer['gitVersion'])
"""
SERVICE_SCRIPT = """\
import errno, os, socket, sys, time, urllib.request
namespace, seen, until = sys.argv[1], set(), time.monotonic() + 30
while len(seen) < 2 and time.monotonic() < until:
    try:
        seen.add(urllib.request.urlopen(f'http://server.{namespace}.svc', timeout=2).read().decode().strip())
    except OSError:
        time.sleep(0.1)
print(*sorted(seen))
try:
    socket.getaddrinfo('nobody.invalid', 80)
except socket.gaierror as error:
    print('unknown' if error.errno == socket.EAI_NONAME else error)
nobody = os.environ['KUBERNETES_SERVICE_HOST'].rsplit('.', 2)[0] + '.77.77'
try:
    socket.create_connection((nobody, 80), timeout=5)
except OSError as error:
    print('unreachable' if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH) else error)
"""


def job(
    name: str, *, image: str = SHELL, command: list[str] | None = None, simulate: dict[str, str] | None = None
) -> Any:
    """Return a Job of one try; with `simulate` (annotations of the pod) it goes to the simulated nodes."""
    container: dict[str, Any] = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent"}
    if command is not None:
        container["command"] = command
    pod: dict[str, Any] = {"restartPolicy": "Never", "containers": [container], "terminationGracePeriodSeconds": 20}
    if simulate is not None:
        pod |= {"nodeSelector": {"type": "kwok"}, "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}]}
    template = {"metadata": {"annotations": simulate or {}}, "spec": pod}
    metadata = {"name": name, "namespace": NAMESPACE}
    spec = {"backoffLimit": 0, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


class Checks:
    """Each method whose name starts with `check_` is one check; it raises AssertionError or ClusterError."""

    def __init__(self, cluster: RunningCluster) -> None:
        self.cluster = cluster

    def kubectl(self, *arguments: str, feed: str | None = None) -> str:
        return self.cluster.run_kubectl("-n", NAMESPACE, *arguments, feed=feed)

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def create(self, manifest: Any) -> None:
        self.kubectl("create", "-f", "-", feed=json.dumps(manifest))

    def pod_of(self, job_name: str) -> Any:
        items = self.get("pods", "-l", f"job-name={job_name}")["items"]
        return items[0] if items else {"metadata": {"name": ""}, "status": {}}

    def await_state(self, job_name: str, condition: str) -> Any:
        """Wait for a condition of the Job, then return its pod's container's end."""
        self.kubectl("wait", "--for", f"condition={condition}", f"job/{job_name}", f"--timeout={PATIENCE:g}s")
        return self.pod_of(job_name)["status"]["containerStatuses"][0]["state"]["terminated"]

    def await_container(self, job_name: str, state: str) -> Any:
        def found() -> Any:
            statuses = self.pod_of(job_name)["status"].get("containerStatuses") or [{}]
            return (statuses[0].get("state") or {}).get(state)

        wait_until(lambda: found() is not None, seconds=PATIENCE, what=f"the container of {job_name} is {state}")
        return found()

    def check_simulated_job_runs_as_long_as_asked(self) -> None:
        """A simulated Job of 3 s takes 3 s, and not much more."""
        self.create(job("sim", simulate={"alo-test/run-seconds": "3", "alo-test/message": '{"value": 1}'}))
        self.await_container("sim", "running")
        began = time.monotonic()
        end = self.await_state("sim", "Complete")
        took = time.monotonic() - began
        assert (end["exitCode"], end["reason"], end["message"]) == (0, "Completed", '{"value": 1}'), end
        assert 2.5 < took < 8, took

    def check_simulated_job_fails_as_asked(self) -> None:
        self.create(job("sim-fails", simulate={"alo-test/exit-code": "42"}))
        end = self.await_state("sim-fails", "Failed")
        assert (end["exitCode"], end["reason"]) == (42, "Error"), end
        assert self.pod_of("sim-fails")["status"]["phase"] == "Failed"

    def check_simulated_pod_stays_pending_and_goes_when_deleted(self) -> None:
        self.create(job("sim-never", simulate={"alo-test/never-start": "true"}))
        wait_until(
            lambda: bool(self.pod_of("sim-never").get("spec", {}).get("nodeName")), seconds=PATIENCE, what="scheduling"
        )
        assert self.pod_of("sim-never")["status"]["phase"] == "Pending"
        self.kubectl("delete", "job", "sim-never")
        wait_until(lambda: not self.pod_of("sim-never")["metadata"]["name"], seconds=PATIENCE, what="the pod goes")

    def check_real_job_completes_with_log_and_message(self) -> None:
        self.create(job("real", command=["sh", "-c", "echo hi; printf value > /dev/termination-log"]))
        end = self.await_state("real", "Complete")
        assert (end["exitCode"], end["message"]) == (0, "value"), end
        assert self.kubectl("logs", "job/real").strip() == "hi"
        assert self.pod_of("real")["spec"]["nodeName"] == self.cluster.layout.node_name

    def check_real_job_fails_with_its_exit_code(self) -> None:
        self.create(job("real-fails", command=["sh", "-c", "exit 7"]))
        assert self.await_state("real-fails", "Failed")["exitCode"] == 7

    def check_python_image_reaches_the_api_server(self) -> None:
        """CPython runs in a pod, as a user with a name, and reaches the API server at its service address."""
        manifest = job("python", image=PYTHON, command=["python3", "-c", PYTHON_SCRIPT])
        manifest["spec"]["template"]["spec"]["securityContext"] = {"runAsUser": 65532}
        self.create(manifest)
        self.await_state("python", "Complete")
        assert self.kubectl("logs", "job/python").split() == ["alo", "v1.34.4"]

    def check_deleted_pod_gets_sigterm_and_shows_its_end(self) -> None:
        """A pod that is deleted gets SIGTERM, and its exit code and message show before it goes."""
        manifest = job("trap", command=["sh", "-c", TRAP])
        manifest["spec"]["template"]["metadata"]["finalizers"] = ["alo-test/keep"]
        self.create(manifest)
        self.await_container("trap", "running")
        wait_until(lambda: "ready" in self.kubectl("logs", "job/trap"), seconds=PATIENCE, what="the trap is set")
        pod = self.pod_of("trap")["metadata"]["name"]
        self.kubectl("delete", "pod", pod, "--wait=false")
        end = self.await_container("trap", "terminated")
        assert (end["exitCode"], end["message"]) == (3, "bye"), end
        self.kubectl("delete", "job", "trap", "--wait=false")
        self.kubectl("patch", "pod", pod, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')

    def check_absent_image_is_asked_of_nobody(self) -> None:
        self.create(job("absent", image="registry.invalid/absent:1"))
        waiting = self.await_container("absent", "waiting")
        wait_until(
            lambda: "127.0.0.1:1" in json.dumps(self.pod_of("absent")["status"]),
            seconds=PATIENCE,
            what=f"the image is refused by this machine, not {waiting}",
        )
        self.kubectl("delete", "job", "absent")

    def check_services_are_found_by_name(self) -> None:
        """A pod reaches both endpoints of a Service by its name; an address of nobody is unreachable at once."""
        for number in ("1", "2"):
            server = f"echo endpoint-{number} > /tmp/index.html; httpd -f -p 8080 -h /tmp"
            manifest = job(f"server-{number}", command=["sh", "-c", server])
            manifest["spec"]["template"]["metadata"]["labels"] = {"app": "server"}
            self.create(manifest)
        ports = [{"port": 80, "targetPort": 8080}]
        spec = {"selector": {"app": "server"}, "ports": ports}
        self.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "server"}, "spec": spec})
        for number in ("1", "2"):
            self.await_container(f"server-{number}", "running")
        self.create(job("client", image=PYTHON, command=["python3", "-c", SERVICE_SCRIPT, NAMESPACE]))
        self.await_state("client", "Complete")
        said = self.kubectl("logs", "job/client").split()
        assert said == ["endpoint-1", "endpoint-2", "unknown", "unreachable"], said
        self.kubectl("delete", "job", "server-1", "server-2", "--wait=false")

    def check_guard_is_laid(self) -> None:
        assert network.guarded(self.cluster.layout)

    def check_audit_log_has_each_request(self) -> None:
        self.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "audited", "namespace": NAMESPACE}})
        assert self.cluster.audit_log is not None
        lines = [json.loads(line) for line in self.cluster.audit_log.read_text().splitlines()]
        seen = [
            line
            for line in lines
            if line["verb"] == "create" and (line.get("objectRef") or {}).get("resource") == "configmaps"
            and line["objectRef"].get("namespace") == NAMESPACE and line["user"]["username"] == "alo-admin"
        ]  # fmt: skip
        assert [line["stage"] for line in seen] == ["ResponseComplete"], seen

    def check_service_account_and_user_have_their_own_rights(self) -> None:
        self.kubectl("create", "serviceaccount", "robot")
        self.kubectl("create", "rolebinding", "robot", "--clusterrole=view", f"--serviceaccount={NAMESPACE}:robot")
        self.kubectl("create", "rolebinding", "people", "--clusterrole=edit", "--group=makers")
        robot = self.cluster.kubeconfig_for_service_account(NAMESPACE, "robot")
        maker = self.cluster.kubeconfig_for_user("ann", ("makers",))
        allowed = {
            (who.name, verb): succeeds(
                [self.cluster.kubectl, "--kubeconfig", who, "-n", NAMESPACE, "auth", "can-i", verb, "jobs.batch"]
            )
            for who in (robot, maker)
            for verb in ("get", "create")
        }
        assert list(allowed.values()) == [True, False, True, True], allowed

    def check_components_stop_and_start(self) -> None:
        """Everything can be stopped and started, and Jobs run again after it."""
        for name in ("kube-controller-manager", "kube-apiserver", "etcd", "kwok", "kube-scheduler", "kubelet"):
            self.cluster.stop_component(name, force=name == "etcd")
            assert not self.cluster.layout.processes.runs(name)
            self.cluster.start_component(name)
        wait_until(self.cluster.healthy, seconds=PATIENCE, what="the cluster is healthy again")
        self.create(job("after", command=["true"]))
        self.create(job("sim-after", simulate={}))
        self.await_state("after", "Complete")
        self.await_state("sim-after", "Complete")


def check(name: str) -> None:
    """Start a cluster, try everything, stop it, look for what it left, start it again, and stop it.

    Raises ClusterError at the first check that fails; the cluster stays up then, to be looked at.
    """
    provider = choose()
    if not isinstance(provider, SourceBuilt):
        raise ClusterError("selfcheck is for the source-built cluster; unset ALO_TEST_KUBECONFIG")
    options = Options(name=name, services=True)
    cluster = provider.up(options)
    cluster.run_kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", seconds=120)
    cluster.run_kubectl("create", "namespace", NAMESPACE)
    wait_until(
        lambda: succeeds(
            [cluster.kubectl, "--kubeconfig", cluster.kubeconfig, "-n", NAMESPACE, "get", "sa", "default"]
        ),
        seconds=PATIENCE,
        what="the namespace's service account",
    )
    checks = Checks(cluster)
    names = [method for method in dir(checks) if method.startswith("check_")]
    for method in names:
        attempt(method, getattr(checks, method))
    # One container is left running, so that `down` has something to take away.
    checks.create(job("left", command=["sleep", "1000"]))
    checks.await_container("left", "running")
    attempt("up_finds_it_running", lambda: within(5, lambda: provider.up(options)))
    attempt("down_takes_ten_seconds_at_most", lambda: within(10, lambda: provider.down(name)))
    attempt("down_leaves_nothing", lambda: nothing_left(cluster))
    attempt("up_again_takes_less_than_20_seconds", lambda: within(20, lambda: provider.up(options)))
    provider.down(name)
    say(f"all {len(names) + 4} checks passed")


def attempt(name: str, action: Callable[[], object]) -> None:
    text = name.removeprefix("check_").replace("_", " ")
    began = time.monotonic()
    try:
        action()
    except AssertionError as error:
        raise ClusterError(f"check failed: {text}: {error!r}") from error
    say(f"ok   {text} ({time.monotonic() - began:.1f} s)")


def within(seconds: float, action: Callable[[], object]) -> None:
    began = time.monotonic()
    action()
    took = time.monotonic() - began
    assert took < seconds, f"took {took:.1f} s"


def nothing_left(cluster: RunningCluster) -> None:
    layout = cluster.layout
    assert not layout.state_dir.exists()
    assert not layout.node_dir.exists()
    assert remains.mounts_below(layout.state_dir) == []
    assert remains.mounts_below(layout.node_dir) == []
    assert list(remains.shims(layout)) == []
    assert members(f"alo-{layout.tag}") == set()
    assert not succeeds(["ip", "link", "show", layout.bridge])
    assert not services.exists(layout)
    firewall = network.working_firewall()
    for table in ("filter", "nat"):
        assert layout.tag not in run([firewall, "-t", table, "-S"])
    processes = run(["ps", "-eo", "args"])
    assert str(layout.state_dir) not in processes
