"""A small client of the Kubernetes API for tests: one kept-alive connection, plain JSON, no cache.

Polling through it costs about a millisecond, where each `kubectl` costs a process.
"""

import base64
import http.client
import json
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import yaml

Object = dict[str, Any]
Patch = Object | list[Object]

GROUPS = {  # plural -> API group and version; all of these lie in a namespace unless CLUSTER_WIDE names them
    "asyncoperations": "alo-operator.io/v1alpha1",
    "operationtemplates": "alo-operator.io/v1alpha1",
    "jobs": "batch/v1",
    "leases": "coordination.k8s.io/v1",
    "customresourcedefinitions": "apiextensions.k8s.io/v1",
    "roles": "rbac.authorization.k8s.io/v1",
    "rolebindings": "rbac.authorization.k8s.io/v1",
    "clusterroles": "rbac.authorization.k8s.io/v1",
    "clusterrolebindings": "rbac.authorization.k8s.io/v1",
    "validatingadmissionpolicies": "admissionregistration.k8s.io/v1",
    "validatingadmissionpolicybindings": "admissionregistration.k8s.io/v1",
}
CLUSTER_WIDE = {
    "namespaces",
    "nodes",
    "customresourcedefinitions",
    "clusterroles",
    "clusterrolebindings",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
}
PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


class ApiError(Exception):
    """The API server refused a request. `status` is the HTTP code, `body` the Status object."""

    def __init__(self, method: str, path: str, status: int, body: Object) -> None:
        super().__init__(f"{method} {path}: {status} {body.get('message') or body}")
        self.status = status
        self.body = body


@dataclass(frozen=True)
class Access:
    """How to reach a cluster: from a kubeconfig's current context. Files keep the client's certificate."""

    server: str
    context: ssl.SSLContext | None
    headers: dict[str, str]


def read_kubeconfig(path: Path) -> Access:
    """Return the access of the current context. Raises ValueError for a login that needs a program to be run."""
    config = yaml.safe_load(path.read_text("utf-8"))
    named = {
        kind: {entry["name"]: entry[kind[:-1]] for entry in config[kind]} for kind in ("clusters", "users", "contexts")
    }
    context = named["contexts"][config["current-context"]]
    cluster, user = named["clusters"][context["cluster"]], named["users"][context["user"]]
    if "exec" in user or "auth-provider" in user:
        raise ValueError(f"{path}: tests need a kubeconfig with a certificate or a token, not with a login program")
    headers = {"Accept": "application/json", "User-Agent": "alo-tests"}
    token = user.get("token") or (Path(user["tokenFile"]).read_text("utf-8").strip() if "tokenFile" in user else None)
    if token:
        headers["Authorization"] = f"Bearer {token}"
    server = str(cluster["server"])
    return Access(server, _tls(path, cluster, user) if server.startswith("https") else None, headers)


def _tls(path: Path, cluster: Object, user: Object) -> ssl.SSLContext:
    authority = _content(path, cluster, "certificate-authority")
    tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    certificate, key = _content(path, user, "client-certificate"), _content(path, user, "client-key")
    if certificate and key:
        with tempfile.NamedTemporaryFile() as both:  # ssl reads certificates from files only
            both.write(certificate + b"\n" + key)
            both.flush()
            tls.load_cert_chain(both.name)
    return tls


def _content(kubeconfig: Path, entry: Object, name: str) -> bytes | None:
    if f"{name}-data" in entry:
        return base64.b64decode(entry[f"{name}-data"])
    return (kubeconfig.parent / entry[name]).read_bytes() if name in entry else None


def path_of(
    resource: str, namespace: str | None = None, name: str | None = None, subresource: str | None = None
) -> str:
    """Return the URL path of a resource, by its plural; those of the core group need no entry in GROUPS."""
    group = GROUPS.get(resource)
    parts = ["/apis/" + group if group else "/api/v1"]
    if namespace and resource not in CLUSTER_WIDE:
        parts.append(f"namespaces/{quote(namespace)}")
    parts.append(resource)
    parts += [quote(part) for part in (name, subresource) if part]
    return "/".join(parts)


class Api:
    """Requests as the user of one kubeconfig. Not for use from several threads at once."""

    def __init__(self, kubeconfig: Path, timeout: float = 30.0) -> None:
        self.access = read_kubeconfig(kubeconfig)
        self.timeout = timeout
        self._connection: http.client.HTTPConnection | None = None

    def get(self, resource: str, namespace: str | None = None, name: str | None = None) -> Object | None:
        """Return the object, or None where there is none. Raises ApiError for any other refusal."""
        try:
            return self.request("GET", path_of(resource, namespace, name))
        except ApiError as error:
            if error.status == http.HTTPStatus.NOT_FOUND:
                return None
            raise

    def list(self, resource: str, namespace: str | None = None, **query: str) -> list[Object]:
        """Return all objects; `labelSelector` and `fieldSelector` may narrow them."""
        items = self.request("GET", path_of(resource, namespace), query=query)["items"]
        return list(items)

    def create(self, resource: str, body: Object, namespace: str | None = None) -> Object:
        """Post an object and return it as stored."""
        return self.request("POST", path_of(resource, namespace), body, query={"fieldValidation": "Strict"})

    def patch(
        self,
        resource: str,
        name: str,
        body: Patch,
        namespace: str | None = None,
        *,
        how: str = "merge",
        subresource: str | None = None,
        **query: str,
    ) -> Object:
        """Patch an object; `how` is a key of PATCH_TYPES."""
        path = path_of(resource, namespace, name, subresource)
        return self.request("PATCH", path, body, query=query, content_type=PATCH_TYPES[how])

    def delete(
        self, resource: str, name: str, namespace: str | None = None, options: Object | None = None
    ) -> Object | None:
        """Delete an object; None where there was none."""
        try:
            return self.request("DELETE", path_of(resource, namespace, name), options)
        except ApiError as error:
            if error.status == http.HTTPStatus.NOT_FOUND:
                return None
            raise

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """Send one request and return the answer's JSON. Raises ApiError for a refusal, OSError for no answer."""
        target = path + ("?" + urlencode(query) if query else "")
        payload = None if body is None else json.dumps(body)
        headers = self.access.headers | ({"Content-Type": content_type} if payload else {})
        try:
            response = self._send(method, target, payload, headers)
            text = response.read()
        except (http.client.HTTPException, OSError):
            self.close()
            raise
        answer = json.loads(text) if text.startswith(b"{") else {"message": text.decode(errors="replace")}
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            raise ApiError(method, target, response.status, answer)
        return dict(answer)

    def _send(self, method: str, target: str, payload: str | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        for last_try in (False, True):
            connection = self._connection or self._connect()
            reused, self._connection = self._connection is not None, connection
            try:
                connection.request(method, target, payload, headers)
                return connection.getresponse()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self.close()
                # A kept-alive connection may have been closed meanwhile; only then is the request sent again.
                if last_try or not reused:
                    raise
        raise AssertionError("unreachable")

    def _connect(self) -> http.client.HTTPConnection:
        address = urlsplit(self.access.server)
        host = address.hostname or "127.0.0.1"
        if self.access.context is None:
            return http.client.HTTPConnection(host, address.port, timeout=self.timeout)
        return http.client.HTTPSConnection(host, address.port, timeout=self.timeout, context=self.access.context)

    def close(self) -> None:
        """Drop the connection; the next request makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
