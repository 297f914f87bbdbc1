"""Which Secrets are read, how often, and what is said of those that cannot be used."""

import asyncio
import base64

import pytest

from alo_operator.api.deliveries import DeliveryError
from alo_operator.api.spec import SecretKeyRef
from alo_operator.effects import signing_keys
from alo_operator.effects.signing_keys import NoSigningKey, SigningKeys
from alo_operator.errors import ApiUnreachable, Forbidden
from tests.support.memory_api import MemoryApi

FIRST, SECOND = b"a" * 24, b"b" * 32
REF = SecretKeyRef(name="billing-hook", key="key")
PATH = "api/v1/namespaces/media/secrets/billing-hook"
LABEL = "alo-operator.io/signing-key"


def written(*keys):
    return b"\n".join(b"whsec_" + base64.b64encode(key) for key in keys)


class Place:
    """One API server with a Secret, and what reads it."""

    def __init__(self, clock):
        self.clock, self.api = clock, MemoryApi()
        self.keys = SigningKeys(self.api)

    def put(self, content=written(FIRST), label="true", key="key"):
        if self.api.find("secrets", "billing-hook"):
            self.api.remove("secrets", "billing-hook")
        labels = {LABEL: label} if label else {}
        data = {key: base64.b64encode(content).decode()}
        self.api.add("secrets", {"metadata": {"name": "billing-hook", "labels": labels}, "data": data})
        return self

    def ask(self, ref=REF):
        return self.clock.run(self.keys.keys("media", ref))

    def refused(self):
        with pytest.raises(NoSigningKey) as caught:
            self.ask()
        return caught.value

    @property
    def reads(self):
        return [path for _, path, _ in self.api.requests]


@pytest.fixture
def place(clock):
    """An API server without a Secret."""
    return Place(clock)


def test_a_labelled_secret_gives_its_keys(place):
    """All of them, in their order, by two reads of this one Secret: its metadata, then itself."""
    assert place.put(written(FIRST, SECOND)).ask() == (FIRST, SECOND)
    assert place.reads == [PATH, PATH]


@pytest.mark.promise("DELIVERY-14")
@pytest.mark.parametrize("label", ["", "false", "True", "yes"])
def test_a_secret_without_the_label_is_never_read(place, label):
    """Its metadata tells, and the refusal says which command adds the label."""
    seen = []
    original = place.api.ask

    def ask(method, path, **how):
        answer = original(method, path, **how)
        seen.append(answer)
        return answer

    place.put(label=label)
    place.api.ask = ask
    refusal = place.refused()

    assert refusal.word is DeliveryError.SIGNING_KEY_MISSING
    assert f"kubectl label secret -n media billing-hook {LABEL}=true" in refusal.message
    assert [answer["kind"] for answer in seen] == ["PartialObjectMetadata"]


def test_a_missing_secret_and_a_missing_key_are_told_apart(place):
    """Each by its name."""
    assert "Secret media/billing-hook does not exist" in place.refused().message

    place.clock.advance(2)
    assert "no key 'key'" in place.put(key="other").refused().message


@pytest.mark.promise("DELIVERY-15")
@pytest.mark.parametrize(
    "content",
    [b"", b"whsec_", b"whsec_c2hvcnQ=", b"not base64!", written(FIRST) * 3, written(*[FIRST] * 9), b"\xff\xfe" * 20],
)
def test_what_is_no_key_is_refused_without_being_shown(place, content):
    """The sentence has none of it."""
    refusal = place.put(content).refused()

    assert refusal.word is DeliveryError.SIGNING_KEY_INVALID
    assert "media/billing-hook" in refusal.message
    assert "c2hvcnQ" not in refusal.message
    assert base64.b64encode(FIRST).decode() not in refusal.message
    assert refusal.__cause__ is None
    assert "not base64!" not in refusal.message


def test_keys_are_kept_for_ten_seconds(place):
    """Then a key that was changed over is in use."""
    place.put()
    for _ in range(3):
        assert place.ask() == (FIRST,)
        place.clock.advance(3)
    place.put(written(SECOND, FIRST))
    assert place.ask() == (FIRST,)
    assert len(place.reads) == 2

    place.clock.advance(2)
    assert place.ask() == (SECOND, FIRST)


def test_a_refusal_is_kept_for_a_second(place):
    """A thousand operations do not ask a thousand times, and a Secret made meanwhile is found soon."""
    for _ in range(5):
        place.refused()
    assert len(place.reads) == 1

    place.put()
    place.clock.advance(1.1)
    assert place.ask() == (FIRST,)


def test_many_who_ask_at_once_are_one_question(place):
    """A burst of operations that end together reads the Secret once."""
    place.put()

    async def many():
        return await asyncio.gather(*(place.keys.keys("media", REF) for _ in range(100)))

    assert place.clock.run(many()) == [(FIRST,)] * 100
    assert len(place.reads) == 2


def test_an_api_server_that_cannot_be_asked_says_nothing_about_the_secret(place):
    """The error passes through and is not remembered."""

    def before(*_):
        raise ApiUnreachable("away")

    place.put().api.before = before
    with pytest.raises(ApiUnreachable):
        place.ask()

    place.api.before = lambda *_: None
    assert place.ask() == (FIRST,)


def test_secrets_that_the_operator_may_not_read_are_named(place):
    """As where the right was taken away."""

    def before(*_):
        raise Forbidden(403, "Forbidden", "secrets is forbidden")

    place.api.before = before
    refusal = place.refused()

    assert (refusal.word, refusal.message) == (
        DeliveryError.SIGNING_KEY_MISSING,
        "the operator may not read Secret media/billing-hook",
    )


def test_only_so_many_are_remembered(place, monkeypatch):
    """The oldest are asked for anew."""
    monkeypatch.setattr(signing_keys, "REMEMBERED", 2)
    place.put()
    for name in ("a", "b", "c"):
        with pytest.raises(NoSigningKey):
            place.ask(SecretKeyRef(name=name, key="key"))

    assert [name for _, name, _ in place.keys._found] == ["b", "c"]
    assert place.keys._turns == {}
