"""Sinks without a broker: in memory for tests and demonstrations, into a file of JSON lines for a laptop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from edge_runtime.deliver.link import LinkState, Message, Request
from edge_runtime.types import Settlement, SpooledRow

WINDOW = 16
KEPT = 100_000


class MemorySink:
    """Takes everything, or what `judge` lets through (it answers why not; an empty text takes the row). `away` cuts the line."""

    def __init__(self, judge: Callable[[SpooledRow], str] | None = None, window: int = WINDOW) -> None:
        self.rows: deque[SpooledRow] = deque(maxlen=KEPT)
        self.told: deque[Message] = deque(maxlen=KEPT)
        self._judge = judge or _take
        self._window = window
        self._in_flight: list[SpooledRow] = []
        self._state = LinkState()
        self._woken = threading.Event()

    @property
    def state(self) -> LinkState:
        return self._state

    def connect(self) -> None:
        self._state = LinkState("connected", "", self._state.connects + 1)

    def away(self, reason: str) -> None:
        """The line is cut: what was not settled is forgotten here."""
        self._in_flight.clear()
        self._state = LinkState("offline", reason, self._state.connects)
        self.wake()

    def offer(self, row: SpooledRow) -> bool:
        if self._state.name != "connected" or len(self._in_flight) >= self._window:
            return False
        self._in_flight.append(row)
        self.wake()
        return True

    def settled(self) -> Sequence[Settlement]:
        settlements: list[Settlement] = []
        for row in self._in_flight:
            why = self._judge(row)
            if not why:
                self._keep(row)
            settlements.append(Settlement(row.seq, not why, why))
        self._in_flight = []
        return settlements

    def close(self, deadline_s: float) -> None:  # noqa: ARG002 - nothing to wait for
        self._in_flight.clear()
        self._state = LinkState("offline", "closed", self._state.connects)

    def tell(self, message: Message) -> bool:
        if self._state.name != "connected":
            return False
        self.told.append(message)
        return True

    @property
    def untold(self) -> int:
        return 0

    def requests(self) -> Sequence[Request]:
        return ()

    def acknowledge(self, request: Request) -> None:
        """Nobody asks anything here."""

    def wait(self, timeout: float) -> None:
        self._woken.wait(timeout)
        self._woken.clear()

    def wake(self) -> None:
        self._woken.set()

    def _keep(self, row: SpooledRow) -> None:
        self.rows.append(row)


class JsonLinesSink(MemorySink):
    """Appends each row to a file, one JSON object a line, flushed before it is settled."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._out: TextIO | None = None

    def connect(self) -> None:
        """Open the file; a file that cannot be opened is a far end that is away."""
        try:
            self._out = self._path.open("a", encoding="utf-8")
        except OSError as error:
            self.away(f"{self._path}: {error.strerror}")
        else:
            super().connect()

    def settled(self) -> Sequence[Settlement]:
        settlements = super().settled()
        if self._out is not None:
            self._out.flush()
        return settlements

    def close(self, deadline_s: float) -> None:
        super().close(deadline_s)
        if self._out is not None:
            self._out.close()
            self._out = None

    def _keep(self, row: SpooledRow) -> None:
        super()._keep(row)
        if self._out is not None:
            self._out.write(row.body.decode() + "\n")


def _take(row: SpooledRow) -> str:  # noqa: ARG001 - the signature of a judge
    return ""
