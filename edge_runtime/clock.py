"""Clocks: durations from the monotonic one, wall time for people, and how far it can be trusted.

    unsynced ──synchronised──► ntp ──nobody corrects it any more──► holdover ──synchronised──► ntp
        ▲                                                              │
        └──────────────── the clock was set by more than a second ─────┘

Slewing moves both clocks alike; only a step changes by how much the wall clock leads the monotonic one. So an instant is known by its lead: it
is trusted as the clock was trusted that stamped it, whatever the clock says now.

    lead  −56 years │ unsynced ● ● ●│  0 │ ntp ● ● ●│         an instant that is told late belongs to the era of its own lead
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from edge_runtime.discipline import Discipline, DisciplineReader
from edge_runtime.types import ClockState, Tick

STEP_NS = 1_000_000_000
"""A change of the distance between wall clock and monotonic clock of more than this is a step: somebody set the clock."""

ERAS = 16
_TOGETHER_NS = 50_000_000
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

    def trust(self, ticks: Sequence[Tick]) -> Sequence[ClockState]:
        """How far the wall times of these instants of this boot can be trusted; `unsynced` where nobody remembers the clock that stamped them."""

    def sleep(self, seconds: float) -> None: ...


class Era(NamedTuple):
    """A time between two steps of the wall clock: by how much it led the monotonic one, and how far it could be trusted at the end."""

    lead_ns: int
    state: ClockState


class Eras:
    """The newest eras of this process. Not thread-safe: its owner locks."""

    def __init__(self) -> None:
        self._eras: deque[Era] = deque(maxlen=ERAS)

    @property
    def newest(self) -> Era | None:
        """The present one."""
        return self._eras[-1] if self._eras else None

    def moved_ns(self, now: Tick) -> int:
        """By how much the wall clock was set since the last `note`."""
        return now.wall_ns - now.mono_ns - self._eras[-1].lead_ns if self._eras else 0

    def note(self, now: Tick, state: ClockState) -> None:
        """It is `now`, and the clock can be trusted so far."""
        if self._eras and abs(self.moved_ns(now)) <= STEP_NS:
            self._eras.pop()
        self._eras.append(Era(now.wall_ns - now.mono_ns, state))

    def state_of(self, tick: Tick) -> ClockState:
        """Of the newest era that `tick` fits; `unsynced` when it fits none."""
        lead_ns = tick.wall_ns - tick.mono_ns
        return next((era.state for era in reversed(self._eras) if abs(era.lead_ns - lead_ns) <= STEP_NS), ClockState.UNSYNCED)


class SystemClock:
    """The machine's clocks."""

    def __init__(self, reader: DisciplineReader | None = None) -> None:
        self.discipline = Discipline()
        self.steps = Steps()
        self._reader = reader or DisciplineReader()
        self._lock = threading.Lock()
        self._look_ns = 0
        self._eras = Eras()
        self._before = False  # the clock was right in this boot, and has not been set since
        self._state = ClockState.UNSYNCED

    def now(self) -> Tick:
        """Both clocks at once: a process that is stopped, or has to wait, between the two readings must not look like a step."""
        while True:
            mono_ns, wall_ns = time.monotonic_ns(), time.time_ns()
            if time.monotonic_ns() - mono_ns < _TOGETHER_NS:
                return Tick(mono_ns, wall_ns)

    def state(self) -> ClockState:
        """`ntp` where the kernel, timesyncd or chrony says so; `holdover` where they said so earlier in this boot; else `unsynced`."""
        return self._look(self.now())

    def trust(self, ticks: Sequence[Tick]) -> Sequence[ClockState]:
        self._look(self.now())
        with self._lock:
            return [self._eras.state_of(tick) for tick in ticks]

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))

    def _look(self, now: Tick) -> ClockState:
        with self._lock:
            first = self._eras.newest is None
            stepped_ns = self._eras.moved_ns(now)
            stepped = abs(stepped_ns) > STEP_NS
            if now.mono_ns < self._look_ns and not stepped:
                return self._state
            self._look_ns = now.mono_ns + _LOOK_NS
            found = self._reader.read()
            if stepped:
                self.steps = Steps(self.steps.count + 1, stepped_ns / 1e9)
            if found.synchronised or first:
                self._before = found.before
            elif stepped:
                self._before = False
            self.discipline = found
            self._state = ClockState.NTP if found.synchronised else ClockState.HOLDOVER if self._before else ClockState.UNSYNCED
            self._eras.note(now, self._state)
            return self._state


class FakeClock:
    """A clock that moves only when told. Ships in the package so that everything timed runs on a laptop."""

    def __init__(self, mono_ns: int = 0, wall_ns: int = 0, state: ClockState = ClockState.FOOTAGE) -> None:
        self.discipline = Discipline()
        self.steps = Steps()
        self._now = Tick(mono_ns, wall_ns)
        self._state = state
        self._eras = Eras()
        self._eras.note(self._now, state)

    def now(self) -> Tick:
        return self._now

    def state(self) -> ClockState:
        return self._state

    def trust(self, ticks: Sequence[Tick]) -> Sequence[ClockState]:
        return [self._eras.state_of(tick) for tick in ticks]

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
        self._eras.note(self._now, self._state)
        if abs(seconds) * 1e9 > STEP_NS:
            self.steps = Steps(self.steps.count + 1, seconds)
