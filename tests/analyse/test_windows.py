"""Windows: aligned to the wall clock, measured by the monotonic one, whole in their sum."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.analyse.windows import MISSED_LIMIT, WindowClock
from edge_runtime.clock import FakeClock
from edge_runtime.types import Tick, Window

S = 10**9
TEN = 36_000 * S  # 10:00:00


def start(wall_s: float = 0, mono_s: float = 1000) -> FakeClock:
    return FakeClock(round(mono_s * S), TEN + round(wall_s * S))


def wall(windows: list[Window]) -> list[tuple[float, float, bool]]:
    return [((w.start.wall_ns - TEN) / S, (w.end.wall_ns - TEN) / S, w.partial) for w in windows]


def run(windows: WindowClock, clock: FakeClock, seconds: float, step: float = 10) -> list[Window]:
    closed: list[Window] = []
    for _ in range(round(seconds / step)):
        clock.advance(step)
        closed += windows.advance(clock.now())
    return closed


def test_advance_aligns_to_the_wall_clock_and_the_first_is_partial() -> None:
    clock, windows = start(wall_s=100), WindowClock(300)
    assert windows.advance(clock.now()) == []
    assert wall(run(windows, clock, 600)) == [(100, 300, True), (300, 600, False)]


def test_advance_begun_on_the_boundary_is_whole() -> None:
    clock, windows = start(), WindowClock(300)
    windows.advance(clock.now())
    assert wall(run(windows, clock, 300)) == [(0, 300, False)]


def test_finish_cuts_the_last_window() -> None:
    clock, windows = start(), WindowClock(300)
    windows.advance(clock.now())
    run(windows, clock, 310)
    assert wall(windows.finish(clock.now())) == [(300, 310, True)]
    assert windows.finish(clock.now()) == []


@pytest.mark.parametrize("late_ns", [0, 1])
def test_finish_at_the_end_of_a_window_adds_no_empty_one(late_ns: int) -> None:
    """Footage often lasts a whole number of windows, to the rounding of its pictures' times."""
    windows = WindowClock(2)
    windows.advance(Tick(0, 0))
    end = Tick(2 * S, 2 * S)
    assert windows.finish(Tick(2 * S + late_ns, 2 * S + late_ns)) == [Window(Tick(0, 0), end)]
    assert windows.snapshot() is None
    assert windows.finish(end) == []


def test_finish_without_a_frame_has_nothing_to_close() -> None:
    assert WindowClock(60).finish(Tick(0, 0)) == []


def test_footage_opens_exactly_at_its_first_frame() -> None:
    windows = WindowClock(60)
    windows.advance(Tick(0, 7 * S))
    assert windows.finish(Tick(16 * S, 23 * S)) == [Window(Tick(0, 7 * S), Tick(16 * S, 23 * S), True)]


@pytest.mark.parametrize("step", [3600.0, -3600.0, 2.0, -2.0])
def test_wall_step_cuts_the_window_and_realigns(step: float) -> None:
    clock, windows = start(), WindowClock(300)
    windows.advance(clock.now())
    run(windows, clock, 100)
    clock.step_wall(step)
    clock.advance(10)
    cut = windows.advance(clock.now())
    assert wall(cut) == [(0, 110, True)]
    after = run(windows, clock, 600)
    assert after[0].partial and after[0].end.wall_ns % (300 * S) == 0 and not after[1].partial
    assert after[0].start.mono_ns == cut[0].end.mono_ns


def test_wall_step_after_a_boundary_closes_the_whole_window_first() -> None:
    clock, windows = start(), WindowClock(300)
    windows.advance(clock.now())
    run(windows, clock, 290)
    clock.advance(20)
    clock.step_wall(1000)
    assert wall(windows.advance(clock.now())) == [(0, 300, False), (300, 310, True)]


def test_slewing_moves_ends_by_milliseconds_and_never_cuts() -> None:
    windows, closed = WindowClock(60), []
    for i in range(3600):  # the wall clock runs fast by 500 ppm: 1.8 s in an hour
        closed += windows.advance(Tick(i * S, TEN + round(i * S * 1.0005)))
    assert all(not window.partial for window in closed) and len(closed) == 60
    assert all(window.end.wall_ns % (60 * S) == 0 for window in closed)
    assert all(abs(window.end.mono_ns - window.start.mono_ns - 60 * S) < 0.1 * S for window in closed)


