"""The keys that callbacks' messages are signed with: of Secrets that are meant for it, and of no others."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from alo_operator.api.deliveries import DeliveryError
from alo_operator.api.names import LABEL_SIGNING_KEY
from alo_operator.api.spec import SecretKeyRef
from alo_operator.delivery.signing import parse_keys
from alo_operator.desired.fields import section, text
from alo_operator.effects import clock, paths
from alo_operator.effects.cluster import Body, Cluster
from alo_operator.errors import AloError, Forbidden, InvalidSigningKey, NotFound

METADATA_OF_ONE: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
KEPT: Final = 10.0  # seconds; keys that were changed over are in use after that
REFUSAL_KEPT: Final = 1.0  # so that a Secret that was made or labelled meanwhile is found at the next attempt
REMEMBERED: Final = 1000


class NoSigningKey(AloError):
    """A callback's messages cannot be signed: `word` of status and a sentence that says what to do, never a key."""

    def __init__(self, word: DeliveryError, message: str) -> None:
        super().__init__(message)
        self.word, self.message = word, message


@dataclass(slots=True)
class _Found:
    """One Secret's value, or why there is none; good until a time on the monotonic clock."""

    keys: tuple[bytes, ...] = ()
    refusal: NoSigningKey | None = None
    until: float = 0.0


class SigningKeys:
    """Reads Secrets one by one, by name; never a list, and never the content of one that lacks the label."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._found: OrderedDict[tuple[str, str, str], _Found] = OrderedDict()
        self._turns: dict[tuple[str, str, str], asyncio.Lock] = {}

    async def keys(self, namespace: str, ref: SecretKeyRef) -> tuple[bytes, ...]:
        """The keys to sign with, the current one first; at most ten seconds old.

        Raises NoSigningKey, and ApiError and ApiUnreachable where the API server could not be asked.
        """
        which = (namespace, ref.name, ref.key)
        # One asks for all who wait: a thousand operations that end together are one question.
        turn = self._turns.setdefault(which, asyncio.Lock())
        try:
            async with turn:
                found = self._found.get(which)
                if found is None or found.until <= clock.monotonic():
                    found = await self._read(namespace, ref)
                    self._remember(which, found)
        finally:
            if not turn.locked():
                self._turns.pop(which, None)
        if found.refusal:
            raise NoSigningKey(found.refusal.word, found.refusal.message)
        return found.keys

    async def _read(self, namespace: str, ref: SecretKeyRef) -> _Found:
        try:
            keys = await self._ask(namespace, ref)
        except NoSigningKey as refusal:
            return _Found(refusal=refusal, until=clock.monotonic() + REFUSAL_KEPT)
        return _Found(keys, until=clock.monotonic() + KEPT)

    async def _ask(self, namespace: str, ref: SecretKeyRef) -> tuple[bytes, ...]:
        what = f"Secret {namespace}/{ref.name}"
        path = paths.secret(namespace, ref.name)
        try:
            # First what is on it, then what is in it: others' secrets never enter this process.
            _demand_label(await self._cluster.request("GET", path, accept=METADATA_OF_ONE), what)
            secret = await self._cluster.get(path)
        except NotFound:
            raise NoSigningKey(DeliveryError.SIGNING_KEY_MISSING, f"{what} does not exist") from None
        except Forbidden:
            raise NoSigningKey(DeliveryError.SIGNING_KEY_MISSING, f"the operator may not read {what}") from None
        _demand_label(secret, what)
        given = section(secret, "data").get(ref.key)
        if not isinstance(given, str):
            raise NoSigningKey(DeliveryError.SIGNING_KEY_MISSING, f"{what} has no key {ref.key!r} in its data")
        try:
            return parse_keys(base64.b64decode(given))
        except (InvalidSigningKey, binascii.Error) as error:
            said = str(error) if isinstance(error, InvalidSigningKey) else "it is not in base64"
            raise NoSigningKey(DeliveryError.SIGNING_KEY_INVALID, f"{what}, key {ref.key!r}: {said}") from None

    def _remember(self, which: tuple[str, str, str], found: _Found) -> None:
        self._found[which] = found
        self._found.move_to_end(which)
        while len(self._found) > REMEMBERED:
            self._found.popitem(last=False)


def _demand_label(secret: Body, what: str) -> None:
    if text(secret, "metadata", "labels", LABEL_SIGNING_KEY) == "true":
        return
    namespace, _, name = what.removeprefix("Secret ").partition("/")
    raise NoSigningKey(
        DeliveryError.SIGNING_KEY_MISSING,
        f"{what} lacks the label that lets the operator read it; add it: "
        f"kubectl label secret -n {namespace} {name} {LABEL_SIGNING_KEY}=true",
    )
