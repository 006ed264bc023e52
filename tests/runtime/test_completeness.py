"""What an interval's numbers rest on."""

from __future__ import annotations

from edge_runtime.runtime.completeness import Completeness
from edge_runtime.types import Seen, Tick, Window

S = 1_000_000_000


def window(start_s: float, end_s: float) -> Window:
    return Window(Tick(round(start_s * S), 0), Tick(round(end_s * S), 0))


def look(sight: Completeness, start_s: float, end_s: float, fps: float) -> None:
    for number in range(round((end_s - start_s) * fps)):
        sight.processed(round((start_s + number / fps) * S))


def test_full_sight_is_not_blind() -> None:
    sight = Completeness(10)
    sight.begin(Tick(0, 0))
    look(sight, 0, 60, 10)
    assert sight.close(window(0, 60), 30.0) == Seen(600, 600, 0.0)


def test_slow_camera_expects_what_it_sends() -> None:
    sight = Completeness(10)
    sight.begin(Tick(0, 0))
    look(sight, 0, 60, 5)
    assert sight.close(window(0, 60), 5.0) == Seen(300, 300, 0.0)


def test_silence_in_the_middle_is_blind() -> None:
    sight = Completeness(10)
    sight.begin(Tick(0, 0))
    look(sight, 0, 20, 10)
    look(sight, 40, 60, 10)
    seen = sight.close(window(0, 60), None)
    assert seen.frames_processed == 400
    assert seen.frames_expected == 600
    assert seen.blind_s == 20.0


def test_silence_across_windows_is_shared_out_once() -> None:
    sight = Completeness(10)
    sight.begin(Tick(0, 0))
    look(sight, 0, 50, 10)
    first = sight.close(window(0, 60), None)
    second = sight.close(window(60, 120), None)
    look(sight, 130, 180, 10)
    third = sight.close(window(120, 180), None)
    assert (first.blind_s, second.blind_s, third.blind_s) == (10.0, 60.0, 10.0)
    assert sight.total_blind_s == 80.0


def test_camera_that_never_came_is_blind_from_the_start() -> None:
    sight = Completeness(10)
    sight.begin(Tick(0, 0))
    assert sight.close(window(0, 60), None) == Seen(600, 0, 59.9)


def test_slow_wanted_rate_is_not_called_blind() -> None:
    sight = Completeness(0.5)
    sight.begin(Tick(0, 0))
    look(sight, 0, 60, 0.5)
    assert sight.close(window(0, 60), None).blind_s == 0.0


def test_snapshot_carries_the_open_window() -> None:
    sight = Completeness(10)
    sight.begin(Tick(0, 0))
    look(sight, 0, 10, 10)
    other = Completeness(10)
    other.restore(sight.snapshot(10 * S))
    other.begin(Tick(10 * S, 0))
    look(other, 10, 20, 10)
    assert other.close(window(0, 20), None) == Seen(200, 200, 0.0)


def test_snapshot_in_a_silence_says_how_long_it_lasts() -> None:
    sight = Completeness(10)
    sight.begin(Tick(0, 0))
    look(sight, 0, 10, 10)
    other = Completeness(10)
    other.restore(sight.snapshot(40 * S))
    other.begin(Tick(40 * S, 0))
    look(other, 40, 60, 10)
    assert other.close(window(0, 60), None) == Seen(600, 300, 30.0)


def test_late_frame_does_not_make_a_told_silence_blind_again() -> None:
    sight = Completeness(10)
    sight.begin(Tick(0, 0))
    assert sight.close(window(0, 60), None).blind_s == 59.9
    sight.processed(20 * S)  # it was taken in that window, and came when it was closed
    look(sight, 61, 120, 10)
    assert sight.close(window(60, 120), None).blind_s == 1.0
    assert round(sight.total_blind_s, 3) == 60.9
