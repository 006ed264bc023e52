"""Times that can be relied upon, from streams that cannot."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.sources.timeline import CaptureClock, MediaTime, Playout
from edge_runtime.types import Tick

MS = 1_000_000
S = 1000 * MS


def test_place_starts_at_zero_and_keeps_pauses() -> None:
    media = MediaTime(40 * MS)
    assert [media.place(pts) for pts in (7 * S, 7 * S + 40 * MS, 17 * S)] == [0, 40 * MS, 10 * S]
    assert media.end_ns == 10 * S + 40 * MS


def test_place_missing_times_follow_by_one_period() -> None:
    media = MediaTime(40 * MS)
    assert [media.place(pts) for pts in (None, None, 5 * S, None, 5 * S + 80 * MS)] == [0, 40 * MS, 80 * MS, 120 * MS, 160 * MS]


def test_place_goes_on_after_a_jump_back_and_after_a_leap() -> None:
    media = MediaTime(40 * MS)
    jumps = (26 * 3600 * S, 0, 40 * MS, 9000 * S, 9000 * S + 40 * MS)
    assert [media.place(pts) for pts in jumps] == [0, 40 * MS, 80 * MS, 120 * MS, 160 * MS]


@given(st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62)), min_size=1, max_size=50))
def test_place_is_strictly_increasing_whatever_comes(pts: list[int | None]) -> None:
    media = MediaTime(40 * MS)
    placed = [media.place(each) for each in pts]
    assert placed[0] == 0
    assert all(after > before for before, after in itertools.pairwise(placed))


def test_stamp_removes_network_jitter_and_is_never_late() -> None:
    rng = np.random.default_rng(1)
    clock = CaptureClock()
    base = 50 * S
    stamps, arrivals = [], []
    for index in range(900):
        media_ns = index * 33 * MS
        arrival_ns = base + media_ns + int(rng.exponential(15) * MS)
        tick = clock.stamp(media_ns, Tick(arrival_ns, arrival_ns + 7))
        stamps.append(tick.mono_ns)
        arrivals.append(arrival_ns)
        assert tick.wall_ns == tick.mono_ns + 7
    jitter_in = np.diff(arrivals)[200:].std()
    jitter_out = np.diff(stamps)[200:].std()
    assert jitter_out < jitter_in / 10
    assert all(stamp <= arrival for stamp, arrival in zip(stamps, arrivals, strict=True))


def test_stamp_follows_a_drifting_camera_clock() -> None:
    clock = CaptureClock()
    for index in range(30_000):  # 1000 s; the camera's clock runs 100 ppm slow: 0.1 s in all
        media_ns = index * 33_333_333
        arrival_ns = 5 * S + round(media_ns * 1.0001)
        tick = clock.stamp(media_ns, Tick(arrival_ns, 0))
    assert 0 <= arrival_ns - tick.mono_ns < 2 * MS


def test_stamp_after_the_cameras_clock_was_set_is_the_arrival() -> None:
    clock = CaptureClock()
    clock.stamp(0, Tick(10 * S, 0))
    assert clock.stamp(33 * MS, Tick(20 * S, 0)).mono_ns == 20 * S
    assert clock.stamp(66 * MS, Tick(20 * S + 40 * MS, 0)).mono_ns == 20 * S + 33 * MS


@given(st.lists(st.tuples(st.integers(1, 2 * S), st.integers(0, 3 * S)), min_size=1, max_size=60))
def test_stamp_is_strictly_increasing(steps: list[tuple[int, int]]) -> None:
    clock = CaptureClock()
    media_ns, now_ns, last_ns = 0, S, -1
    for media_step, arrival_step in steps:
        media_ns += media_step
        now_ns += arrival_step
        stamp_ns = clock.stamp(media_ns, Tick(now_ns, 0)).mono_ns
        assert stamp_ns > last_ns
        last_ns = stamp_ns


def _played(pieces: list[tuple[int, list[int]]]) -> list[int]:
    """When pictures are shown; `pieces`: when one is there, and the media times in it."""
    playout = Playout()
    now = 0
    shown = []
    for there, times in pieces:
        now = max(now, there)
        for media in times:
            now += playout.hold_ns(media, now)
            shown.append(now)
    return shown


def test_playout_spreads_pieces_over_their_time() -> None:
    pieces = [(piece * 2 * S, [(piece * 20 + index) * 100 * MS for index in range(20)]) for piece in range(4)]
    assert set(np.diff(_played(pieces))) == {100 * MS}


def test_playout_shows_what_follows_a_late_piece_that_much_later() -> None:
    delays = (0, 300 * MS, 0, 100 * MS)
    pieces = [(piece * S + delay, [(piece * 10 + index) * 100 * MS for index in range(10)]) for piece, delay in enumerate(delays)]
    steps = np.diff(_played(pieces))
    assert [step for step in steps if step != 100 * MS] == [400 * MS]


def test_playout_follows_a_clock_that_jumps_without_waiting_for_it() -> None:
    assert _played([(0, [0, 100 * MS]), (200 * MS, [9000 * S, 9000 * S + 100 * MS]), (S, [0, 100 * MS])]) == [
        0,
        100 * MS,
        200 * MS,
        300 * MS,
        S,
        S + 100 * MS,
    ]
