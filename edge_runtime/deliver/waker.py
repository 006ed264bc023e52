"""One thread waits for a socket, or for another thread to wake it."""

from __future__ import annotations

import contextlib
import select
import socket
from typing import Any


class Waker:
    """`wake` from any thread; everything else from the one that waits."""

    def __init__(self) -> None:
        self._out, self._in = socket.socketpair()
        self._out.setblocking(False)
        self._in.setblocking(False)

    def wait(self, timeout: float, sock: Any = None, *, writable: bool = False) -> None:
        """Until `sock` can be read (or written, if that matters), `wake` was called, or `timeout` seconds passed."""
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        if sock is not None:
            if getattr(sock, "pending", _nothing)():
                return  # TLS has read more than it gave out
            poll.register(sock, select.POLLIN | (select.POLLOUT if writable else 0))
        woken = poll.poll(max(0.0, timeout) * 1000)
        if any(number == self._out.fileno() for number, _ in woken):
            self._out.recv(4096)

    def wake(self) -> None:
        """End a `wait`, now or the next."""
        with contextlib.suppress(OSError):  # full: it will wake anyway; closed: nobody waits
            self._in.send(b"!")

    def close(self) -> None:
        """Nobody waits any more."""
        self._in.close()
        self._out.close()


def _nothing() -> int:
    return 0
