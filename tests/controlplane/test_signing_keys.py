"""Signing keys and kept results, read from a real API server with the rights that are shipped."""

import asyncio
import base64
import hashlib
import json

import pytest

from alo_operator.api.deliveries import DeliveryError
from alo_operator.api.spec import SecretKeyRef
from alo_operator.effects import credentials, paths
from alo_operator.effects.cluster import Cluster
from alo_operator.effects.messages import Messages
from alo_operator.effects.signing_keys import METADATA_OF_ONE, NoSigningKey, SigningKeys
from alo_operator.errors import Forbidden
from tests.support.builders import make_operation

KEY = b"k" * 32
WRITTEN = base64.b64encode(b"whsec_" + base64.b64encode(KEY)).decode()
LABEL = {"alo-operator.io/signing-key": "true"}
REF = SecretKeyRef(name="hook", key="key")


def as_operator(kubeconfig, scene):
    """Run `scene(cluster)` as the operator's service account."""

    async def play():
        cluster = Cluster(lambda: credentials.load(kubeconfig))
        try:
            return await scene(cluster)
        finally:
            await cluster.close()

    return asyncio.run(play())


def put(api, namespace, labels, name="hook"):
    api.create("secrets", {"metadata": {"name": name, "labels": labels}, "data": {"key": WRITTEN}}, namespace)


@pytest.mark.promise("DELIVERY-14")
def test_a_labelled_secret_is_read_and_another_one_is_not(api, namespace, operator_kubeconfig):
    """By the metadata alone, in which the content is not; a label that is added counts at the next attempt."""
    put(api, namespace, LABEL)
    put(api, namespace, {}, "other")

    async def scene(cluster):
        keys = SigningKeys(cluster)
        found = await keys.keys(namespace, REF)
        with pytest.raises(NoSigningKey) as refused:
            await keys.keys(namespace, SecretKeyRef(name="other", key="key"))
        with pytest.raises(NoSigningKey) as missing:
            await keys.keys(namespace, SecretKeyRef(name="none", key="key"))
        metadata = await cluster.request("GET", paths.secret(namespace, "other"), accept=METADATA_OF_ONE)
        api.patch("secrets", "other", {"metadata": {"labels": LABEL}}, namespace)
        labelled = await SigningKeys(cluster).keys(namespace, SecretKeyRef(name="other", key="key"))
        return found, refused.value, missing.value, metadata, labelled

    found, refused, missing, metadata, labelled = as_operator(operator_kubeconfig, scene)

    assert found == labelled == (KEY,)
    assert refused.word is missing.word is DeliveryError.SIGNING_KEY_MISSING
    assert f"kubectl label secret -n {namespace} other" in refused.message
    assert "does not exist" in missing.message
    assert (metadata["kind"], "data" in metadata) == ("PartialObjectMetadata", False)
    assert WRITTEN not in json.dumps(metadata)


def test_secrets_cannot_be_listed(namespace, operator_kubeconfig):
    """Only who knows a name can ask for it."""

    async def scene(cluster):
        await cluster.get(f"api/v1/namespaces/{namespace}/secrets")

    with pytest.raises(Forbidden):
        as_operator(operator_kubeconfig, scene)


@pytest.mark.promise("DELIVERY-6")
def test_a_kept_result_is_sent_by_value_where_it_is_what_status_says(api, namespace, operator_kubeconfig):
    """Somebody who has put another ConfigMap in its place gets the reference."""
    value = json.dumps({"rows": [1, 2, 3]})
    result = {
        "ref": {"kind": "ConfigMap", "name": "kept", "key": "result"},
        "contentType": "application/json",
        "bytes": len(value),
        "sha256": hashlib.sha256(value.encode()).hexdigest(),
    }
    callback = {"name": "a", "url": "https://a.example/", "format": "CloudEvents"}
    body = make_operation().settled().spec(callbacks=[callback]).status(result=result).body()
    body["metadata"]["namespace"] = namespace

    def shown(content):
        api.delete("configmaps", "kept", namespace)
        api.create("configmaps", {"metadata": {"name": "kept"}, "data": {"result": content}}, namespace)

        async def scene(cluster):
            operation = make_operation().view().from_body(body)
            messages = Messages(cluster, SigningKeys(cluster), 1000)
            message, _ = await messages.build(operation, operation.spec.callbacks[0])
            return json.loads(message.body)["data"]["result"]

        return as_operator(operator_kubeconfig, scene)

    assert shown(value)["value"] == {"rows": [1, 2, 3]}
    assert shown('{"rows": []}')["ref"] == result["ref"]
