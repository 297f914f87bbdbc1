"""The provider for people with Docker, against stand-ins for its programs: what it runs and what it says."""

import pytest
import yaml

from tests.cluster import kind
from tests.cluster.errors import ClusterError
from tests.cluster.kind import Kind
from tests.cluster.providers import Capability, Options, choose
from tests.cluster.source_built import SourceBuilt

# Each call becomes a line of $LOG; kind knows the clusters that $CLUSTERS lists, and lists what it has created.
DOCKER = """
echo "docker $*" >>"$LOG"
case "$1 $2" in
"info --format") exit "$(cat "$STATE/docker-info" 2>/dev/null || echo 0)" ;;
"image inspect") exit 1 ;;
"network inspect") echo '[{"IPAM": {"Config": [{"Gateway": "fc00::1"}, {"Gateway": "172.18.0.1"}]}}]' ;;
esac
"""
KIND = """
echo "kind $*" >>"$LOG"
case "$1 $2" in
"get clusters") cat "$STATE/clusters" 2>/dev/null || true ;;
"create cluster")
    if [ -e "$STATE/broken" ]; then echo 'ERROR: failed to create cluster: no space left' >&2; exit 1; fi
    echo "$4" >>"$STATE/clusters" ;;
"delete cluster") rm "$STATE/clusters" ;;
esac
"""
KUBECTL = """
echo "kubectl $*" >>"$LOG"
case "$*" in *"config view"*) echo '{"clusters": [{"cluster": {"server": "https://127.0.0.1:6443"}}]}' ;; esac
"""


class Machine:
    """A machine with some programs on it; `calls` are what was run, without kubectl."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.log, self.state = folder / "bin", folder / "log", folder / "state"
        self.folder.mkdir()
        self.state.mkdir()
        monkeypatch.setenv("PATH", f"{self.folder}:/usr/bin:/bin")
        monkeypatch.setenv("LOG", str(self.log))
        monkeypatch.setenv("STATE", str(self.state))
        for variable in ("ALO_TEST_KUBECONFIG", "ALO_CLUSTER_PROVIDER", "ALO_KIND_IMAGE"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setattr(kind, "state_dir_of", lambda name: folder / name)
        monkeypatch.setattr(kind.shutil, "which", self.which)
        monkeypatch.setattr(kind, "system", lambda: "linux")

    def which(self, program):
        """Nothing of the real machine is seen."""
        path = self.folder / program
        return str(path) if path.exists() else None

    def has(self, **programs):
        for name, script in programs.items():
            path = self.folder / name
            path.write_text(f"#!/bin/sh\n{script}", "utf-8")
            path.chmod(0o755)

    def calls(self):
        lines = self.log.read_text("utf-8").splitlines() if self.log.exists() else []
        return [line for line in lines if not line.startswith("kubectl")]


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """Without any of the programs."""
    return Machine(tmp_path, monkeypatch)


@pytest.fixture
def machine(bare):
    """With all of them."""
    bare.has(docker=DOCKER, kind=KIND, kubectl=KUBECTL)
    return bare


@pytest.mark.parametrize(
    ("system", "remedy"),
    [("darwin", "Docker Desktop, or `brew install colima"), ("wsl", "WSL integration"), ("linux", "engine/install")],
)
def test_where_docker_is_missing_it_says_how_to_get_it(bare, monkeypatch, system, remedy):
    """In the words of the system: macOS, WSL2 or Linux."""
    monkeypatch.setattr(kind, "system", lambda: system)

    assert "docker is not on PATH" in Kind().available()
    assert remedy in Kind().available()


def test_an_engine_that_does_not_run_is_told_from_a_missing_program(machine):
    """The commonest case: Docker Desktop is installed, and not started."""
    (machine.state / "docker-info").write_text("1", "utf-8")

    assert "its engine does not answer" in Kind().available()
    with pytest.raises(ClusterError, match="its engine does not answer"):
        Kind().up(Options(name="x"))


@pytest.mark.parametrize("missing", ["kind", "kubectl"])
def test_each_missing_program_is_named_with_its_source(machine, missing, monkeypatch):
    """On macOS there is Homebrew, elsewhere an address."""
    (machine.folder / missing).unlink()
    assert f"{missing} is not on PATH" in Kind().available()
    assert "https://" in Kind().available()
    monkeypatch.setattr(kind, "system", lambda: "darwin")

    assert f"`brew install {missing}`" in Kind().available()


def test_up_creates_the_cluster_and_loads_images_named_by_digest(machine, monkeypatch):
    """One configuration file, a kubeconfig of its own, and a node image of the caller's choice."""
    monkeypatch.setenv("ALO_KIND_IMAGE", "kindest/node:v1.34.4")
    cluster = Kind().up(Options(name="x"))

    state = machine.state.parent / "kind-x"
    create = f"kind create cluster --name alo-x --config {state}/kind.yaml --kubeconfig {state}/kubeconfig --wait 180s"
    calls = machine.calls()
    assert f"{create} --image kindest/node:v1.34.4" in calls
    for name, source in kind.IMAGES.items():
        assert "@sha256:" in source
        wanted = [f"docker pull {source}", f"docker tag {source} {name}", f"kind load docker-image {name} --name alo-x"]
        assert [call for call in calls if call in wanted] == wanted
    assert cluster.server == "https://127.0.0.1:6443"
    assert cluster.host_address == "172.18.0.1"
    assert Capability.STOP_COMPONENT not in cluster.capabilities
    with pytest.raises(ClusterError, match="no way to stop and start its components"):
        cluster.stop_component("etcd")


