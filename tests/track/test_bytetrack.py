"""Identity: at any frame rate, over gaps, for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.track.bytetrack import ByteTracker, TrackerOptions
from edge_runtime.types import Detections, Stamp, Tick, Tracks

Box = tuple[float, float, float, float]


def stamp(t: float) -> Stamp:
    return Stamp("camera", round(t * 1000), round(t * 1e9), round(t * 1e9))


def seen(t: float, *boxes: Box, score: float | Sequence[float] = 0.8, label: int | Sequence[int] = 0) -> Detections:
    count = len(boxes)
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(stamp(t), xyxy, np.broadcast_to(np.float32(score), count).copy(), np.broadcast_to(np.int16(label), count).copy())


def box(x: float, y: float, side: float = 40.0) -> Box:
    return (x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def run(tracker: ByteTracker, frames: Sequence[Detections]) -> list[Tracks]:
    return [tracker.step(frame)[0] for frame in frames]


def ids(reports: Sequence[Tracks]) -> set[int]:
    return {int(i) for tracks in reports for i in tracks.id}


@pytest.mark.parametrize("fps", [5.0, 7.5, 10.0, 15.0, 30.0])
@pytest.mark.parametrize("speed", [0.0, 1.0, 3.0, 5.0])  # sizes/s
def test_step_keeps_one_id_at_any_frame_rate(fps: float, speed: float) -> None:
    frames = [seen(i / fps, box(100 + speed * 40 * i / fps, 200)) for i in range(int(3 * fps))]
    reports = run(ByteTracker(TrackerOptions()), frames)
    assert ids(reports) == {1}
    assert len(reports[-1].id) == 1


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), speed=st.floats(0.2, 2.5))
def test_step_keeps_one_id_with_frames_missing_and_late(seed: int, speed: float) -> None:
    random = np.random.default_rng(seed)
    times = np.sort(random.choice(np.arange(60), 40, replace=False)) / 10 + random.uniform(0, 0.08, 40)
    reports = run(ByteTracker(TrackerOptions()), [seen(t, box(50 + speed * 40 * t, 200)) for t in times])
    assert ids(reports) == {1}


def strollers(seed: int, grain_px: float) -> list[Detections]:
    """Two people far away walk side by side; boxes as a detector reads them that sees `grain_px` of the picture's pixels as one."""
    random = np.random.default_rng(seed)
    frames = []
    for step in range(80):
        people = []
        for start in (100.0, 120.0):
            x, y = start + 1.4 * step + random.normal(0, grain_px), 200 + random.normal(0, grain_px)
            width, height = 10 * np.exp(random.normal(0, 0.18)), 26 * np.exp(random.normal(0, 0.1))
            if random.random() > 0.1:
                people.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
        frames.append(replace(seen(step / 10, *people), grain_px=grain_px))
    return frames


@pytest.mark.parametrize("seed", range(10))
def test_step_keeps_small_objects_apart_when_it_knows_how_coarsely_they_are_seen(seed: int) -> None:
    assert ids(run(ByteTracker(TrackerOptions()), strollers(seed, 2.5))) == {1, 2}


def test_step_believes_after_two_sightings_and_brings_the_past() -> None:
    reports = run(ByteTracker(TrackerOptions()), [seen(0, box(100, 100)), seen(0.2, box(110, 100)), seen(0.4, box(120, 100))])
    assert [len(tracks.id) for tracks in reports] == [0, 1, 1]
    assert [(sighting.id, sighting.at.mono_ns) for sighting in reports[1].past] == [(1, 0)]
    np.testing.assert_allclose(reports[1].past[0].xyxy, box(100, 100), atol=0.01)
    assert reports[2].past == ()


def test_step_ignores_what_is_no_box() -> None:
    bad = [(10, 10, 10, 50), (60, 10, 50, 50), (np.nan, 0, 10, 10), (0, 0, np.inf, 10)]
    reports = run(ByteTracker(TrackerOptions()), [seen(i / 10, *bad, box(200, 200)) for i in range(5)])
    assert [len(tracks.id) for tracks in reports][-1] == 1


def test_step_starts_nothing_from_faint_boxes_but_goes_on_with_them() -> None:
    faint = [seen(i / 10, box(100 + 4 * i, 100), score=0.2) for i in range(20)]
    assert ids(run(ByteTracker(TrackerOptions()), faint)) == set()
    mixed = [seen(i / 10, box(100 + 4 * i, 100), score=0.8 if i < 5 else 0.2) for i in range(20)]
    assert len(run(ByteTracker(TrackerOptions()), mixed)[-1].id) == 1