@given(gaps=st.lists(st.floats(0.01, 900), min_size=1, max_size=40), interval=st.sampled_from([1, 60, 300, 3600]))
def test_windows_leave_no_hole_and_no_overlap(gaps: list[float], interval: int) -> None:
    clock, windows = start(wall_s=17.5), WindowClock(interval)
    began = clock.now()
    closed = windows.advance(began)
    for gap in gaps:
        clock.advance(gap)
        closed += windows.advance(clock.now())
    closed += windows.finish(clock.now())
    assert closed[0].start == began and closed[-1].end == clock.now()
    assert all(one.end == other.start for one, other in itertools.pairwise(closed))
    assert all(window.partial == (window.end.mono_ns - window.start.mono_ns != interval * S) for window in closed)


def test_long_sleep_is_told_in_one_partial_window() -> None:
    clock, windows = start(), WindowClock(1)
    windows.advance(clock.now())
    clock.advance(MISSED_LIMIT + 500.5)
    closed = windows.advance(clock.now())
    assert wall(closed) == [(0, 1, False), (1, MISSED_LIMIT + 500, True)]
    assert wall(run(windows, clock, 1, 0.5)) == [(MISSED_LIMIT + 500, MISSED_LIMIT + 501, False)]


def restored(after_s: float, *, reboot: bool = False) -> tuple[WindowClock, FakeClock]:
    clock, windows = start(), WindowClock(300)
    windows.advance(clock.now())
    run(windows, clock, 100)
    state = json.loads(json.dumps(windows.snapshot()))
    again = WindowClock(300)
    again.restore(state, rebooted=reboot)
    return again, start(wall_s=100 + after_s, mono_s=5 if reboot else 1100 + after_s)


def test_restore_goes_on_while_the_window_is_open() -> None:
    windows, clock = restored(50)
    assert windows.advance(clock.now()) == []
    closed = run(windows, clock, 450)
    assert wall(closed) == [(0, 300, True), (300, 600, False)]
    assert closed[0].end.mono_ns - clock.now().mono_ns == -300 * S


@pytest.mark.parametrize("reboot", [False, True])
def test_restore_too_late_closes_where_the_process_was_last_alive(reboot: bool) -> None:
    windows, clock = restored(1000, reboot=reboot)
    assert wall(windows.advance(clock.now())) == [(0, 100, True)]
    assert wall(run(windows, clock, 100)) == [(1100, 1200, True)]


def test_restore_of_another_boots_window_closes_it_by_that_boots_clock() -> None:
    windows, clock = restored(50, reboot=True)
    assert wall(windows.advance(clock.now())) == [(0, 100, True)]
    assert wall(run(windows, clock, 150)) == [(150, 300, True)]
    windows, clock = restored(50, reboot=True)
    assert windows.finish(clock.now()) == [Window(Tick(1000 * S, TEN), Tick(1100 * S, TEN + 100 * S), True)]


def test_restore_then_finish_closes_at_the_given_instant() -> None:
    windows, clock = restored(20)
    assert wall(windows.finish(clock.now())) == [(0, 120, True)]
    assert windows.advance(clock.now()) == []


def test_restore_of_another_interval_closes_it_and_begins_one_of_the_new_length() -> None:
    windows = WindowClock(60)
    windows.advance(Tick(0, 0))
    windows.advance(Tick(10 * S, 10 * S))
    longer = WindowClock(300)
    longer.restore(windows.snapshot())
    assert longer.advance(Tick(20 * S, 20 * S)) == [Window(Tick(0, 0), Tick(10 * S, 10 * S), True)]
    assert longer.advance(Tick(300 * S, 300 * S)) == [Window(Tick(20 * S, 20 * S), Tick(300 * S, 300 * S), True)]


def test_restore_of_nothing_begins_at_the_first_advance() -> None:
    fresh = WindowClock(60)
    fresh.restore(None)
    assert fresh.advance(Tick(0, 0)) == []
