"""Whose token it is: asked once, remembered for a while, refused with the reason."""

import asyncio

import pytest

from alo_operator.errors import ApiUnreachable, ReportRefused
from alo_operator.gateway import identity
from alo_operator.gateway.identity import Caller
from tests.unit.gateway.conftest import token


def ask(site, shown):
    return site.clock.run(site.identities.of(shown))


def refused(site, shown):
    """The reason for which a token is refused."""
    with pytest.raises(ReportRefused) as error:
        ask(site, shown)
    assert error.value.message.endswith((".", "/alo/token", "renewed", "Bearer", "report"))
    return error.value.reason


def test_a_token_is_known_by_its_pod(site):
    """Namespace from the account, name and uid from what the API server adds."""
    assert ask(site, token()) == Caller("media", "resize-x", site.pod["metadata"]["uid"])


@pytest.mark.promise("REPORT-5")
def test_a_token_is_reviewed_once_a_minute(site):
    """A minute after the answer it is asked about again, as a pod may be gone by then."""
    for _ in range(100):
        ask(site, token())
        site.clock.advance(0.59)
    assert len(site.api.reviews) == 1

    site.clock.advance(1.1)
    ask(site, token())
    assert len(site.api.reviews) == 2


def test_all_who_ask_at_once_share_one_review(site):
    """Also when the one who asked first hangs up."""
    gate = asyncio.Event()
    real = site.api.request

    async def slow(*args, **named):
        await gate.wait()
        return await real(*args, **named)

    async def scene():
        site.api.request = slow
        first, *others = [asyncio.create_task(site.identities.of(token())) for _ in range(5)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        gate.set()
        return await asyncio.gather(*others)

    found = site.clock.run(scene())

    assert {caller.pod for caller in found} == {"resize-x"}
    assert len(site.api.reviews) == 1


def test_a_verdict_never_outlasts_its_token(site):
    """The token's own end counts, however fresh the answer is."""
    short = token(seconds=30)
    site.api.tokens[short] = site.api.tokens[token()]
    ask(site, short)

    site.clock.advance(31)

    assert refused(site, short) == "TokenExpired"


@pytest.mark.promise("REPORT-3")
@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        ("", "Unauthenticated"),
        ("garbage", "Unauthenticated"),
        ("a.b.c", "Unauthenticated"),
        ("e30.W10.x", "Unauthenticated"),
        ("e30.e30.x", "WrongAudience"),
        (token(audience="https://kubernetes.default.svc"), "WrongAudience"),
        (token(seconds=-1), "TokenExpired"),
    ],
)
def test_what_is_plainly_no_token_of_ours_costs_no_review(site, shown, reason):
    """Garbage, another audience and what has expired are told apart without asking anybody."""
    assert refused(site, shown) == reason
    assert site.api.reviews == []


@pytest.mark.promise("REPORT-3")
def test_a_forged_token_is_refused_and_remembered_for_a_moment(site):
    """It looks right, and the API server does not know it; ten seconds later it is asked again."""
    assert [refused(site, token("forged")) for _ in range(3)] == ["Unauthenticated"] * 3
    assert len(site.api.reviews) == 1

    site.clock.advance(11)
    refused(site, token("forged"))
    assert len(site.api.reviews) == 2


def test_a_token_without_a_pod_is_refused(site):
    """`kubectl create token` makes such ones."""
    site.api.tokens[token("free")] = ("media", "", "")

    assert refused(site, token("free")) == "NotThisOperation"


def test_an_answer_that_did_not_come_is_not_remembered(site):
    """The next request asks again."""
    down = ApiUnreachable("away")

    def before(*_):
        raise down

    site.api.before = before
    with pytest.raises(ApiUnreachable):
        ask(site, token())

    site.api.before = lambda *_: None
    assert ask(site, token()).pod == "resize-x"


def test_whoever_makes_tokens_up_gets_few_reviews(site):
    """Two hundred at once; after that the API server is left in peace, and the sender told to wait."""
    reasons = [refused_quietly(site, token(f"made-up-{number}")) for number in range(250)]

    assert reasons.count("TooManyReports") == 50
    assert len(site.api.reviews) == 200


def refused_quietly(site, shown):
    with pytest.raises(ReportRefused) as error:
        ask(site, shown)
    return error.value.reason


def test_memory_is_bounded(site, monkeypatch):
    """The oldest token is forgotten first."""
    monkeypatch.setattr(identity, "MOST", 3)
    for number in range(5):
        site.clock.advance(1)
        refused_quietly(site, token(f"made-up-{number}"))

    assert len(site.identities._known) == 3