def test_step_crossing_paths_keep_their_ids() -> None:
    frames = [seen(i / 10, box(100 + 8 * i, 100), box(420 - 8 * i, 130)) for i in range(41)]
    reports = run(ByteTracker(TrackerOptions()), frames)
    first, last = reports[3], reports[-1]
    assert ids(reports) == {1, 2}
    assert first.id[np.argmin(first.boxes.xyxy[:, 0])] == last.id[np.argmax(last.boxes.xyxy[:, 0])]


def test_step_finds_again_who_was_hidden() -> None:
    frames = [seen(i / 10, *([] if 15 <= i < 25 else [box(100 + 4 * i, 100)])) for i in range(40)]
    assert ids(run(ByteTracker(TrackerOptions()), frames)) == {1}


def test_step_who_left_does_not_live_on_in_somebody_elsewhere() -> None:
    leaving = [seen(i / 10, box(100 + 8 * i, 100)) for i in range(20)]
    elsewhere = [seen(2.2 + i / 10, box(100, 300)) for i in range(10)]
    assert ids(run(ByteTracker(TrackerOptions()), leaving + elsewhere)) == {1, 2}


def test_step_label_is_the_vote_of_the_whole_life() -> None:
    frames = [seen(i / 10, box(100 + i, 100), label=1 if i % 4 == 3 else 0) for i in range(24)]
    reports = run(ByteTracker(TrackerOptions()), frames)
    assert ids(reports) == {1}
    assert {int(tracks.boxes.label[0]) for tracks in reports[2:]} == {0}


def test_step_two_readings_of_one_van_are_one_track() -> None:
    van = [seen(i / 10, box(100 + 4 * i, 100), (84 + 4 * i, 82, 122 + 4 * i, 120), label=[0, 1], score=[0.8, 0.6]) for i in range(30)]
    assert ids(run(ByteTracker(TrackerOptions()), van)) == {1}


def test_step_a_part_of_a_car_is_no_car() -> None:
    frames = [seen(i / 10, box(100 + 4 * i, 100, 60), box(110 + 4 * i, 105, 25)) for i in range(30)]
    assert ids(run(ByteTracker(TrackerOptions()), frames)) == {1}


def test_step_a_person_before_a_car_is_a_person() -> None:
    frames = [seen(i / 10, box(200, 100, 80), box(170 + 2 * i, 105, 25), label=[0, 3]) for i in range(30)]
    reports = run(ByteTracker(TrackerOptions()), frames)
    assert sorted(reports[-1].boxes.label.tolist()) == [0, 3]


