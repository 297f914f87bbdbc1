"""Progress: sent in the background, merged, and never in the way."""

import logging
import threading

import pytest

from alo_operator.worker import Work
from alo_operator.worker import progress as reporting
from tests.support.report_endpoint import hang, refusal, reset
from tests.support.waiting import stays, wait_for


@pytest.fixture(autouse=True)
def quick_pauses(monkeypatch):
    """Failed reports are tried again at once, almost."""
    monkeypatch.setattr(reporting, "LAST_PAUSE", 0.05)


def reports(endpoint):
    return [request.json for request in endpoint.of("progress")]


def test_a_report_says_what_it_was_given(pod, endpoint):
    """Only what is given is sent, with the token, as JSON."""
    with pod.work(interval=0.01) as work:
        work.progress(done=3, total=10, unit="files", message="cat.png")

    (request,) = endpoint.requests
    assert (request.method, request.json) == ("POST", {"done": 3, "total": 10, "unit": "files", "message": "cat.png"})
    assert request.headers["Authorization"] == "Bearer first"


def test_many_reports_become_few_and_the_last_one_is_among_them(pod, endpoint):
    """A thousand calls cost the first and the last report, and perhaps one between."""
    with pod.work(interval=30) as work:
        for done in range(1000):
            work.progress(done=done)

    sent = reports(endpoint)
    assert sent[-1] == {"done": 999}
    assert len(sent) <= 2


def test_reports_are_an_interval_apart(pod, endpoint):
    """While one waits for its turn, newer ones take its place."""
    with pod.work(interval=0.3) as work:
        work.progress(done=1)
        wait_for(lambda: reports(endpoint) == [{"done": 1}], 10)
        work.progress(done=2)
        work.progress(done=3)
        wait_for(lambda: len(reports(endpoint)) == 2, 10)

    assert reports(endpoint) == [{"done": 1}, {"done": 3}]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"percent": 33.9}, {"percent": 33}),
        ({"percent": 100.0000001}, {"percent": 100}),
        ({"percent": -1, "done": -5}, {"percent": 0, "done": 0}),
        ({"percent": float("nan"), "done": "three", "message": 7}, {"message": "7"}),
        ({"done": float("inf")}, {"done": 2**53}),
        ({"message": "m" * 2000, "unit": "u" * 200}, {"message": "m" * 1024, "unit": "u" * 128}),
        ({"message": "half \ud800 a pair"}, {"message": "half \ud800 a pair"}),
    ],
)
def test_odd_numbers_and_long_texts_stop_no_work(given, sent):
    """What is out of range is brought into it, and what is no number is left out."""
    assert reporting.report_of(**given) == sent


def test_an_endpoint_that_hangs_does_not_hold_up_the_work(pod, endpoint):
    """All calls return, and so does the end of the work, while the first report still waits for its answer."""
    endpoint.always = hang
    with pod.work(interval=0.01) as work:
        for done in range(1000):
            work.progress(done=done)
        wait_for(lambda: endpoint.requests, 10)

    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("trouble", [reset, refusal(503), refusal(429, Retry_After="0"), refusal(401), refusal(404)])
def test_progress_goes_on_after_trouble(pod, endpoint, trouble, caplog):
    """The latest report is sent again, and one warning tells of it."""
    endpoint.refuse_next(trouble, trouble)
    with pod.work(interval=0.01) as work:
        work.progress(done=1)
        wait_for(lambda: len(reports(endpoint)) == 3, 10)

    assert reports(endpoint) == [{"done": 1}] * 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "will be tried again" in caplog.text


def test_a_report_that_is_wrong_is_told_and_dropped(pod, endpoint, caplog):
    """400 is nobody's fault but the program's; later reports go on."""
    endpoint.refuse_next(refusal(400, "InvalidProgress", "done must be a whole number"))
    with pod.work(interval=0.01) as work:
        work.progress(done=1)
        wait_for(lambda: len(endpoint.requests) == 1, 10)
        work.progress(done=2)
        wait_for(lambda: reports(endpoint)[-1] == {"done": 2}, 10)

    assert "done must be a whole number" in caplog.text


def test_nobody_is_troubled_once_reports_are_unwanted(pod, endpoint, caplog):
    """409 means settled or replaced: no further report is sent, and the work goes on."""
    endpoint.always = refusal(409, "Settled", "the operation is settled")
    with pod.work(interval=0.01) as work:
        work.progress(done=1)
        wait_for(lambda: "no longer reported" in caplog.text, 10)
        work.progress(done=2)
        stays(lambda: len(endpoint.requests) == 1, 0.3, "one request is all")


def test_a_gateway_that_is_away_costs_nothing_at_the_end(pod, away, caplog):
    """What failed before is not waited for when the work is done."""
    with pod.work(interval=0.01) as work:
        work.progress(done=1)
        wait_for(lambda: "will be tried again" in caplog.text, 10)

    assert caplog.text.count("will be tried again") == 1


def test_signs_of_life_are_sent_while_the_work_is_silent(pod, endpoint):
    """An empty report each `heartbeat` seconds, from the start."""
    with pod.work(interval=0.01, heartbeat=0.05):
        wait_for(lambda: len(endpoint.requests) >= 3, 10)

    assert reports(endpoint)[:3] == [{}, {}, {}]


def test_without_an_endpoint_progress_goes_nowhere(pod, caplog):
    """A worker need not know whether anybody listens."""
    with pod.work() as work:
        work.progress(done=1)

    assert caplog.text == ""


def test_threads_may_report(pod, endpoint):
    """Reports of several threads are merged like those of one."""
    with pod.work(interval=0.01) as work:
        threads = [threading.Thread(target=work.progress, kwargs={"done": number}) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert reports(endpoint)[-1]["done"] in range(8)


def test_a_program_error_inside_is_logged_and_ends_reporting_only(pod, endpoint, caplog, monkeypatch):
    """Not even a defect of the library reaches the work."""
    monkeypatch.setattr("alo_operator.worker.wire._understood", lambda *_: 1 / 0)
    with caplog.at_level(logging.ERROR), pod.work(interval=0.01) as work:
        work.progress(done=1)
        wait_for(lambda: "progress is no longer reported" in caplog.text, 10)
        work.progress(done=2)


def test_on_a_desk_progress_is_printed(capsys):
    """On standard error, in one line, at most one a second, the last one always."""
    with Work.local() as work:
        work.progress(done=1, total=3, unit="files", message="cat.png")
        wait_for(lambda: "1/3" in capsys.readouterr().err, 10)
        work.progress(percent=50)
        work.progress(done=3)

    assert capsys.readouterr().err == "progress: 3\n"
