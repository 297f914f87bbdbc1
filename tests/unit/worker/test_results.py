"""Which way a result takes, and what becomes of one that does not get through."""

import hashlib
import json

import pytest

from alo_operator.errors import ConfigurationError
from alo_operator.worker import InvalidResult, ReportUnavailable, ResultRefused, ResultTooLarge
from alo_operator.worker.results import RESULT_BYTES, room
from tests.support.report_endpoint import drip, hang, plain_answer, refusal, reset, taken_then_reset

LARGE = {"rows": ["x" * 100] * 100}
LARGE_BYTES = json.dumps(LARGE, separators=(",", ":")).encode()


def of_size(size):
    """A text that is so many bytes long as JSON."""
    return "x" * (size - 2)


def test_a_small_result_needs_nobody(pod, endpoint):
    """It is written to the result file as compact JSON, even where there is an endpoint."""
    pod.work().result({"width": 800, "name": "café"})

    assert pod.message == '{"width":800,"name":"café"}'.encode()
    assert endpoint.requests == []


def test_a_large_result_goes_to_the_endpoint(pod, endpoint):
    """With its media type, the token and the trace; the result file stays empty."""
    pod.work().result(LARGE)

    (request,) = endpoint.requests
    assert (request.method, request.name, request.body) == ("PUT", "result", LARGE_BYTES)
    assert request.path.endswith("/v1/namespaces/media/operations/resize/result")
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Authorization"] == "Bearer first"
    assert request.headers["traceparent"] == pod.environ["TRACEPARENT"]
    assert pod.message == b""


@pytest.mark.parametrize(
    ("containers", "size", "file"), [(None, 2044, True), (None, 2045, False), (1, 4092, True), (4, 3069, False)]
)
def test_what_surely_fits_the_termination_message_goes_there(pod, endpoint, containers, size, file):
    """Up to six containers are assumed, unless the worker says how many there are."""
    pod.work(containers=containers).result(of_size(size))

    assert (len(pod.message), len(endpoint.requests)) == ((size, 0) if file else (0, 1))


@pytest.mark.parametrize(("containers", "largest"), [(1, 4092), (3, 4092), (4, 3068), (6, 2044), (12, 1020)])
def test_the_room_is_that_of_the_kubelet(containers, largest):
    """The sizes are those of the table in docs/worker.md."""
    assert room(containers) == largest


def test_no_pod_has_no_containers(pod):
    """A number that cannot be is an error of the program."""
    with pytest.raises(ValueError, match="count the worker itself"):
        pod.work(containers=0)


def test_without_an_endpoint_a_result_is_limited(pod):
    """The message names the size, the limit, and both ways out."""
    work = pod.work()
    with pytest.raises(ResultTooLarge, match=r"4093 bytes and may have 4092: .*--report-url.*store") as caught:
        work.result(of_size(4093))

    assert (caught.value.size, caught.value.limit) == (4093, 4092)
    work.result(of_size(4092))
    assert len(pod.message) == 4092


def test_nothing_above_900_kib_is_even_sent(pod, endpoint):
    """The limit is known, so nobody is troubled."""
    with pytest.raises(ResultTooLarge, match="object store or a volume"):
        pod.work().result(b"x" * (RESULT_BYTES + 1), content_type="text/plain")

    assert endpoint.requests == []
    pod.work().result(b"x" * RESULT_BYTES)
    assert endpoint.result == b"x" * RESULT_BYTES


@pytest.mark.parametrize(
    ("value", "content_type", "sent_as"),
    [
        (b"\x89PNG\r\n", None, "application/octet-stream"),
        (b"\x89PNG\r\n", "image/png", "image/png"),
        (b"a,b\n1,2\n", "text/csv", "text/csv"),
        (b"a,b\n" * 1000, None, "text/plain"),
    ],
)
def test_bytes_and_media_types_survive(pod, endpoint, value, content_type, sent_as):
    """What the termination message cannot carry goes to the endpoint, however small."""
    pod.work().result(value, content_type=content_type)

    (request,) = endpoint.requests
    assert (request.body, request.headers["Content-Type"]) == (value, sent_as)


def test_text_as_bytes_is_a_small_result_too(pod, endpoint):
    """UTF-8 bytes without a media type go as they are."""
    pod.work().result("naïve ☃\n".encode())

    assert pod.message == "naïve ☃\n".encode()


def test_binary_results_need_an_endpoint(pod):
    """A termination message is text: the kubelet would change other bytes."""
    with pytest.raises(ReportUnavailable, match="no text"):
        pod.work().result(b"\xff\x00")


@pytest.mark.parametrize(
    "value", [float("nan"), {"deep": float("inf")}, 2**63, -(2**63) - 1, "\ud800", object(), {1, 2}, {"at": b"bytes"}]
)
def test_what_kubernetes_would_not_keep_is_refused(pod, endpoint, value):
    """Such a value is an error at once, and never a text in the place of a number."""
    with pytest.raises(InvalidResult, match="not JSON that can be kept"):
        pod.work().result(value)

    assert pod.message == b""


def test_depth_is_limited_as_in_the_operator(pod):
    """A list nested so deeply that the operator would keep it as text is refused; one level less is not."""
    value = 1
    for _ in range(63):
        value = [value]

    pod.work().result(value)
    with pytest.raises(InvalidResult, match="64 levels"):
        pod.work().result([value])


