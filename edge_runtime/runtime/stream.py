"""What every stream of the daemon has in common, whatever it reads: how the node and the supervisor start, watch, restart and stop it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from edge_runtime.runtime.outlet import Outlet
from edge_runtime.types import Event, Json, Tracks

_PATIENCE_S = 1.0


class StreamRun(Protocol):
    """One stream at work. One thread (the supervisor's) calls it; its properties may be read from others."""

    restarts: int

    @property
    def failure(self) -> BaseException | None:
        """Why a loop of it ended that should not have."""

    @property
    def finished(self) -> bool:
        """Every loop of it has ended."""

    def start(self, saved: Json) -> None:
        """Begin. `saved` is the last state of an earlier process, or None."""

    def restart(self, why: str) -> None:
        """Give up what runs, whatever it is doing, and begin anew where its last checkpoint stood."""

    def ask_to_stop(self) -> None:
        """End after what is in flight. Returns at once."""

    def join(self, timeout: float) -> bool:
        """Wait for the end. False when it still runs after `timeout` seconds."""

    def interrupt(self) -> None:
        """Do not wait for the far end any longer."""

    def stop(self, deadline_s: float) -> Json:
        """`ask_to_stop`, and wait. Returns the state to carry on from."""


def stop_together(runs: Mapping[str, StreamRun], deadline_s: float) -> dict[str, Json]:
    """Stop streams within `deadline_s` for all of them: their states. What one waits for at its end is not waited for once a stream."""
    end_s = time.monotonic() + deadline_s
    patient_s = time.monotonic() + min(_PATIENCE_S, deadline_s / 2)
    for run in runs.values():
        run.ask_to_stop()
    for run in runs.values():
        if not run.join(max(0.0, patient_s - time.monotonic())):
            run.interrupt()  # it may be opening a camera that is away
    return {name: run.stop(max(0.1, end_s - time.monotonic())) for name, run in runs.items()}


class Tap:
    """A stream's way to the outlet. It remembers the last state that went through, and can be shut on a loop that was given up."""

    def __init__(self, outlet: Outlet, state: Json) -> None:
        self.state = state
        self._outlet: Outlet | None = outlet
        self._lock = threading.Lock()  # when `shut` has returned, `state` is what went through last, and nothing follows

    @property
    def durable(self) -> bool:
        outlet = self._outlet
        return outlet is not None and outlet.durable

    def emit(self, events: Sequence[Event], state: Mapping[str, Json]) -> None:
        with self._lock:
            if self._outlet is None:
                return
            if events or state:
                self._outlet.emit(events, state)
            for value in state.values():  # not before: what failed did not go through
                self.state = value

    def live(self, stream: str, tracks: Tracks) -> None:
        outlet = self._outlet
        if outlet is not None:
            outlet.live(stream, tracks)

    def shut(self) -> None:
        """Nothing goes through any more."""
        with self._lock:
            self._outlet = None
