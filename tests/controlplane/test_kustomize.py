"""kustomize and our kinds: names reach their references, images the Jobs, and labels nothing that must not change."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.support.operations import operation, template

CONFIGURATION = Path(__file__).resolve().parents[2] / "manifests" / "gitops" / "kustomizeconfig.yaml"
KUSTOMIZATION = """
resources: [all.yaml]
configurations: [kustomizeconfig.yaml]
namePrefix: media-
nameSuffix: -7f3c
images: [{name: registry.example/resize, newTag: "2"}]
commonLabels: {team: media}
secretGenerator: [{name: hook, literals: [key=abc]}]
configMapGenerator: [{name: settings, literals: [a=b]}]
"""


def job():
    sources = [{"configMap": {"name": "settings"}}, {"secret": {"name": "hook"}}]
    container = {
        "name": "main",
        "image": "registry.example/resize:1",
        "envFrom": [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "hook"}}],
        "env": [
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "hook", "key": "key"}}},
            {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}},
        ],
    }
    spec = {
        "restartPolicy": "Never",
        "serviceAccountName": "worker",
        "imagePullSecrets": [{"name": "hook"}],
        "initContainers": [container | {"name": "first"}],
        "containers": [container],
        "volumes": [
            {"name": "a", "configMap": {"name": "settings"}},
            {"name": "b", "secret": {"secretName": "hook"}},
            {"name": "c", "projected": {"sources": sources}},
            {"name": "d", "persistentVolumeClaim": {"claimName": "scratch"}},
        ],
    }
    return {"spec": {"template": {"spec": spec}}}


@pytest.fixture
def built(tmp_path, cluster_kubectl):
    """Kind and original name -> what `kubectl kustomize` makes of it."""
    callback = {"name": "a", "url": "https://hook.example/", "secretRef": {"name": "hook", "key": "key"}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "scratch"}, "spec": {}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "worker"}}
    manifests = [
        template("resize", job=job()),
        operation("cat", template="resize", callbacks=[callback]),
        operation("dog", job=job()),
        account,
        claim,
    ]
    shutil.copy(CONFIGURATION, tmp_path)
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(manifests), "utf-8")
    (tmp_path / "kustomization.yaml").write_text(KUSTOMIZATION, "utf-8")
    found = list(yaml.safe_load_all(cluster_kubectl("kustomize", tmp_path).stdout))
    return {(one["kind"], one["metadata"]["name"].split("-")[1]): one for one in found}


def test_names_reach_what_refers_to_them(built):
    """Prefix, suffix and hash of a name stand in the operation, in the template and in both their Jobs."""
    name = {key: one["metadata"]["name"] for key, one in built.items()}
    secret, settings = name["Secret", "hook"], name["ConfigMap", "settings"]
    expected = yaml.safe_load(
        yaml.safe_dump(job())
        .replace(": hook", f": {secret}")
        .replace(": settings", f": {settings}")
        .replace(": worker", ": media-worker-7f3c")
        .replace(": scratch", ": media-scratch-7f3c")
        .replace("resize:1", "resize:2")
    )

    assert built["AsyncOperation", "cat"]["spec"]["templateRef"]["name"] == "media-resize-7f3c"
    assert built["AsyncOperation", "cat"]["spec"]["callbacks"][0]["secretRef"]["name"] == secret
    assert built["AsyncOperation", "dog"]["spec"]["job"] == expected
    assert built["OperationTemplate", "resize"]["spec"]["job"] == expected


def test_common_labels_stay_out_of_what_defines_the_work(built):
    """A label that is added later changes no Job, so that the manifest still applies."""
    for one in built.values():
        assert one["metadata"]["labels"] == {"team": "media"}
    assert "team" not in yaml.safe_dump(built["AsyncOperation", "dog"]["spec"])
