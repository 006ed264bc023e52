"""A TCP proxy between a client and a server of the test's: cuts connections, swallows bytes, slows down, records what passes."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable


class Proxy:
    """Forwards `port` (its own) to `target`. `cut` closes every connection; `refuse` also those to come; `swallow` lets nothing through."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.connections = 0
        self.refusing = False
        self.swallowing = False
        self.delay_s = 0.0  # for each piece on the way back
        self.watch_up: Callable[[bytes], None] = _ignore  # client -> server
        self.watch_down: Callable[[bytes], None] = _ignore
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def live(self) -> bool:
        """Whether a connection is open."""
        return bool(self._open)

    def cut(self) -> None:
        """Close what is open, hard (RST)."""
        with self._lock:
            sockets, self._open = self._open, []
        for each in sockets:
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self.connections += 1
            with self._lock:
                self._open += [client, server]
            threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        try:
            while piece := source.recv(65536):
                (self.watch_up if up else self.watch_down)(piece)
                if not up and self.delay_s:
                    time.sleep(self.delay_s)
                if not self.swallowing:
                    sink.sendall(piece)
        except OSError:
            pass
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        with self._lock:
            for each in (source, sink):
                if each in self._open:
                    self._open.remove(each)
                each.close()


def _ignore(_: bytes) -> None:
    """Nobody watches."""
