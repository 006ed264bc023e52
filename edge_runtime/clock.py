"""Clocks: durations from the monotonic one, wall time for people, and how far it can be trusted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

from edge_runtime.types import ClockState, Tick

_SYNCHRONISED = Path("/run/systemd/timesync/synchronized")


class Clock(Protocol):
    """What the runtime asks of time."""

    def now(self) -> Tick: ...

    def state(self) -> ClockState: ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> Tick:
        return Tick(time.monotonic_ns(), time.time_ns())

    def state(self) -> ClockState:
        """`ntp` where the kernel or timesyncd says so, else `unsynced`."""
        if _SYNCHRONISED.exists() or _kernel_synchronised():
            return ClockState.NTP
        return ClockState.UNSYNCED

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


class FakeClock:
    """A clock that moves only when told. Ships in the package so that everything timed runs on a laptop."""

    def __init__(self, mono_ns: int = 0, wall_ns: int = 0, state: ClockState = ClockState.FOOTAGE) -> None:
        self._now = Tick(mono_ns, wall_ns)
        self._state = state

    def now(self) -> Tick:
        return self._now

    def state(self) -> ClockState:
        return self._state

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Both clocks move on together."""
        step = round(seconds * 1e9)
        self._now = Tick(self._now.mono_ns + step, self._now.wall_ns + step)

    def step_wall(self, seconds: float) -> None:
        """Somebody set the wall clock."""
        self._now = Tick(self._now.mono_ns, self._now.wall_ns + round(seconds * 1e9))


def _kernel_synchronised() -> bool:
    """Whether the kernel's clock discipline reports a synchronised clock (STA_UNSYNC clear), by adjtimex(2) in read mode."""
    import ctypes
    import sys

    if not sys.platform.startswith("linux"):
        return False
    # struct timex begins with `unsigned int modes` and is below 256 bytes on every Linux ABI; modes = 0 only reads.
    buffer = ctypes.create_string_buffer(256)
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(buffer)
    time_error = 5  # TIME_ERROR
    return state not in (-1, time_error)
