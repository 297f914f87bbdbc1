"""Whose token is it? The API server's word, remembered for a minute at most and never longer than the token lasts."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from alo_operator.api.names import REPORT_AUDIENCE
from alo_operator.api.reports import ReportReason
from alo_operator.desired.fields import section, text
from alo_operator.effects import clock, paths
from alo_operator.effects.allowance import Allowance
from alo_operator.effects.cluster import Cluster
from alo_operator.errors import ReportRefused
from alo_operator.gateway import metrics

REMEMBERED: Final = 60.0  # seconds
REMEMBERED_BAD: Final = 10.0
MOST: Final = 10_000  # tokens
# Reviews over all tokens: somebody who makes tokens up must not keep the API server busy.
REVIEWS_PER_SECOND: Final = 50.0
REVIEWS_AT_ONCE: Final = 200.0
_POD: Final = "authentication.kubernetes.io/pod-name"
_POD_UID: Final = "authentication.kubernetes.io/pod-uid"


@dataclass(frozen=True, slots=True)
class Caller:
    """The pod that a token is bound to."""

    namespace: str
    pod: str
    pod_uid: str


Verdict = Caller | ReportRefused


class Identities:
    """Tokens and the pods they are bound to."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: OrderedDict[str, tuple[Verdict, float]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Verdict]] = {}
        self._allowance = Allowance(REVIEWS_PER_SECOND, REVIEWS_AT_ONCE)

    async def of(self, token: str) -> Caller:
        """Who shows this token.

        Raises:
            ReportRefused: it is no token of ours, or not any more.
            ApiError, ApiUnreachable: the API server could not be asked.
        """
        _plausible(token)
        key = hashlib.sha256(token.encode()).hexdigest()
        verdict = self._remembered(key)
        if verdict is None:
            if key not in self._asking:
                if pause := self._allowance.take():
                    said = "too many unknown tokens at a time; try again"
                    raise ReportRefused(ReportReason.TOO_MANY_REPORTS, said, retry_after=pause)
                self._asking[key] = asyncio.create_task(self._ask(token))
                self._asking[key].add_done_callback(lambda done: self._answered(key, done))
            # Whoever asked first may hang up; the others still want to know.
            verdict = await asyncio.shield(self._asking[key])
        if isinstance(verdict, ReportRefused):
            raise ReportRefused(verdict.reason, verdict.message)
        return verdict

    def _remembered(self, key: str) -> Verdict | None:
        found = self._known.get(key)
        return found[0] if found and clock.monotonic() < found[1] else None

    def _answered(self, key: str, done: asyncio.Task[Verdict]) -> None:
        self._asking.pop(key, None)
        if done.cancelled() or done.exception():
            return
        verdict = done.result()
        lasts = REMEMBERED_BAD if isinstance(verdict, ReportRefused) else REMEMBERED
        self._known[key] = (verdict, clock.monotonic() + lasts)
        self._known.move_to_end(key)
        while len(self._known) > MOST:
            self._known.popitem(last=False)

    async def _ask(self, token: str) -> Verdict:
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [REPORT_AUDIENCE]},
        }
        verdict = _read(await self._cluster.request("POST", paths.TOKEN_REVIEWS, body=review))
        metrics.REVIEWS.labels(verdict="refused" if isinstance(verdict, ReportRefused) else "known").inc()
        return verdict


def _read(review: dict[str, Any]) -> Verdict:
    status = section(review, "status")
    if status.get("authenticated") is not True or REPORT_AUDIENCE not in (status.get("audiences") or ()):
        said = "the cluster does not know this token (any more); read /alo/token again for each report"
        return ReportRefused(ReportReason.UNAUTHENTICATED, said)
    extra = section(status, "user", "extra")
    account = text(status, "user", "username").split(":")
    pod, pod_uid = _first(extra.get(_POD)), _first(extra.get(_POD_UID))
    if len(account) != 4 or account[:2] != ["system", "serviceaccount"] or not pod or not pod_uid:
        said = "the token is not bound to a pod; show the one in /alo/token"
        return ReportRefused(ReportReason.NOT_THIS_OPERATION, said)
    return Caller(namespace=account[2], pod=pod, pod_uid=pod_uid)


def _first(values: object) -> str:
    return values[0] if isinstance(values, list) and values and isinstance(values[0], str) else ""


def _plausible(token: str) -> None:
    """Refuse what the API server would refuse for sure; that a token looks right means nothing."""
    claims = _claims(token)
    if claims is None:
        said = "this is no token of a pod; send the content of /alo/token as Authorization: Bearer"
        raise ReportRefused(ReportReason.UNAUTHENTICATED, said)
    audiences = claims.get("aud")
    if REPORT_AUDIENCE not in (audiences if isinstance(audiences, list) else [audiences]):
        said = f"the token is meant for somebody else than {REPORT_AUDIENCE}; show the one in /alo/token"
        raise ReportRefused(ReportReason.WRONG_AUDIENCE, said)
    expires = claims.get("exp")
    if isinstance(expires, bool) or not isinstance(expires, int | float) or not _ahead(expires):
        said = "the token has expired; read /alo/token again for each report, as it is renewed"
        raise ReportRefused(ReportReason.TOKEN_EXPIRED, said)


def _claims(token: str) -> dict[str, Any] | None:
    """What a JWT says of itself, unverified; None for what is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _ahead(expires: float) -> bool:
    try:
        return datetime.fromtimestamp(expires, UTC) > clock.now()
    except (ValueError, OverflowError, OSError):
        return False
