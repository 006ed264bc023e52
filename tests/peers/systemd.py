"""The other end of systemd's protocol: datagrams on a socket."""

from __future__ import annotations

import socket
import threading
import time
from itertools import pairwise
from pathlib import Path


class Manager:
    """Listens where NOTIFY_SOCKET points."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[str] = []
        self._lives_s: list[float] = []  # when WATCHDOG=1 came
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.2)
        self._open = True
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    @property
    def longest_silence_s(self) -> float:
        """Between two signs of life, or since the last one: what systemd's watchdog holds against its limit."""
        times_s = [*self._lives_s, time.monotonic()]
        return max(after - before for before, after in pairwise(times_s)) if self._lives_s else float("inf")

    def env(self, watchdog_s: float) -> dict[str, str]:
        """What a service is started with."""
        return {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": str(round(watchdog_s * 1e6))}

    def _listen(self) -> None:
        while self._open:
            try:
                lines = self._socket.recv(4096).decode().splitlines()
            except TimeoutError:
                continue
            self.heard += lines
            if "WATCHDOG=1" in lines:
                self._lives_s.append(time.monotonic())

    def close(self) -> None:
        self._open = False
        self._thread.join()
        self._socket.close()
