"""Answers of the API server as our errors, and lists in pages."""

import pytest

from alo_operator.effects.cluster import PAGE, _error, _parse
from alo_operator.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    ServerBusy,
    Unauthorized,
)
from tests.support.memory_api import MemoryApi


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "BadRequest", BadRequest),
        (401, "Unauthorized", Unauthorized),
        (403, "Forbidden", Forbidden),
        (404, "NotFound", NotFound),
        (409, "AlreadyExists", AlreadyExists),
        (409, "Conflict", Conflict),
        (410, "Expired", Gone),
        (413, "RequestEntityTooLarge", BadRequest),
        (422, "Invalid", BadRequest),
        (429, "TooManyRequests", ServerBusy),
        (500, "InternalError", ServerBusy),
        (503, "", ServerBusy),
        (418, "", ApiError),
    ],
)
def test_each_answer_has_its_error(status, reason, kind):
    """By status, and of 409 by the reason."""
    error = _error("POST", status, {"reason": reason, "message": "said"}, "")

    assert type(error) is kind
    assert (error.status, error.reason, error.message) == (status, reason, "said")


def test_an_answer_without_words_says_what_was_asked():
    """As a proxy's may be."""
    assert _error("DELETE", 502, {}, "").message == "DELETE was answered with 502"


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)])
def test_the_time_asked_for_is_in_seconds_or_none(header, seconds):
    """Kubernetes sends seconds; a date of a proxy's is passed over."""
    assert _error("GET", 429, {}, header).retry_after == seconds


def test_a_quota_and_a_terminating_namespace_are_told_apart():
    """Both come as 403."""
    quota = _error("POST", 403, {"message": "exceeded quota: few"}, "")
    ending = _error("POST", 403, {"details": {"causes": [{"reason": "NamespaceTerminating"}]}}, "")

    assert (quota.over_quota, quota.namespace_terminating) == (True, False)
    assert (ending.over_quota, ending.namespace_terminating) == (False, True)


@pytest.mark.parametrize("text", [b"", b"<html>bad gateway</html>", b"\xff\xfe", b"[1]", b"null"])
def test_whatever_comes_back_is_an_object(text):
    """An answer that is none of the API server's own is not an error of its own."""
    assert isinstance(_parse(text), dict)


def test_a_list_is_read_page_by_page(clock):
    """To its end, and without what nobody reads."""
    api = MemoryApi()
    for number in range(PAGE + 1):
        api.add("pods", {"metadata": {"name": f"{number:04}", "managedFields": [{}]}})

    async def names():
        return [item["metadata"] async for item in api.pages("api/v1/namespaces/media/pods")]

    found = clock.run(names())

    assert len(found) == PAGE + 1
    assert not any("managedFields" in meta for meta in found)
    assert len(api.requests) == 2
