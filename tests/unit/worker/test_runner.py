"""From the start of a worker program to its exit status, in processes of their own."""

import json
import signal

import pytest

HEAD = "import sys, time\nfrom alo_operator.worker import Cancelled, run\n"


def body(*lines):
    """A program whose `main` has these lines."""
    return HEAD + "def main(work):\n" + "".join(f"    {line}\n" for line in lines) + "run(main)\n"


def test_what_main_returns_is_the_result(program, pod):
    """It knows for whom it works; nothing is printed."""
    text = body("return [work.id, work.namespace, work.uid, work.attempt, work.in_cluster, work.input]")

    assert program(text).ended() == (0, "")
    assert json.loads(pod.message) == ["resize", "media", "uid-1", "pod-1", True, {"width": 800}]


def test_a_main_that_returns_nothing_leaves_no_result(program, pod):
    """Success without a value."""
    assert program(body("pass")).ended() == (0, "")
    assert pod.message == b""


def test_an_exception_is_the_failure_in_one_line_and_the_traceback_is_logged(program, pod):
    """Callers read what went wrong and where; the log has the rest."""
    status, output = program(body("return int(work.input['width'] / 0)")).ended()

    assert status == 1
    assert pod.message == b"ZeroDivisionError: division by zero (worker.py, line 4)"
    assert "Traceback (most recent call last)" in output


def test_a_failure_takes_the_place_of_a_result(program, pod):
    """What was handed in before the end went wrong is not mixed with the reason."""
    status, _ = program(body("work.result('x' * 500)", "raise OSError('disk full')")).ended()

    assert (status, pod.message) == (1, b"OSError: disk full (worker.py, line 5)")


def test_a_long_failure_is_cut_between_characters(program, pod):
    """2000 bytes of whole characters at most."""
    status, _ = program(body("raise ValueError('☃' * 5000)")).ended()

    assert status == 1
    assert 1990 < len(pod.message) <= 2000
    assert pod.message.decode().startswith("ValueError: ☃☃")


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [("'input.width is missing'", 1, b"input.width is missing"), ("7", 7, b""), ("", 0, b""), ("None", 0, b"")],
)
def test_sys_exit_means_what_it_always_does(program, pod, code, status, message):
    """A text is the failure, a number the exit status."""
    found, output = program(body(f"sys.exit({code})")).ended()

    assert (found, pod.message) == (status, message)
    assert output == (f"{message.decode()}\n" if message else "")


@pytest.mark.promise("CANCEL-3")
def test_sigterm_ends_a_worker_that_takes_no_notice_of_it(program, pod):
    """Exit status 143, and the failure text says that it was told to stop."""
    found = program(body("print('up')", "time.sleep(1000)")).told("up").stop(signal.SIGTERM).ended()

    assert found == (143, "up\ntold to stop by SIGTERM\n")
    assert pod.message == b"told to stop by SIGTERM"


def test_a_cancelled_worker_can_give_what_it_has(program, pod):
    """Returning after Cancelled hands in the partial result and exits with 0."""
    text = body(
        "done = 0",
        "try:",
        "    while True:",
        "        done += 1",
        "        if done == 3: print('up')",
        "        work.wait(None if done == 3 else 0)",
        "except Cancelled:",
        "    return {'done': done, 'whole': False}",
    )

    assert program(text).told("up").stop(signal.SIGTERM).ended() == (0, "up\n")
    assert json.loads(pod.message) == {"done": 3, "whole": False}


def test_a_signal_during_the_last_steps_changes_nothing(program, pod):
    """Once main is over the outcome stands, whoever is told to stop then."""
    text = HEAD + (
        "import atexit, os, signal\n"
        "def leave():\n    os.kill(os.getpid(), signal.SIGTERM)\n    print('left')\n"
        "def main(work):\n    atexit.register(leave)\n    return 1\n"
        "run(main)\n"
    )

    assert program(text).ended() == (0, "left\n")
    assert pod.message == b"1"


def test_a_result_that_does_not_get_through_is_a_failure(program, pod):
    """The message says what to do, and there is no traceback to read."""
    status, output = program(body("return 'x' * 10000")).ended()

    assert status == 1
    assert output == f"{pod.message.decode()}\n"
    assert "10002 bytes and may have 4092" in output


def test_progress_of_the_last_moment_arrives(program, pod, endpoint):
    """The end waits for the last report."""
    text = body("for n in range(500): work.progress(done=n)", "return n")

    assert program(text).ended() == (0, "")
    assert endpoint.of("progress")[-1].json == {"done": 499}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "cannot be read: No such file"),
        ("{", "is not JSON"),
        ("[1]", "no JSON object"),
        ("[" * 10**5, "not JSON"),
    ],
)
def test_a_broken_input_is_told_at_the_start(program, pod, given, message):
    """Exit status 1 and a sentence, before the worker's own code runs."""
    pod.input_file.unlink()
    if given is not None:
        pod.input_file.write_text(given)

    status, output = program(body("print('ran')")).ended()

    assert status == 1
    assert message in output
    assert "ran" not in output
    assert "Traceback" not in output


def test_an_environment_of_halves_is_told(program, pod):
    """ALO_ID without the rest is no pod of ours."""
    del pod.environ["ALO_RESULT_FILE"]

    status, output = program(body("pass")).ended()

    assert (status, "ALO_RESULT_FILE" in output) == (1, True)


DESK = body("work.progress(done=1, total=2, message='half')", "return {'given': work.input, 'id': work.id}")


@pytest.mark.promise("WORK-5")
def test_the_same_program_runs_on_a_desk(program, tmp_path):
    """The input comes from a file that is named, from standard input or from nowhere; the result is printed."""
    (tmp_path / "input.json").write_text('{"n": 1}')

    named = program(DESK, "--input", str(tmp_path / "input.json"), "--own-option", local=True).ended()
    typed = program(DESK, "--input=-", local=True, given='{"n": 2}').ended()
    empty = program(DESK, local=True).ended()

    assert named == (0, 'progress: 1/2, half\n{"given":{"n":1},"id":"local"}\n')
    assert typed == (0, 'progress: 1/2, half\n{"given":{"n":2},"id":"local"}\n')
    assert empty == (0, 'progress: 1/2, half\n{"given":{},"id":"local"}\n')


@pytest.mark.parametrize("arguments", [["--input"], ["--input", "no-such-file"]])
def test_an_input_that_is_not_there_is_told_on_a_desk(program, arguments):
    """A sentence, no traceback."""
    status, output = program(DESK, *arguments, local=True).ended()

    assert status == 1
    assert "input" in output
    assert "Traceback" not in output


def test_large_results_are_shown_whole_on_a_desk(program):
    """With a note that a cluster needs the report endpoint for them."""
    status, output = program(body("return 'x' * 5000"), local=True).ended()

    assert (status, "x" * 5000 in output) == (0, True)
    assert "note: in a cluster 5002 bytes go to the report endpoint" in output
