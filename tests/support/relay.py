"""A slow line to the API server: what a process sends arrives late, or not at all where the process is gone by then."""

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

CHUNK = 65536
GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR


class Relay:
    """Passes bytes on between its own port and `target` (host, port); TLS goes through untouched.

    What a client sends waits for `delay` seconds (0, and free to change at any time) before it is passed on, and is
    dropped where the client has hung up meanwhile. Answers are never held up. It listens on the target's own address,
    so that the server's certificate fits.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.target, self.delay = target, 0.0
        self._server = socket.create_server((target[0], 0))
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, name="relay", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more connections; those that are open live as long as their two ends."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return  # closed
            with contextlib.suppress(OSError):
                server = socket.create_connection(self.target)
                for pump in (self._late, self._at_once):
                    threading.Thread(target=pump, args=(client, server), daemon=True).start()

    def _late(self, client: socket.socket, server: socket.socket) -> None:
        hung_up = select.poll()
        hung_up.register(client, GONE)
        with contextlib.suppress(OSError):
            while sent := client.recv(CHUNK):
                if self.delay and hung_up.poll(self.delay * 1000):
                    break
                server.sendall(sent)
        close(server)

    def _at_once(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while answered := server.recv(CHUNK):
                client.sendall(answered)
        close(client)


def close(end: socket.socket) -> None:
    """Hang up, whoever else still reads from it."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextlib.contextmanager
def slow_line(kubeconfig: Path, folder: Path) -> Iterator[tuple[Relay, Path]]:
    """A relay to the API server of `kubeconfig`, and a kubeconfig in `folder` that goes through it."""
    content: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
    cluster = content["clusters"][0]["cluster"]
    address = urlsplit(cluster["server"])
    relay = Relay((address.hostname or "127.0.0.1", address.port or 443))
    cluster["server"] = f"https://{address.hostname}:{relay.port}"
    through = folder / "slow-line.kubeconfig"
    through.write_text(yaml.safe_dump(content))
    through.chmod(0o600)
    try:
        yield relay, through
    finally:
        relay.close()
