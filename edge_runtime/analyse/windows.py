"""Counting windows: aligned to the wall clock, measured by the monotonic one.

    wall      09:58:20          10:00            10:05        ┊ somebody sets the clock to 12:31:10
    windows   ├── partial ──────┼── whole ───────┼─ partial ──┤├── partial ──┤ 12:35
              start                                           ┊ ended early   begun late

A window's length is monotonic: at its opening the distance to the next aligned instant is laid on the monotonic clock. So slewing by NTP
shifts a window's end by milliseconds, and the next window is aligned anew; nothing is counted twice or lost. A step of the wall clock
by more than a second ends the window at that instant, by the old clock, and begins one by the new clock. So does a reboot, where the boot before was
last alive: its clocks and those that run now cannot be laid on each other.
"""

from __future__ import annotations

from edge_runtime.types import Json, Tick, Window

_STEP_NS = 1_000_000_000
_REST_NS = 1_000_000  # times of pictures are rounded: so near to its beginning a window has not been used
MISSED_LIMIT = 1000
"""After a sleep over more windows than this, those after the first are told as one long, partial one: nobody was counting in any of them."""


class WindowClock:
    """The open window of one camera. `advance` with every stamp, in order; what it returns has closed, in order, without holes."""

    def __init__(self, interval_s: float) -> None:
        """`interval_s`: length of a window, aligned so that one begins at each midnight UTC when it divides a day."""
        self._interval_ns = round(interval_s * 1e9)
        if self._interval_ns <= 0:
            raise ValueError(f"interval_s = {interval_s}: expected more than 0")
        self._start: Tick | None = None
        self._end = Tick(0, 0)  # where the open window ends if nothing happens
        self._partial = False  # it began late
        self._last = Tick(0, 0)
        self._restored = False  # the open window is of an earlier process
        self._goes_on = True  # of this boot, and has the length that windows have now
        self._rebooted = False  # the open window is of an earlier boot

    def advance(self, tick: Tick) -> list[Window]:
        """Time is `tick`: the windows that ended up to it. The first call opens the first window, exactly at `tick`."""
        if self._restored:
            return self._resume(tick)
        if self._start is None:
            self._open(tick)
            return []
        lag_ns = (tick.wall_ns - self._last.wall_ns) - (tick.mono_ns - self._last.mono_ns)
        if abs(lag_ns) > _STEP_NS:
            by_old_clock = Tick(tick.mono_ns, tick.wall_ns - lag_ns)
            closed = self._catch_up(by_old_clock)
            closed += self._cut(by_old_clock)
            self._open(tick)
            return closed
        closed = self._catch_up(tick)
        self._last = tick
        return closed

    def finish(self, tick: Tick) -> list[Window]:
        """The end, at `tick`: what ended up to it, and the open window as partial, but for one that begins only now."""
        if self._restored:
            self._restored = False
            end_ns = min(self._last.wall_ns if self._rebooted else max(tick.wall_ns, self._last.wall_ns), self._end.wall_ns)
            return self._cut(self._by_wall(end_ns))
        if self._start is None:
            return []
        closed = self.advance(tick)
        if closed and tick.mono_ns - closed[-1].end.mono_ns < _REST_NS:
            self._start = None
            return closed
        return closed + self._cut(tick)

    def snapshot(self) -> Json:
        """The open window, or None."""
        if self._start is None:
            return None
        ticks = {"start": list(self._start), "end": list(self._end), "last": list(self._last)}
        return {"interval_ns": self._interval_ns, "partial": self._partial} | ticks

    def restore(self, state: Json, *, rebooted: bool = False) -> None:
        """Take up an earlier process's window. With the next `advance` it goes on, as partial, if the wall clock still lies within it;
        else, or when it was one of another interval or boot, it is closed as partial where that process was last alive. `finish` closes it in any
        case. The monotonic times of a window of another boot (`rebooted`) are that boot's.
        """
        if state is None:
            return
        self._rebooted = rebooted
        self._goes_on = state["interval_ns"] == self._interval_ns and not rebooted
        self._start, self._end, self._last = Tick(*state["start"]), Tick(*state["end"]), Tick(*state["last"])
        self._partial = bool(state["partial"])
        self._restored = True

    def _resume(self, tick: Tick) -> list[Window]:
        self._restored = False
        assert self._start is not None
        if self._goes_on and self._last.wall_ns - _STEP_NS <= tick.wall_ns < self._end.wall_ns:
            shift_ns = tick.mono_ns - tick.wall_ns  # of the monotonic clock that runs now
            self._start = Tick(self._start.wall_ns + shift_ns, self._start.wall_ns)
            self._end = Tick(self._end.wall_ns + shift_ns, self._end.wall_ns)
            self._partial, self._last = True, tick
            return []
        closed = self._cut(self._by_wall(min(self._last.wall_ns, self._end.wall_ns)))
        self._open(tick)
        return closed

    def _by_wall(self, wall_ns: int) -> Tick:
        """An instant of the open window."""
        assert self._start is not None
        return Tick(self._start.mono_ns + wall_ns - self._start.wall_ns, wall_ns)

    def _open(self, tick: Tick) -> None:
        late_ns = tick.wall_ns % self._interval_ns
        rest_ns = self._interval_ns - late_ns
        self._start, self._partial, self._last = tick, late_ns != 0, tick
        self._end = Tick(tick.mono_ns + rest_ns, tick.wall_ns + rest_ns)

    def _catch_up(self, tick: Tick) -> list[Window]:
        closed: list[Window] = []
        missed = (tick.mono_ns - self._end.mono_ns) // self._interval_ns
        while self._start is not None and tick.mono_ns >= self._end.mono_ns:
            if missed > MISSED_LIMIT and closed:
                whole_ns = (tick.mono_ns - self._end.mono_ns) // self._interval_ns * self._interval_ns
                self._end = Tick(self._end.mono_ns + whole_ns, self._end.wall_ns + whole_ns)
                self._partial = True
            closed.append(Window(self._start, self._end, self._partial))
            slewed_ns = (tick.wall_ns - tick.mono_ns) - (self._end.wall_ns - self._end.mono_ns)
            self._start, self._partial = self._end, False
            self._end = Tick(self._start.mono_ns + self._interval_ns - slewed_ns, self._start.wall_ns + self._interval_ns)
        return closed

    def _cut(self, tick: Tick) -> list[Window]:
        if self._start is None:
            return []
        window = Window(self._start, max(self._start, tick), True)
        self._start = None
        return [window]