def test_step_bounds_the_number_of_tracks() -> None:
    options = TrackerOptions(max_tracks=10)
    crowd = [box(50 + 60 * (i % 8), 50 + 60 * (i // 8)) for i in range(40)]
    reports = run(ByteTracker(options), [seen(i / 10, *crowd) for i in range(10)])
    assert max(len(tracks.id) for tracks in reports) == 10


@pytest.mark.heavy
def test_pain_6_parked_or_occluded_objects_recounted() -> None:
    """A parked car that flickers for an hour, is hidden by a bus for half a minute and passed by traffic keeps its id."""
    random = np.random.default_rng(6)
    tracker, seen_ids = ByteTracker(TrackerOptions()), set()
    for i in range(7200):
        t = i / 2 + random.uniform(-0.1, 0.1)
        gone = i > 10 and (random.random() < 0.5 or 2000 <= i < 2060)
        parked = [] if gone else [tuple(np.array(box(300, 200)) + random.normal(0, 1.2, 4))]
        passing = [box((100 * t) % 900 - 50, 260)] if i % 200 < 40 else []
        score = [float(random.uniform(0.15, 0.6)) if i > 10 else 0.6] * len(parked) + [0.8] * len(passing)
        tracks = tracker.step(seen(t, *parked, *passing, score=score))[0]
        middle = (tracks.boxes.xyxy[:, :2] + tracks.boxes.xyxy[:, 2:]) / 2
        seen_ids |= set(tracks.id[(np.abs(middle - (300, 200)) < 10).all(axis=1)].tolist())
    assert len(seen_ids) == 1


def test_step_still_keeps_who_stands() -> None:
    tracker = ByteTracker(TrackerOptions())
    run(tracker, [seen(i / 10, box(100, 100)) for i in range(20)])
    reports = [tracker.step_still(stamp(2 + i * 0.5)) for i in range(7200)]
    assert ids(reports) == {1}
    assert all(len(tracks.ended) == 0 for tracks in reports)
    np.testing.assert_allclose(reports[-1].boxes.xyxy[0], box(100, 100), atol=1)
    assert reports[-1].boxes.stamp == stamp(2 + 7199 * 0.5)
    moving = run(tracker, [seen(3602 + i / 10, box(100 + 4 * i, 100)) for i in range(20)])
    assert ids(moving) == {1}


def test_step_still_forgets_who_had_gone() -> None:
    tracker = ByteTracker(TrackerOptions())
    run(tracker, [seen(i / 10, box(100 + 8 * i, 100)) for i in range(10)] + [seen(1.0 + i / 10) for i in range(5)])
    ended = [int(i) for n in range(40) for i in tracker.step_still(stamp(1.5 + n / 10)).ended]
    assert ended == [1]


def test_step_still_is_no_evidence() -> None:
    tracker = ByteTracker(TrackerOptions())
    tracker.step(seen(0, box(100, 100)))
    assert ids([tracker.step_still(stamp(i / 10)) for i in range(1, 50)]) == set()


def test_ended_names_each_reported_id_once() -> None:
    tracker = ByteTracker(TrackerOptions())
    reports = run(tracker, [seen(i / 10, box(100 + 8 * i, 100)) for i in range(10)] + [seen(1 + i / 10) for i in range(40)])
    assert [int(i) for tracks in reports for i in tracks.ended] == [1]


def test_advance_forgets_while_nothing_comes() -> None:
    tracker = ByteTracker(TrackerOptions())
    run(tracker, [seen(i / 10, box(100 + 8 * i, 100)) for i in range(10)])
    assert tracker.advance(Tick(round(2e9), 0)) == ()
    assert tracker.advance(Tick(round(4e9), 0))[0].ended.tolist() == [1]


def test_finish_ends_everyone_once() -> None:
    tracker = ByteTracker(TrackerOptions())
    run(tracker, [seen(i / 10, box(100, 100), box(300, 100)) for i in range(10)])
    assert sorted(tracker.finish()[0].ended.tolist()) == [1, 2]
    assert tracker.finish() == ()


def test_reset_forgets_the_scene_but_never_an_id() -> None:
    tracker = ByteTracker(TrackerOptions(), first_id=41)
    run(tracker, [seen(i / 10, box(100, 100)) for i in range(10)])
    tracker.reset()
    reports = run(tracker, [seen(1 + i / 10, box(100, 100)) for i in range(10)])
    assert reports[0].ended.tolist() == [41]
    assert ids(reports) == {42} and tracker.next_id == 43


def test_trackers_share_nothing() -> None:
    one, other = ByteTracker(TrackerOptions()), ByteTracker(TrackerOptions())
    frames = [seen(i / 10, box(100, 100)) for i in range(10)]
    assert ids(run(one, frames)) == {1}
    one.reset()
    assert ids(run(other, frames)) == {1}


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_step_survives_anything_and_stays_bounded(seed: int) -> None:
    """Random boxes, times that stand still or go back, labels of any size: ids never come back after they ended, none is there twice."""
    random = np.random.default_rng(seed)
    tracker, gone, t = ByteTracker(TrackerOptions(max_tracks=32)), set(), 5.0
    for _ in range(60):
        t += random.choice([0.1, 0.0, -0.05, 3.0], p=[0.8, 0.1, 0.05, 0.05])
        count = int(random.integers(0, 60))
        corner = random.uniform(-50, 600, (count, 2))
        xyxy = np.hstack([corner, corner + random.uniform(-5, 120, (count, 2))]).astype(np.float32)
        frame = Detections(stamp(t), xyxy, random.uniform(0, 1, count).astype(np.float32), random.integers(0, 300, count).astype(np.int16))
        tracks = tracker.step(frame)[0] if random.random() < 0.8 else tracker.step_still(stamp(t))
        now = tracks.id.tolist()
        gone |= set(tracks.ended.tolist())
        assert len(set(now)) == len(now) <= 32 and not gone & set(now)
        assert np.isfinite(tracks.boxes.xyxy).all()
