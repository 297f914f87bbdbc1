"""What the tests of the chart share: values, and how its objects are compared with others."""

from typing import Any

from alo_operator.controller import options as controller_options
from alo_operator.gateway import options as gateway_options

Object = dict[str, Any]

OPERATOR = ("Deployment", "alo-system", "alo-operator")
GATEWAY = ("Deployment", "alo-system", "alo-gateway")
# All that can be switched on, and every value that a program is told of.
EVERYTHING: Object = {
    "commonLabels": {"team": "media"},
    "imagePullSecrets": [{"name": "registry"}],
    "policies": {"finalizer": True},
    "image": {"digest": f"sha256:{'0' * 64}"},
    "operator": {
        "lease": {"renew": "4s"},
        "logTail": False,
        "delivery": {"allow": ["10.0.0.0/8", ".svc"], "caSecret": {"name": "receivers", "key": "authority.pem"}},
        "priorityClassName": "system-cluster-critical",
        "podLabels": {"kind": "operator"},
        "podAnnotations": {"said": "hello"},
        "nodeSelector": {"type": "kwok"},
        "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"nodeAffinity": {}},
        "extraArgs": ["--log-level=debug"],
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}],
        "serviceAccount": {"annotations": {"said": "hello"}},
    },
    "gateway": {
        "service": {"annotations": {"said": "hello"}},
        "tls": {"secretName": "gateway-tls"},
        "serviceAccount": {"annotations": {"said": "hello"}},
        "extraEnv": [{"name": "A", "value": "b"}],
    },
    "metrics": {
        "serviceMonitor": {"enabled": True, "interval": "30s", "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboard": {"enabled": True},
    },
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
        "reportsFrom": [{"namespaceSelector": {}}],
    },
    "flowControl": {"enabled": True},
}
# What the two ways of installing may say differently: who installed it, and in which version.
SAID_BY_HELM = {
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "helm.sh/chart",
    "helm.sh/resource-policy",
    "argocd.argoproj.io/sync-options",
}


def plain(thing: Any) -> Any:
    """Return a manifest without labels and annotations that speak of how it was installed, nor empty mappings."""
    if isinstance(thing, dict):
        kept = {key: plain(value) for key, value in thing.items() if key not in SAID_BY_HELM}
        return {key: value for key, value in kept.items() if value != {}}
    return [plain(item) for item in thing] if isinstance(thing, list) else thing


def options(deployment: Object) -> gateway_options.Options | controller_options.Options:
    """Return what the program that a Deployment runs makes of its arguments."""
    found = container(deployment)
    parse = gateway_options.parse if found.get("command") == ["alo-gateway"] else controller_options.parse
    return parse(found["args"])


def container(deployment: Object) -> Object:
    """Return the one container of a Deployment."""
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(found)


def flags(deployment: Object) -> dict[str, list[str]]:
    """Return the arguments of its container: flag -> values ("" where it takes none)."""
    found: dict[str, list[str]] = {}
    for word in container(deployment)["args"][1:]:
        name, _, value = word.partition("=")
        found.setdefault(name, []).append(value)
    return found
