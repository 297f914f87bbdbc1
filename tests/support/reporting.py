"""What workers send to the gateway, from beside them: with tokens as the kubelet puts them into pods."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.support.api import Api, path_of
from tests.support.gateway_process import GatewayProcess
from tests.support.stage import Stage
from tests.support.waiting import wait_for

AUDIENCE = "alo-operator.io"

Object = dict[str, Any]
Answer = tuple[int, Object]


def token_for(
    api: Api, namespace: str, pod: dict[str, Any] | None, audience: str = AUDIENCE, account: str = "default"
) -> str:
    """Return a token of a service account as the kubelet would put it into this pod; None: bound to no pod."""
    spec: dict[str, Any] = {"audiences": [audience], "expirationSeconds": 3600}
    if pod is not None:
        metadata = pod["metadata"]
        spec["boundObjectRef"] = {
            "kind": "Pod",
            "apiVersion": "v1",
            "name": metadata["name"],
            "uid": metadata["uid"],
        }
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answer = api.request("POST", path_of("serviceaccounts", namespace, account, "token"), body)
    return str(answer["status"]["token"])


@dataclass
class Reporter:
    """Reports for one operation as its worker would; `headers` are those of the last answer."""

    gateway: str
    namespace: str
    operation: str
    token: str | None
    headers: dict[str, str] = field(default_factory=dict)

    def result(self, body: bytes, content_type: str | None = None, method: str = "PUT") -> Answer:
        return self.send(method, "result", body, content_type)

    def progress(self, **said: Any) -> Answer:
        return self.send("POST", "progress", json.dumps(said).encode(), "application/json")

    def send(self, method: str, what: str, body: bytes | Iterator[bytes], content_type: str | None = None) -> Answer:
        """Return status and JSON of the answer. Raises OSError where there is none."""
        headers = {"Content-Type": content_type} if content_type else {}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        path = f"/v1/namespaces/{self.namespace}/operations/{self.operation}/{what}"
        connection = http.client.HTTPConnection(urlsplit(self.gateway).netloc, timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            self.headers = dict(response.getheaders())
            return response.status, json.loads(response.read())
        finally:
            connection.close()


@dataclass
class ReportingStage(Stage):
    """A namespace whose workers reach `gateway`."""

    gateway: GatewayProcess

    def pod(self, name: str) -> Object:
        """Return the newest pod of an operation, once there is one."""
        pods = wait_for(lambda: self.pods(name), 30, f"operation {name} has a pod")
        return max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def reporter(self, name: str, pod: Object | None = None) -> Reporter:
        """Return what reports for an operation with the token of its (or another) pod."""
        token = token_for(self.api, self.namespace, pod or self.pod(name))
        return Reporter(self.gateway.url, self.namespace, name, token)

    def finish(self, name: str, message: str = "") -> None:
        """Let the simulated worker of an operation exit 0 now, leaving a termination message."""
        ended = {"exitCode": 0, "reason": "Completed", "message": message}
        container = {"name": "main", "image": "", "imageID": "", "ready": False, "restartCount": 0}
        status = {
            "phase": "Succeeded",
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [container | {"state": {"terminated": ended}}],
        }
        self.api.patch(
            "pods", self.pod(name)["metadata"]["name"], {"status": status}, self.namespace, subresource="status"
        )
