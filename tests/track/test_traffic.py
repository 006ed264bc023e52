"""Counts on a made-up road with exact truth. Bounds are shares of the vehicles that pass; the seeds are the first ones."""

from __future__ import annotations

import pytest

from edge_runtime.analyse.line import LineCounter, LineOptions
from edge_runtime.track.bytetrack import ByteTracker, TrackerOptions
from tests.track.traffic import LABELS, PERFECT, SIZE, TWINS, USUAL, Detector, Road, Traffic

pytestmark = pytest.mark.heavy

LINES = (200, 300, 400)
RATES = [(30.0, 0.0, 0.0), (15.0, 0.0, 0.0), (10.0, 0.3, 0.8), (7.5, 0.0, 0.0), (5.0, 0.0, 0.0)]  # frames/s, dropped, late
FAST = Road(speed=(3, 6), per_minute=30)  # a box moves by more than its length between frames at 5 frames/s


def errors(seed: int, detector: Detector, rate: tuple[float, float, float], road: Road | None = None) -> tuple[int, int]:
    """Miscounted and true passings, by direction, of three lines."""
    traffic = Traffic(seed, road)
    times = traffic.times(*rate)
    tracker = ByteTracker(TrackerOptions())
    lines = [LineCounter(LineOptions(name="line", points=((0, y / SIZE.height), (1, y / SIZE.height))), SIZE, LABELS, "road") for y in LINES]
    for detections in traffic.frames(times, detector):
        tracks = tracker.step(detections)[0]
        for line in lines:
            line.step(tracks)
    wrong = total = 0
    for y, line in zip(LINES, lines, strict=True):
        down, up = traffic.truth(y, times[0], times[-1])
        wrong += abs(line.totals["forward"] - down) + abs(line.totals["backward"] - up)
        total += down + up
    return wrong, total


def share(detector: Detector, rate: tuple[float, float, float], road: Road | None = None, seeds: int = 2) -> float:
    results = [errors(seed, detector, rate, road) for seed in range(seeds)]
    assert sum(total for _, total in results) > 100
    return sum(wrong for wrong, _ in results) / sum(total for _, total in results)


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_count_with_a_perfect_detector_is_right(rate: tuple[float, float, float]) -> None:
    assert share(PERFECT, rate) <= 0.01


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_count_with_misses_ghosts_and_wobble_is_within_three_percent(rate: tuple[float, float, float]) -> None:
    assert share(USUAL, rate) <= 0.03


@pytest.mark.parametrize("rate", RATES[::2], ids=str)
def test_count_of_objects_that_are_read_twice_is_within_three_percent(rate: tuple[float, float, float]) -> None:
    assert share(TWINS, rate) <= 0.03


@pytest.mark.parametrize("rate", [(30.0, 0.0, 0.0), (10.0, 0.0, 0.0)], ids=str)
def test_count_of_fast_traffic_is_within_three_percent(rate: tuple[float, float, float]) -> None:
    assert share(USUAL, rate, FAST) <= 0.03


def test_count_of_fast_traffic_at_five_frames_is_within_fifteen_percent() -> None:
    assert share(USUAL, (5.0, 0.0, 0.0), FAST) <= 0.15