def test_there_is_one_result(pod, endpoint):
    """The same again is harmless, another one is refused, and the first stands."""
    work = pod.work()
    work.result(1)
    work.result(1)
    with pytest.raises(ResultRefused, match="another result"):
        work.result(2)

    assert pod.message == b"1"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "trouble",
    [
        [reset, reset],
        [taken_then_reset],
        [
            refusal(503, "Unavailable"),
            plain_answer(502, b"<html>Bad Gateway</html>"),
            plain_answer(500, b"[" * 100_000),
        ],
        [refusal(429, Retry_After="0")],
        [refusal(401, "Unauthorized")],
        [hang],
        [drip],
    ],
    ids=["reset", "taken, answer lost", "server errors", "busy", "token", "hangs", "drips"],
)
def test_a_result_gets_through_whatever_happens_first(pod, endpoint, trouble):
    """It is sent again, with the same bytes, until somebody says that it is taken."""
    endpoint.refuse_next(*trouble)

    pod.work().result(LARGE)

    assert endpoint.result == LARGE_BYTES
    assert [request.body for request in endpoint.requests] == [LARGE_BYTES] * (len(trouble) + 1)


@pytest.mark.usefixtures("quick")
def test_the_token_is_read_anew_each_time(pod, endpoint):
    """A token that was exchanged between two attempts is used for the second."""

    def exchange(handler, request):
        endpoint.token = "second"
        pod.token_file.write_text("second")
        refusal(401, "Unauthorized")(handler, request)

    endpoint.refuse_next(exchange)
    pod.work().result(LARGE)

    assert [request.headers["Authorization"] for request in endpoint.requests] == ["Bearer first", "Bearer second"]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("status", [400, 403, 404, 409, 302])
def test_a_refusal_is_final_and_says_why(pod, endpoint, status):
    """What cannot change is not asked twice; the endpoint's own words come along."""
    endpoint.always = refusal(status, "OtherResult", "other bytes were handed in before")

    with pytest.raises(ResultRefused, match="other bytes were handed in before") as caught:
        pod.work().result(LARGE)

    assert (caught.value.status, caught.value.reason) == (status, "OtherResult")
    assert not caught.value.retryable
    assert len(endpoint.requests) == 1


@pytest.mark.usefixtures("quick")
def test_a_token_that_stays_unknown_is_a_refusal(pod, endpoint):
    """After three tries."""
    endpoint.token = "of somebody else"

    with pytest.raises(ResultRefused, match="the token is not known"):
        pod.work().result(LARGE)

    assert len(endpoint.requests) == 3


def test_an_endpoint_with_a_lower_limit_is_believed(pod, endpoint):
    """413 is final, and the sentence of the answer says what to do."""
    endpoint.always = refusal(413, "ResultTooLarge", "at most 5 KiB here")

    with pytest.raises(ResultTooLarge, match="10300 bytes which are too many: at most 5 KiB here"):
        pod.work().result(b"y" * 10300)


@pytest.mark.usefixtures("quick")
def test_an_endpoint_that_stays_away_ends_in_an_error_that_says_so(pod, away):
    """After `patience`; another attempt may get through."""
    with pytest.raises(ReportUnavailable, match=r"could not be handed in: no answer.*backoffLimit") as caught:
        pod.work(patience=0.3).result(LARGE)

    assert caught.value.retryable


@pytest.mark.usefixtures("quick")
def test_a_result_that_may_fit_falls_back_on_the_termination_message(pod, away):
    """Above what surely fits and below what can: the operator takes it whole or says that it was cut."""
    pod.work(patience=0.1).result(of_size(4000))

    assert len(pod.message) == 4000


@pytest.mark.usefixtures("quick")
def test_a_wait_longer_than_the_patience_is_not_begun(pod, endpoint):
    """Retry-After beyond the time there is ends in the error at once."""
    endpoint.always = refusal(429, "TooManyRequests", "slow down", Retry_After="3600")

    with pytest.raises(ReportUnavailable, match="slow down"):
        pod.work(patience=60).result(LARGE)

    assert len(endpoint.requests) == 1


@pytest.mark.usefixtures("quick")
def test_retry_after_is_waited_for(pod, endpoint):
    """The second request comes no earlier than asked."""
    busy = refusal(429, "TooManyRequests", Retry_After="0.4")
    endpoint.refuse_next(busy)
    with pytest.raises(ReportUnavailable):
        pod.work(patience=0.3).result(LARGE)
    assert len(endpoint.requests) == 1

    endpoint.refuse_next(busy)
    pod.work(patience=30).result(LARGE)
    assert (len(endpoint.requests), endpoint.result) == (3, LARGE_BYTES)


def test_a_result_that_arrives_changed_is_noticed(pod, endpoint):
    """Something in between that alters bytes must not go unseen."""
    endpoint.always = lambda handler, _: handler.send(200, {"bytes": 1, "sha256": hashlib.sha256(b"").hexdigest()})

    with pytest.raises(ResultRefused, match="arrived changed"):
        pod.work().result(LARGE)


@pytest.mark.usefixtures("quick")
def test_a_missing_token_is_waited_for_and_named(pod, endpoint):
    """Whoever mounted over /alo reads which file is missing."""
    pod.token_file.unlink()

    with pytest.raises(ReportUnavailable, match=r"no token in .*/token"):
        pod.work(patience=0.1).result(LARGE)

    assert endpoint.requests == []


@pytest.mark.parametrize("url", ["gateway:8080/v1", "ftp://gateway/", "http://", "http://gateway:port/"])
def test_a_url_that_is_none_is_an_error_at_the_start(pod, url):
    """The person who set the operator up is told which option it is."""
    pod.environ["ALO_REPORT_URL"] = url

    with pytest.raises(ConfigurationError, match="--report-url"):
        pod.work()


def test_the_proxies_of_the_environment_are_never_told_the_token(pod, endpoint, away, monkeypatch):
    """Requests go straight to the endpoint."""
    pod.environ["ALO_REPORT_URL"] = endpoint.url
    monkeypatch.setenv("http_proxy", away.url)

    pod.work().result(LARGE)

    assert endpoint.result == LARGE_BYTES