def test_a_cluster_that_is_up_is_found_and_down_takes_all_of_it_away(machine):
    """A second `up` creates nothing; `down` deletes the cluster and its folder, and may be repeated."""
    Kind().up(Options(name="x"))
    before = len([call for call in machine.calls() if call.startswith("kind create")])
    assert Kind().up(Options(name="x")).name == "x"
    assert len([call for call in machine.calls() if call.startswith("kind create")]) == before == 1

    Kind().down("x")
    Kind().down("x")

    assert Kind().find("x") is None
    assert len([call for call in machine.calls() if call.startswith("kind delete")]) == 1
    assert not (machine.state.parent / "kind-x").exists()


def test_what_kind_says_of_a_failure_is_passed_on(machine):
    """And the next `up` begins anew."""
    (machine.state / "broken").touch()
    with pytest.raises(ClusterError, match="no space left"):
        Kind().up(Options(name="x"))
    (machine.state / "broken").unlink()

    assert Kind().up(Options(name="x")).name == "x"


def test_the_provider_is_the_one_that_can_work_unless_it_is_named(machine, monkeypatch):
    """The source-built one first; kind where only that is possible; a wrong name is no choice."""
    monkeypatch.setattr(SourceBuilt, "available", lambda _: None)
    assert choose().name == "source-built"
    monkeypatch.setattr(SourceBuilt, "available", lambda _: "it needs Linux")
    assert choose().name == "kind"
    monkeypatch.setenv("ALO_CLUSTER_PROVIDER", "source-built")
    assert choose().name == "source-built"
    monkeypatch.setenv("ALO_CLUSTER_PROVIDER", "minikube")
    with pytest.raises(ClusterError, match="use source-built or kind"):
        choose()


def test_the_configuration_asks_both_kinds_of_kubeadm_for_the_same():
    """Before and from Kubernetes 1.36 on the format differs, and what is asked for does not."""
    node = yaml.safe_load(kind.CONFIGURATION.read_text("utf-8"))["nodes"][0]
    patches = [yaml.safe_load(patch) for patch in node["kubeadmConfigPatches"]]
    old, new = (patch for patch in patches if patch["kind"] == "ClusterConfiguration")

    for part in ("apiServer", "controllerManager", "scheduler"):
        assert {one["name"]: one["value"] for one in new[part]["extraArgs"]} == old[part]["extraArgs"]
    assert new["apiServer"]["extraVolumes"] == old["apiServer"]["extraVolumes"]
