"""Lines: who has passed, when, which way, once."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.analyse.line import LineCounter, LineOptions
from edge_runtime.types import Detections, Event, Sighting, Size, Stamp, Tick, Tracks, Window

SIZE = Size(1000, 600)
LABELS = ("car", "truck", "person", "bicycle")
LEVEL = ((0.0, 0.5), (1.0, 0.5))  # y = 300, drawn left to right: forward is down
NONE: tuple[int, ...] = ()

Point = tuple[float, float]


def line(points: tuple[Point, Point] = LEVEL, **more: object) -> LineCounter:
    return LineCounter(LineOptions(name="lane1", points=points, **more), SIZE, LABELS, "main")


def tracks(
    t: float,
    places: Sequence[Point],
    ids: Sequence[int] = (1,),
    *,
    ended: Sequence[int] = NONE,
    side: float = 40.0,
    labels: Sequence[int] | None = None,
    past: tuple[Sighting, ...] = (),
) -> Tracks:
    xyxy = np.array([(x - side / 2, y - side / 2, x + side / 2, y + side / 2) for x, y in places], np.float32).reshape(-1, 4)
    boxes = Detections(
        Stamp("main", round(t * 1000), round(t * 1e9), round(t * 1e9)),
        xyxy,
        np.full(len(xyxy), 0.8, np.float32),
        np.array(labels or [0] * len(xyxy), np.int16),
    )
    return Tracks(boxes, np.array(ids[: len(xyxy)], np.int64), np.array(ended, np.int64), past)


def walk(counter: LineCounter, ys: Sequence[float], x: float = 500, track: int = 1, start: float = 1.0, fps: float = 10) -> list[Event]:
    counter.step(tracks(start - 1 / fps, []))  # somebody was looking before
    return [event for i, y in enumerate(ys) for event in counter.step(tracks(start + i / fps, [(x, y)], (track,)))]


def test_crossing_says_who_when_and_where_to() -> None:
    counter = line(forward="southbound")
    events = walk(counter, [250, 270, 290, 310, 330])
    assert [(event.type, dict(event.data)) for event in events] == [
        ("crossing", {"rule": "lane1", "dir": "forward", "label": "southbound", "class": "car", "score": 0.8, "track": 1})
    ]
    assert events[0].time == Tick(1_250_000_000, 1_250_000_000)  # halfway between the third and the fourth frame
    assert counter.totals == {"forward": 1, "backward": 0}


@pytest.mark.parametrize(
    ("points", "way", "expected"),
    [
        (((0.1, 0.5), (0.9, 0.5)), (0, 1), "forward"),  # left to right: down is forward
        (((0.9, 0.5), (0.1, 0.5)), (0, 1), "backward"),
        (((0.5, 0.1), (0.5, 0.9)), (-1, 0), "forward"),  # looking down the picture, the right hand is to the left
        (((0.5, 0.1), (0.5, 0.9)), (1, 0), "backward"),
        (((0.5, 0.9), (0.5, 0.1)), (1, 0), "forward"),
    ],
)
def test_direction_is_from_left_to_right_of_who_stands_on_the_first_point(points: tuple[Point, Point], way: Point, expected: str) -> None:
    counter = line(points)
    for i in range(-5, 6):
        counter.step(tracks(2 + i / 10, [(500 + 20 * i * way[0], 300 + 20 * i * way[1])]))
    assert counter.totals[expected] == 1 and sum(counter.totals.values()) == 1


@settings(max_examples=100, deadline=None)
@given(
    angle=st.floats(0, 6.28),
    jitter=st.floats(0, 1.8),
    speed=st.floats(1, 60),
    seed=st.integers(0, 2**31),
    drop=st.floats(0, 0.5),
)
def test_path_that_crosses_once_with_jitter_counts_once_and_swapped_points_swap_directions(
    angle: float, jitter: float, speed: float, seed: int, drop: float
) -> None:
    """However it wobbles (within the hysteresis), however many frames are missing, at any speed, along any line through the middle."""
    random = np.random.default_rng(seed)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    middle = np.array([500.0, 300.0])
    ends = [(tuple((middle + sign * 200 * along) / SIZE)) for sign in (-1, 1)]
    one, other = line((ends[0], ends[1])), line((ends[1], ends[0]))
    depth = np.arange(-100, 101, speed)
    for i, d in enumerate([*depth, 100.0]):
        if 0 < i < len(depth) and random.random() < drop:
            continue
        place = middle + d * across + random.uniform(-jitter, jitter, 2)
        for counter in (one, other):
            counter.step(tracks(i / 10, [tuple(place)]))
    assert one.totals == {"forward": 1, "backward": 0}
    assert other.totals == {"forward": 0, "backward": 1}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), side=st.sampled_from([-1, 1]))
def test_path_that_never_crosses_counts_nothing(seed: int, side: int) -> None:
    random = np.random.default_rng(seed)
    ys = 300 + side * np.abs(np.cumsum(random.normal(0, 15, 200)) + 25)
    counter = line()
    counter.step(tracks(0, [(500, ys[0])]))  # there from the start: nobody knows where it came from
    walk(counter, list(ys[1:]))
    assert counter.totals == {"forward": 0, "backward": 0}


def test_path_round_the_end_of_the_line_counts_nothing_until_it_meets_the_line() -> None:
    counter = line(((0.2, 0.5), (0.6, 0.5)))
    walk(counter, [250, 290, 310, 350], x=800)
    assert counter.totals == {"forward": 0, "backward": 0}
    walk(counter, [350, 310, 290, 250], x=400, start=2)
    assert counter.totals == {"forward": 0, "backward": 1}


def test_pain_5_wrong_counts_lingering_objects_id_switches_flicker() -> None:
    """A car that stands on the line for ten minutes, trembling, is counted once or never; it is never fifteen cars."""
    random = np.random.default_rng(5)
    standing = line()
    walk(standing, list(300 + random.normal(0, 1.5, 6000)))
    assert standing.totals == {"forward": 0, "backward": 0}
    arriving = line()
    walk(arriving, [*range(240, 300, 4), *(300 + random.normal(0, 1.5, 6000)), *range(300, 360, 4)])
    assert arriving.totals == {"forward": 1, "backward": 0}
    flickering = line()  # a new id every two seconds, and between them nothing is seen
    for i in range(3000):
        seen = [] if i % 20 > 14 else [(500, 300 + float(random.normal(0, 1.5)))]
        flickering.step(tracks(i / 10, seen, (1 + i // 20,), ended=(i // 20,) if i % 20 == 19 else NONE))
    assert flickering.totals == {"forward": 0, "backward": 0}


def test_parked_object_that_is_slowly_uncovered_has_not_passed() -> None:
    counter = line()
    for i in range(40):  # its lower edge is at 315; more and more of its upper part shows: the centre goes up across the line
        high = 2 + i
        boxes = Detections(
            Stamp("main", i, i * 10**8, i * 10**8), np.array([[480, 315 - high, 520, 315]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int16)
        )
        counter.step(Tracks(boxes, np.array([1]), np.zeros(0, np.int64)))
    assert counter.totals == {"forward": 0, "backward": 0}


def test_object_lost_on_one_side_and_found_on_the_other_has_passed() -> None:
    counter = line()
    counter.step(tracks(0, [(500, 200)]))
    counter.step(tracks(0.1, [(500, 220)]))
    events = counter.step(tracks(1.5, [(520, 380)]))
    assert len(events) == 1 and Tick(10**8, 10**8) < events[0].time < Tick(15 * 10**8, 15 * 10**8)


def test_track_counts_once_even_when_it_turns_round() -> None:
    counter = line()
    assert len(walk(counter, [*range(250, 360, 10), *range(350, 240, -10), *range(250, 360, 10)])) == 1


def test_track_that_had_left_and_comes_back_passes_again() -> None:
    counter = line()
    assert len(walk(counter, [*range(250, 400, 10), *range(400, 200, -10)])) == 2
    assert counter.totals == {"forward": 1, "backward": 1}


def test_past_of_a_track_is_part_of_its_path() -> None:
    counter = line()
    counter.step(tracks(0, []))
    past = tuple(
        Sighting(7, Tick(round(t * 1e9), round(t * 1e9)), np.array([480, y - 20, 520, y + 20], np.float32)) for t, y in ((0.2, 270.0), (0.4, 290.0))
    )
    assert len(counter.step(tracks(0.6, [(500, 330)], (7,), past=past))) == 1


def test_body_first_seen_astride_the_line_has_passed_if_somebody_was_looking() -> None:
    counter = line()
    counter.step(tracks(0, []))
    events = [event for i in range(12) for event in counter.step(tracks(0.5 + i / 10, [(500, 305 + 5 * i)]))]
    assert len(events) == 1 and events[0].time.mono_ns == 400_000_000
    first_frame = line()
    for i in range(12):
        first_frame.step(tracks(0.5 + i / 10, [(500, 305 + 5 * i)]))
    assert first_frame.totals == {"forward": 0, "backward": 0}


def test_successor_of_a_counted_track_is_not_counted_again() -> None:
    counter = line()
    walk(counter, [270, 280, 290, 300, 310, 320, 330])
    again = [event for i in range(20) for event in counter.step(tracks(1.7 + i / 10, [(503, 318 + 10 * i)], (2,), ended=(1,) if i == 0 else NONE))]
    assert again == []


def test_track_lost_before_the_line_counts_through_its_successor() -> None:
    counter = line()
    walk(counter, [250, 260, 270, 280])
    events = [event for i in range(20) for event in counter.step(tracks(1.8 + i / 10, [(500, 310 + 10 * i)], (2,)))]
    assert [event.data["track"] for event in events] == [2]


@pytest.mark.parametrize(("labels", "expected"), [((0, 1), 1), ((2, 3), 2)])
def test_two_readings_of_one_body_count_once_but_rider_and_bicycle_are_two(labels: tuple[int, int], expected: int) -> None:
    counter = line()
    for i in range(12):
        counter.step(tracks(i / 10, [(500, 250 + 10 * i), (503, 253 + 10 * i)], (1, 2), labels=labels))
    assert counter.totals["forward"] == expected


def test_cars_in_a_queue_and_side_by_side_all_count() -> None:
    counter = line()
    for i in range(60):
        counter.step(tracks(i / 10, [(500, 100 + 10 * i), (500, 60 + 10 * i), (535, 100 + 10 * i)], (1, 2, 3)))
    assert counter.totals["forward"] == 3


def test_neighbours_overlapping_at_a_slanted_line_are_two() -> None:
    # a slanted line's reach is that of the boxes' diagonals: by it alone these two, in neighbouring lanes, seem to be in one place
    counter = line(((0.3, 0.9), (0.7, 0.1)))
    counter.step(tracks(0.9, []))
    events = []
    for i in range(20):
        x = 400 + 10 * i
        events += counter.step(tracks(1 + i / 10, [(x, 310), (x + 18, 290)], (1, 2), side=60))
    assert [event.data["track"] for event in events] == [1, 2]


def test_bottom_anchor_crosses_with_the_lower_edge() -> None:
    counter = line(anchor="bottom")
    events = walk(counter, [250, 270, 290, 310])
    assert events[0].time.mono_ns == 1_150_000_000  # lower edge at 270 + 20 .. 290 + 20


def test_points_in_pixels_of_another_picture_are_scaled() -> None:
    counter = line(((0, 150), (500, 150)), units="px", size=(500, 300))
    assert len(walk(counter, [250, 280, 310, 340])) == 1


def test_close_reports_both_ways_zeros_too_and_totals_go_on() -> None:
    counter = line(backward="northbound")
    walk(counter, [250, 280, 310, 340])
    window = Window(Tick(0, 0), Tick(60 * 10**9, 60 * 10**9))
    first, second = counter.close(window), counter.close(Window(window.end, window.end, True))
    assert [dict(event.data) for event in first] == [
        {"rule": "lane1", "dir": "forward", "counts": {"car": 1}, "total": 1},
        {"rule": "lane1", "dir": "backward", "label": "northbound", "counts": {}, "total": 0},
    ]
    assert [event.data["counts"] for event in second] == [{}, {}] and second[0].data["total"] == 1
    assert (first[0].start, first[0].time, first[0].partial, second[0].partial) == (window.start, window.end, False, True)


def test_crossing_is_timed_within_the_window_that_counts_it() -> None:
    counter = line()
    walk(counter, [280, 299, 301])
    counter.close(Window(Tick(0, 0), Tick(1_300_000_000, 1_300_000_000)))
    events = counter.step(tracks(1.3, [(500, 330)]))
    assert events[0].time.mono_ns == 1_300_000_000


def test_snapshot_goes_on_in_another_process_and_not_on_another_line() -> None:
    counter = line()
    walk(counter, [250, 280, 310, 340])
    state = json.loads(json.dumps(counter.snapshot()))
    after = line()
    after.restore(state)
    walk(after, [250, 280, 310, 340])
    assert after.totals == {"forward": 2, "backward": 0}
    assert after.close(Window(Tick(0, 0), Tick(1, 1)))[0].data["counts"] == {"car": 2}
    with pytest.raises(ValueError, match="not where it was"):
        line(((0.0, 0.4), (1.0, 0.4))).restore(state)


def test_state_of_tracks_that_ended_is_dropped() -> None:
    counter = line()
    for i in range(500):
        counter.step(tracks(i / 10, [(500, 250)], (i,), ended=(i - 1,)))
    assert len(counter._seen) == 1


def test_line_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="same point"):
        line(((0.5, 0.5), (0.5, 0.5)))
