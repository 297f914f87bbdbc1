"""Who we are at which API server: from a kubeconfig (certificates, tokens, exec plugins) or a pod's service account.

Kopf's own login knows no exec plugins, which managed clusters use, so both Kopf and our client log in through here.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from alo_operator.effects import clock
from alo_operator.errors import ConfigurationError

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# Bound tokens are rotated on disk well before they expire; so are certificates by most tools.
REFRESH_EVERY: Final = timedelta(minutes=1)
EXEC_TIMEOUT: Final = 60.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """One way into one API server; PEM texts are bytes, `expires` is when to ask for new ones."""

    server: str
    ca: bytes | None = None
    insecure: bool = False
    certificate: bytes | None = None
    private_key: bytes | None = None
    token: str | None = None
    username: str | None = None
    password: str | None = None
    namespace: str | None = None
    proxy_url: str | None = None
    expires: datetime | None = None

    def headers(self) -> dict[str, str]:
        """The Authorization header, where there is one."""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if self.username and self.password:
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {}

    def ssl_context(self) -> ssl.SSLContext:
        """TLS settings with the cluster's authority and our certificate.

        Raises:
            ConfigurationError: a certificate or key cannot be read.
        """
        try:
            context = ssl.create_default_context(cadata=self.ca.decode() if self.ca else None)
            if self.insecure:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if self.certificate and self.private_key:
                # The ssl module reads certificates from files only.
                with tempfile.NamedTemporaryFile(buffering=0) as pair:
                    pair.write(self.certificate + b"\n" + self.private_key)
                    context.load_cert_chain(pair.name)
        except (ssl.SSLError, ValueError) as error:
            raise ConfigurationError(
                f"the certificates for {self.server} cannot be used: {error}", "Get a new kubeconfig"
            ) from error
        return context


def load(kubeconfig: Path | None) -> Credentials:
    """Credentials from `kubeconfig`, else from $KUBECONFIG, the pod's service account or ~/.kube/config, in this order.

    Raises:
        ConfigurationError: nothing found, or what was found cannot be used; the message names the file and the entry.
    """
    if kubeconfig:
        return _from_kubeconfig(kubeconfig)
    if os.environ.get("KUBECONFIG"):
        return _from_kubeconfig(Path(os.environ["KUBECONFIG"].split(os.pathsep)[0]))
    if (SERVICE_ACCOUNT / "token").exists():
        return _from_service_account()
    default = Path.home() / ".kube" / "config"
    if default.exists():
        return _from_kubeconfig(default)
    raise ConfigurationError(
        "no credentials: neither a kubeconfig nor a pod's service account was found",
        "Name one with --kubeconfig or $KUBECONFIG",
    )


def _from_service_account() -> Credentials:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if ":" in host:
        host = f"[{host}]"
    return Credentials(
        server=f"https://{host}:{port}",
        ca=(SERVICE_ACCOUNT / "ca.crt").read_bytes(),
        token=(SERVICE_ACCOUNT / "token").read_text().strip(),
        namespace=(SERVICE_ACCOUNT / "namespace").read_text().strip(),
        expires=clock.now() + REFRESH_EVERY,
    )


def _from_kubeconfig(path: Path) -> Credentials:
    advice = f"Give a working kubeconfig with --kubeconfig (try it with: kubectl --kubeconfig {path} get namespaces)"
    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"kubeconfig {path} cannot be read: {' '.join(str(error).split())}", advice) from error
    try:
        context = _named(config, "contexts", "context", config["current-context"])
        cluster = _named(config, "clusters", "cluster", context["cluster"])
        user = _named(config, "users", "user", context["user"])
        server = cluster["server"]
        _url(server)
        material = {
            "ca": _pem(path, cluster, "certificate-authority"),
            "certificate": _pem(path, user, "client-certificate"),
            "private_key": _pem(path, user, "client-key"),
        }
        token, expires = user.get("token"), None
        if user.get("tokenFile"):
            token = (path.parent / user["tokenFile"]).read_text().strip()
            expires = clock.now() + REFRESH_EVERY
        if user.get("exec"):
            given = _run_plugin(user["exec"], path.parent)
            token = given.get("token", token)
            material["certificate"] = _text(given, "clientCertificateData") or material["certificate"]
            material["private_key"] = _text(given, "clientKeyData") or material["private_key"]
            expires = _moment(given.get("expirationTimestamp"))
        return Credentials(
            server=server.rstrip("/"),
            insecure=bool(cluster.get("insecure-skip-tls-verify")),
            token=token,
            username=user.get("username"),
            password=user.get("password"),
            namespace=context.get("namespace"),
            proxy_url=cluster.get("proxy-url"),
            expires=expires,
            **material,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ConfigurationError(f"kubeconfig {path} is not complete: {what}", advice) from error


def _url(server: object) -> None:
    if not isinstance(server, str) or not server.startswith(("https://", "http://")):
        raise ValueError(f"server {server!r} is not a URL")


def _named(config: Mapping[str, Any], kinds: str, kind: str, name: str) -> dict[str, Any]:
    for entry in config[kinds] or ():
        if entry["name"] == name:
            return dict(entry[kind] or {})
    raise ValueError(f"{kind} {name!r} is not among its {kinds}")


def _pem(path: Path, entry: Mapping[str, Any], key: str) -> bytes | None:
    if data := entry.get(f"{key}-data"):
        return base64.b64decode(data, validate=True)
    if name := entry.get(key):
        return (path.parent / str(name)).read_bytes()
    return None


def _run_plugin(exec_config: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """Credentials from a client-go exec plugin (https://kubernetes.io/docs/reference/access-authn-authz/authentication)."""
    command = exec_config["command"]
    request = {"apiVersion": exec_config["apiVersion"], "kind": "ExecCredential", "spec": {"interactive": False}}
    given = {entry["name"]: entry["value"] for entry in exec_config.get("env") or ()}
    environment = {**os.environ, **given, "KUBERNETES_EXEC_INFO": json.dumps(request)}
    if os.sep in command:
        command = str(directory / command)
    try:
        done = subprocess.run(
            [command, *(exec_config.get("args") or ())],
            env=environment,
            capture_output=True,
            check=True,
            timeout=EXEC_TIMEOUT,
        )
        return dict(json.loads(done.stdout)["status"])
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()[-500:]
        raise ValueError(f"the plugin {command} failed with exit code {error.returncode}: {said}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(f"the plugin {command} could not be run: {error}") from error


def _text(given: Mapping[str, Any], key: str) -> bytes | None:
    value = given.get(key)
    return value.encode() if isinstance(value, str) and value else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
