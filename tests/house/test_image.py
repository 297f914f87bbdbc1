"""The image and the manifests that run it say the same, and what the product understands."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from alo_operator import __version__
from alo_operator.controller import options as operator_options
from alo_operator.gateway import options as gateway_options
from tests.cluster import product_image
from tests.cluster.rootfs import UID
from tests.house.repository import ROOT, text

INSTALL = Path("manifests/install")
DOCKERFILE = text(Path("Dockerfile"))
PARSERS = {"operator": operator_options.parse, "gateway": gateway_options.parse}


def documents(component):
    return list(yaml.safe_load_all(text(INSTALL / f"{component}.yaml")))


def pod_of(component):
    (deployment,) = (one for one in documents(component) if one["kind"] == "Deployment")
    return deployment["spec"]["template"]["spec"]


def test_the_test_clusters_image_runs_as_the_dockerfiles_does():
    """User, environment, entry point and the programs' places are those of the Dockerfile's last stage."""
    found = product_image.settings(DOCKERFILE)
    scripts = tomllib.loads(text(Path("pyproject.toml")))["project"]["scripts"]
    search = dict(word.split("=", 1) for word in found["Env"])["PATH"].split(":")

    assert found["User"] == f"{UID}:{UID}"
    assert f":{UID}:{UID}:" in DOCKERFILE.split("FROM ${BASE}\n")[0]
    assert found["Entrypoint"] == ["alo-operator"]
    assert search[0] == f"/{product_image.HOME}/bin"
    assert {name: f"{module}:main" for name, module in product_image.PROGRAMS.items()} == scripts
    assert found["Labels"]["org.opencontainers.image.version"] == __version__


def test_everything_in_the_image_is_pinned():
    """The base image by digest, packages by the hashes of the locks, and nothing else is fetched."""
    runs = [line for line in DOCKERFILE.replace("\\\n", " ").splitlines() if line.startswith("RUN")]
    installs = [command for line in runs for command in line.split("&&") if "pip install" in command]

    assert re.search(r"^ARG BASE=\S+@sha256:[0-9a-f]{64}$", DOCKERFILE, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${BASE}"}
    assert installs
    assert all("--require-hashes" in command or "--no-index" in command for command in installs)
    assert "apt-get" not in DOCKERFILE
    assert "curl" not in DOCKERFILE


def test_the_build_sees_what_it_copies_and_nothing_else():
    """.dockerignore lets through just what the Dockerfile copies from here."""
    copied = {
        source.split("/")[0]
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    }
    let_through = {line[1:] for line in text(Path(".dockerignore")).splitlines() if line.startswith("!")}

    assert copied == let_through
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize("component", PARSERS)
def test_the_shipped_arguments_are_understood(component):
    """The Deployment's arguments are flags of the program that it runs, and its probes ask where that one answers."""
    pod = pod_of(component)
    (container,) = pod["containers"]
    words = [re.sub(r"\$\((\w+)\)", r"\1", word) for word in container["args"]]
    options = PARSERS[component](words)
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}

    assert container.get("command") == (None if component == "operator" else ["alo-gateway"])
    assert pod["serviceAccountName"] == f"alo-{component}"
    assert ports["metrics"] == options.http[1]
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": path, "port": "metrics"}


def test_the_operator_tells_workers_the_gateways_service():
    """Name, namespace and port of --report-url are those of the Service, whose selector finds the gateway's pods."""
    url = next(word for word in pod_of("operator")["containers"][0]["args"] if word.startswith("--report-url="))
    found = {one["kind"]: one for one in documents("gateway")}
    service, deployment = found["Service"], found["Deployment"]
    (port,) = service["spec"]["ports"]
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    ports = {one["name"]: one["containerPort"] for one in pod_of("gateway")["containers"][0]["ports"]}

    assert url == f"--report-url=http://{name}.{namespace}.svc:{port['port']}"
    assert ports[port["targetPort"]] == gateway_options.parse(pod_of("gateway")["containers"][0]["args"]).listen[1]
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("component", PARSERS)
def test_every_part_is_selected_by_its_own_labels(component):
    """Deployment, disruption budget and spread choose the component's pods and no others."""
    found = {one["kind"]: one["spec"] for one in documents(component)}
    labels = found["Deployment"]["template"]["metadata"]["labels"]
    spread = found["Deployment"]["template"]["spec"]["topologySpreadConstraints"]

    assert labels["app.kubernetes.io/component"] == component
    for selector in (found["Deployment"]["selector"], found["PodDisruptionBudget"]["selector"]):
        assert selector == {"matchLabels": labels}
    assert {one["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] for one in spread} == {component}


def test_the_manifests_name_the_image_of_this_version():
    """What `make image` builds is what the kustomization runs."""
    (image,) = yaml.safe_load(text(INSTALL / "kustomization.yaml"))["images"]

    assert image == {"name": "alo-operator", "newTag": __version__}
    assert {pod_of(component)["containers"][0]["image"] for component in PARSERS} == {"alo-operator"}
    assert product_image.image_name() == f"docker.io/library/alo-operator:{__version__}"


def test_the_list_of_contents_names_every_locked_package():
    """requirements/sbom.cdx.json has the lock's packages with versions and licences, and all they depend on."""
    listed = json.loads(text(Path("requirements/sbom.cdx.json")))
    locked = set(re.findall(r"^([a-z0-9.-]+==[^ ;]+)", text(Path("requirements/operator.txt")), re.MULTILINE))
    references = {one["bom-ref"] for one in listed["components"]} | {listed["metadata"]["component"]["bom-ref"]}

    assert {f"{one['name']}=={one['version']}" for one in listed["components"]} == locked
    assert all(one["licenses"][0]["expression"] for one in listed["components"])
    assert {one["ref"] for one in listed["dependencies"]} == references
    assert {ref for one in listed["dependencies"] for ref in one["dependsOn"]} <= references


def program(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)


def build(folder, *arguments):
    """Run what `make image` runs, with nothing on PATH but `folder`."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    command = [sys.executable, "-m", "scripts.build_image", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment | {"PATH": str(folder)}, capture_output=True, text=True, check=False
    )


def test_make_image_says_what_is_missing(tmp_path):
    """Where nothing can build, it ends with 2, what is wrong with each program, and what to do."""
    program(tmp_path, "docker", "echo 'Cannot connect to the Docker daemon. Is it running?' >&2; exit 1")

    done = build(tmp_path)

    assert done.returncode == 2
    assert "docker: Cannot connect to the Docker daemon. Is it running?" in done.stderr
    assert "podman: not installed, or not on PATH" in done.stderr
    assert "Install Docker" in done.stderr


def test_make_image_builds_with_what_is_there(tmp_path):
    """The first program that answers gets the Dockerfile's arguments; its exit status is ours."""
    program(tmp_path, "docker", "exit 1")
    program(tmp_path, "podman", '[ "$1" = info ] || { echo "$@"; exit 7; }')

    done = build(tmp_path, "--base", "local/python:3.11", "--no-cache")

    assert done.returncode == 7
    assert f"build --format=docker --tag alo-operator:{__version__} --build-arg VERSION={__version__}" in done.stdout
    assert "--build-arg BASE=local/python:3.11 --no-cache ." in done.stdout
