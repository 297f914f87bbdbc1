"""A gateway and its API server in memory, with one operation whose pod is running."""

import base64
import json

import pytest

from alo_operator.desired.job import job_name_of
from alo_operator.desired.reports import attempt_of
from alo_operator.effects import paths
from alo_operator.effects.writer import Writer
from alo_operator.errors import BadRequest
from alo_operator.gateway.attempts import Attempts
from alo_operator.gateway.identity import Identities
from alo_operator.gateway.reports import Reports
from tests.support.builders import make_job, make_operation, make_pod
from tests.support.building import NOON
from tests.support.memory_api import MemoryApi

AUDIENCE = "alo-operator.io"


def token(pod="resize-x", audience=AUDIENCE, seconds=3600):
    """What looks like a token of a pod's; `seconds` until it expires."""
    claims = {"aud": [audience], "exp": NOON.timestamp() + seconds, "pod": pod}
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.signature"


class ReviewingApi(MemoryApi):
    """Knows tokens, and tests before it patches; `tokens` maps each to namespace, pod and the pod's uid."""

    def __init__(self):
        super().__init__()
        self.tokens, self.reviews = {}, []

    async def request(self, method, path, *, body=None, **rest):
        if path == paths.TOKEN_REVIEWS:
            self.before(method, path)
            return self._review(body["spec"])
        if method == "PATCH":
            tests = [step for step in body if step["op"] == "test"]
            stored = self.objects.get(("asyncoperations", *path.split("/")[4:7:2]))
            for step in tests if stored else ():
                _, section, field = step["path"].split("/")
                if stored[section].get(field) != step["value"]:
                    self.requests.append((method, path, 422))
                    raise BadRequest(422, "Invalid", f"testing path {step['path']} failed")
            body = [step for step in body if step["op"] != "test"]
        return await super().request(method, path, body=body, **rest)

    def _review(self, spec):
        self.reviews.append(spec["token"])
        found = self.tokens.get(spec["token"])
        if found is None:
            return {"status": {"authenticated": False, "error": "no"}}
        namespace, pod, uid = found
        extra = {"authentication.kubernetes.io/pod-name": [pod], "authentication.kubernetes.io/pod-uid": [uid]}
        user = {"username": f"system:serviceaccount:{namespace}:default", "extra": extra if pod else {}}
        return {"status": {"authenticated": True, "audiences": [AUDIENCE], "user": user}}


class Site:
    """One operation, `resize`, with a Job and a running pod."""

    def __init__(self, clock):
        self.clock, self.api = clock, ReviewingApi()
        self.uid = self.api.add("asyncoperations", make_operation().body())["metadata"]["uid"]
        self.job = self.add_job(self.uid)
        self.pod = self.add_pod("resize-x")
        self.identities, self.attempts = Identities(self.api), Attempts(self.api)
        self.reports = Reports(self.api, Writer(self.api, lambda: float("inf")))
        self.api.requests.clear()

    def add_job(self, uid, name=None, **spec):
        body = make_job().spec(**spec).body()
        owner = {"apiVersion": "alo-operator.io/v1alpha1", "kind": "AsyncOperation", "name": "resize", "uid": uid}
        body["metadata"] |= {
            "name": name or job_name_of("resize", uid),
            "ownerReferences": [owner | {"controller": True}],
        }
        return self.api.add("jobs", body)

    def add_pod(self, name, job=None):
        job = job or self.job
        body = make_pod(name).running().body()
        owner = {"apiVersion": "batch/v1", "kind": "Job", "controller": True}
        names = {key: job["metadata"][key] for key in ("name", "uid")}
        body["metadata"] |= {"name": name, "ownerReferences": [owner | names]}
        added = self.api.add("pods", body)
        self.api.tokens[token(name)] = ("media", name, added["metadata"]["uid"])
        return added

    def attempt(self, pod=None):
        return attempt_of(pod or self.pod, self.job, self.job["metadata"]["uid"])

    def status(self):
        return self.api.find("asyncoperations", "resize")["status"]

    def settle(self, phase="Succeeded", promise="Fulfilled"):
        self.api.change("asyncoperations", "resize", lambda body: body["status"].update(phase=phase, promise=promise))

    def writes(self):
        """What was written, by whether it was taken."""
        return [code for method, _, code in self.api.requests if method in ("PATCH", "POST")]


@pytest.fixture
def site(clock):
    """A gateway that has heard nothing yet."""
    return Site(clock)
