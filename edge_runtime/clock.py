"""Clocks: durations from the monotonic one, wall time for people, and how far it can be trusted.

    unsynced ──synchronised──► ntp ──nobody corrects it any more──► holdover ──synchronised──► ntp
        ▲                                                              │
        └──────────────── the clock was set by more than a second ─────┘

Slewing moves both clocks alike; only a step changes the distance between them. So an instant that was stamped before a step is known by its
distance, and is trusted no longer, whatever the clock says now: `trust`.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Protocol

from edge_runtime.discipline import Discipline, DisciplineReader
from edge_runtime.types import ClockState, Tick

STEP_NS = 1_000_000_000
"""A change of the distance between wall clock and monotonic clock of more than this is a step: somebody set the clock."""

_LOOK_NS = 250_000_000  # the state is asked for with every event


@dataclass(frozen=True, slots=True)
class Steps:
    """How often the wall clock was set while somebody looked, and by how many seconds the last time."""

    count: int = 0
    last_s: float = 0.0


class Clock(Protocol):
    """What the runtime asks of time. From any thread. `discipline` and `steps` are as of the last look."""

    discipline: Discipline
    steps: Steps

    def now(self) -> Tick: ...

    def state(self) -> ClockState:
        """How far the wall clock can be trusted now."""

    def trust(self, tick: Tick) -> ClockState:
        """How far the wall time of an earlier instant of this boot can be trusted: `unsynced` when the clock was set since."""

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clocks."""

    def __init__(self, reader: DisciplineReader | None = None) -> None:
        self.discipline = Discipline()
        self.steps = Steps()
        self._reader = reader or DisciplineReader()
        self._lock = threading.Lock()
        self._look_ns = 0
        self._lead_ns: int | None = None  # of the wall clock before the monotonic one
        self._before = False  # the clock was right in this boot, and has not been set since
        self._state = ClockState.UNSYNCED

    def now(self) -> Tick:
        return Tick(time.monotonic_ns(), time.time_ns())

    def state(self) -> ClockState:
        """`ntp` where the kernel, timesyncd or chrony says so; `holdover` where they said so earlier in this boot; else `unsynced`."""
        return self._look(self.now())

    def trust(self, tick: Tick) -> ClockState:
        now = self.now()
        return trusted(tick, now, self._look(now))

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))

    def _look(self, now: Tick) -> ClockState:
        with self._lock:
            lead_ns = now.wall_ns - now.mono_ns
            stepped_ns = 0 if self._lead_ns is None else lead_ns - self._lead_ns
            stepped = abs(stepped_ns) > STEP_NS
            if now.mono_ns < self._look_ns and not stepped:
                return self._state
            self._look_ns = now.mono_ns + _LOOK_NS
            found = self._reader.read()
            if stepped:
                self.steps = Steps(self.steps.count + 1, stepped_ns / 1e9)
            if found.synchronised or self._lead_ns is None:
                self._before = found.before
            elif stepped:
                self._before = False
            self._lead_ns = lead_ns
            self.discipline = found
            self._state = ClockState.NTP if found.synchronised else ClockState.HOLDOVER if self._before else ClockState.UNSYNCED
            return self._state


class FakeClock:
    """A clock that moves only when told. Ships in the package so that everything timed runs on a laptop."""

    def __init__(self, mono_ns: int = 0, wall_ns: int = 0, state: ClockState = ClockState.FOOTAGE) -> None:
        self.discipline = Discipline()
        self.steps = Steps()
        self._now = Tick(mono_ns, wall_ns)
        self._state = state

    def now(self) -> Tick:
        return self._now

    def state(self) -> ClockState:
        return self._state

    def trust(self, tick: Tick) -> ClockState:
        return trusted(tick, self._now, self._state)

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Both clocks move on together."""
        step = round(seconds * 1e9)
        self._now = Tick(self._now.mono_ns + step, self._now.wall_ns + step)

    def step_wall(self, seconds: float, state: ClockState | None = None) -> None:
        """Somebody set the wall clock; `state`: how far it can be trusted from now on."""
        self._now = Tick(self._now.mono_ns, self._now.wall_ns + round(seconds * 1e9))
        self._state = state or self._state
        if abs(seconds) * 1e9 > STEP_NS:
            self.steps = Steps(self.steps.count + 1, seconds)


def trusted(tick: Tick, now: Tick, state: ClockState) -> ClockState:
    """How far `tick`'s wall time can be trusted when it is `now` and the clock is `state`. Footage has no clock that could be set."""
    if state is ClockState.FOOTAGE:
        return state
    stepped = abs((now.wall_ns - now.mono_ns) - (tick.wall_ns - tick.mono_ns)) > STEP_NS
    return ClockState.UNSYNCED if stepped else state
