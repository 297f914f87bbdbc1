"""Starting, ending, freezing and watching an operator process, tried on a stand-in."""

import sys
import textwrap

import pytest

from tests.support import operator_process
from tests.support.operator_process import OperatorProcess
from tests.support.waiting import NotInTime, wait_for

STAND_IN = """
    #!{python} -I
    # Answers the probes and obeys SIGTERM; `--stubborn` does not, `--unready` never gets ready, `--broken` ends.
    import http.server, json, signal, sys
    if "--broken" in sys.argv:
        sys.exit("no such cluster")
    if "--stubborn" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(503 if "--unready" in sys.argv and self.path == "/readyz" else 200)
            self.end_headers()
            self.wfile.write(b"# HELP alo_passes x\\nalo_passes{{lane=\\"a b\\"}} 3.0\\n")
        def log_message(self, *_):
            pass
    print(json.dumps({{"level": "info", "message": "started", "arguments": sys.argv[1:]}}), flush=True)
    host, port = sys.argv[sys.argv.index("--http-address") + 1].split(":")
    http.server.HTTPServer((host, int(port)), Answer).serve_forever()
"""


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Makes stand-ins; whatever still runs at the end is killed."""
    program = tmp_path / "stand-in"
    program.write_text(textwrap.dedent(STAND_IN).lstrip().format(python=sys.executable), "utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(operator_process, "PROGRAM", program)
    made = []

    def make_replica(*arguments):
        replica = OperatorProcess(
            identity="alo-0",
            kubeconfig=tmp_path / "kubeconfig",
            log_file=tmp_path / "alo-0.log",
            namespaces=["alo-test-1"],
            arguments=arguments,
        )
        made.append(replica)
        return replica

    yield make_replica
    for replica in made:
        if replica.running:
            replica.kill()


def test_a_replica_starts_restarts_and_stops(make):
    """It is ready on return, comes back under the same identity, and ends with its own exit status."""
    replica = make().start()
    first = replica.pid

    assert replica.probe("healthz") == 200
    assert replica.metrics() == {'alo_passes{lane="a b"}': 3.0}
    replica.restart()
    assert replica.running
    assert replica.pid != first
    assert replica.stop() == 0
    assert replica.probe("healthz") == 0
    assert [line["arguments"][:3] for line in replica.log()] == [["run", "--namespace", "alo-test-1"]] * 2


def test_a_killed_replica_is_gone_at_once(make):
    """SIGKILL ends it whatever it does, and it can be started again."""
    replica = make("--stubborn").start()
    replica.kill()

    assert not replica.running
    assert replica.start().probe("readyz") == 200


def test_a_frozen_replica_goes_on_where_it_was(make):
    """While paused it answers nothing and is the same process afterwards; a paused one can be stopped."""
    replica = make().start()
    first = replica.pid
    replica.pause()
    state = f"/proc/{first}/stat"

    wait_for(lambda: _state_of(state) == "T", timeout=5, describe="the process is stopped")
    replica.thaw()
    assert replica.probe("healthz") == 200
    assert replica.pid == first
    replica.pause()
    assert replica.stop() == 0


def _state_of(path: str) -> str:
    with open(path, encoding="ascii") as stat:  # noqa: PTH123
        return stat.read().rpartition(")")[2].split()[0]


def test_a_replica_that_disobeys_is_an_error(make):
    """One that ignores SIGTERM is killed, and the test is told."""
    replica = make("--stubborn").start()

    with pytest.raises(AssertionError, match=r"did not end 0\.2 s after SIGTERM"):
        replica.stop(timeout=0.2)
    assert not replica.running


def test_a_replica_that_never_gets_ready_is_an_error(make):
    """Waiting for readiness ends with the log's tail, or at once when the process ends."""
    with pytest.raises(NotInTime, match=r"answers /readyz with 200; its log ends with:\n.*started"):
        make("--unready").start(timeout=1)
    with pytest.raises(RuntimeError, match=r"ended with 1 before it was ready:\n(.*\n)*no such cluster"):
        make("--broken").start()
