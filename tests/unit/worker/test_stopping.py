"""SIGTERM: noted, waited for, raised in the main thread, held back. Programs run in processes of their own."""

import contextlib
import os
import signal
import threading

import pytest

from alo_operator.worker import Cancelled, ReportUnavailable, Work
from tests.support.report_endpoint import hang, refusal

LARGE = "x" * 10_000


def tell(number=signal.SIGTERM):
    os.kill(os.getpid(), number)


def tell_and_wait(work):
    tell()
    work.wait(30)


def test_sigterm_interrupts_the_main_thread_past_any_except_exception(pod):
    """Cancelled is no Exception, so that code which survives errors does not survive it."""
    with pod.work() as work:
        with pytest.raises(Cancelled, match="told to stop by SIGTERM"), contextlib.suppress(Exception):
            tell_and_wait(work)
        assert work.cancelled


def test_a_worker_may_look_for_itself(pod):
    """Without `interrupt` nothing is raised: `cancelled`, `wait` and `check` tell."""
    with pod.work(interrupt=False) as work:
        assert not work.cancelled
        assert not work.wait(0)
        work.check()
        tell()
        assert work.cancelled
        assert work.wait(30)
        with pytest.raises(Cancelled):
            work.check()


def test_cancelled_is_raised_once_only(pod):
    """Cleaning up after it is not interrupted by a second signal."""
    with pod.work() as work:
        with pytest.raises(Cancelled):
            tell()
        tell()
        work.progress(done=1)
        work.result("half")

    assert pod.message == b'"half"'


def test_what_must_be_whole_is_done_whole(pod):
    """Inside `uninterrupted`, nested or not, the exception waits for the end of the outermost."""
    done = []

    def save(work):
        with work.uninterrupted():
            with work.uninterrupted():
                tell()
                done.append("inner")
            done.append("outer")
        done.append("after")

    with pod.work() as work, pytest.raises(Cancelled):
        save(work)

    assert done == ["inner", "outer"]


def test_an_error_inside_uninterrupted_is_not_hidden(pod):
    """The error leaves as it is; the cancellation can still be seen."""

    def fail():
        tell()
        raise ZeroDivisionError

    with pod.work() as work:
        with pytest.raises(ZeroDivisionError), work.uninterrupted():
            fail()
        assert work.cancelled


def test_another_thread_that_asks_does_not_take_the_exception_away(pod):
    """What `check` raises elsewhere is not what the main thread is owed."""
    found = []

    def look(work):
        try:
            work.check()
        except Cancelled:
            found.append("seen")

    def save(work):
        with work.uninterrupted():
            tell()
            thread = threading.Thread(target=look, args=[work])
            thread.start()
            thread.join()

    with pod.work() as work, pytest.raises(Cancelled):
        save(work)

    assert found == ["seen"]


def test_any_number_of_threads_may_wait(pod):
    """All of them wake up at the signal."""
    with pod.work(interrupt=False) as work:
        woken = []
        threads = [threading.Thread(target=lambda: woken.append(work.wait())) for _ in range(5)]
        for thread in threads:
            thread.start()
        tell()
        for thread in threads:
            thread.join(20)

    assert woken == [True] * 5


def test_handing_in_the_result_is_not_interrupted(pod, endpoint):
    """The request is finished, the result is on record, and only asking raises the cancellation afterwards."""

    def answer_after_signal(handler, request):
        tell()
        refusal(503)(handler, request)

    endpoint.refuse_next(answer_after_signal)
    with pod.work() as work:
        work.result(LARGE)
        assert endpoint.result == f'"{LARGE}"'.encode()
        with pytest.raises(Cancelled):
            work.check()


def test_after_sigterm_nothing_outlasts_the_grace_period(pod, endpoint):
    """An endpoint that hangs is given up two seconds before the end."""
    endpoint.always = hang
    with pod.work(interrupt=False, grace=2.3) as work:
        tell()
        with pytest.raises(ReportUnavailable):
            work.result(LARGE)


def test_signals_go_back_to_whom_they_came_from(pod):
    """After the work the process reacts as it did before."""
    before = signal.getsignal(signal.SIGTERM)
    with pod.work():
        assert signal.getsignal(signal.SIGTERM) != before

    assert signal.getsignal(signal.SIGTERM) == before


def test_in_another_thread_the_work_goes_without_signals(pod):
    """Python lets only the main thread listen; elsewhere the work is used without, and nothing fails."""
    before, seen = signal.getsignal(signal.SIGTERM), []

    def use():
        with pod.work() as work:
            seen.append(signal.getsignal(signal.SIGTERM))
            work.result(7)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join(20)

    assert (seen, pod.message) == ([before], b"7")


FORKS = """
import os, signal, time
from alo_operator.worker import run

def main(work):
    told, ready = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(ready, b"!")
        while True:
            time.sleep(0.05)
    os.read(told, 1)
    os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    return {"child": os.waitstatus_to_exitcode(status), "told": work.wait(0) or work.cancelled}

run(main)
"""


def test_a_forked_child_ends_by_itself_and_tells_the_parent_nothing(program, pod):
    """A pool that ends its processes by SIGTERM cancels nothing."""
    status, output = program(FORKS).ended()

    assert (status, output) == (0, "")
    assert pod.message == b'{"child":-15,"told":false}'


def test_ctrl_c_on_a_desk_is_the_cancellation(program):
    """So that the way of a cancelled worker can be tried without a cluster."""
    text = (
        "from alo_operator.worker import Cancelled, run\n"
        "def main(work):\n"
        "    try:\n"
        "        print('up')\n"
        "        work.wait()\n"
        "    except Cancelled as told:\n"
        "        return f'half, {told}'\n"
        "run(main)\n"
    )

    status, output = program(text, local=True).told("up").stop(signal.SIGINT).ended()

    assert (status, output) == (0, 'up\n"half, told to stop by SIGINT"\n')


def test_a_test_of_a_worker_needs_no_process(capsys):
    """Work.local gives the input and prints the rest."""
    given = {"names": ["a"]}
    work = Work.local(given)
    work.input["names"].append("b")
    work.result({"n": 2})

    assert given == {"names": ["a"]}
    assert capsys.readouterr().out == '{"n":2}\n'
