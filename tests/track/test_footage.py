"""Counts on real footage against what people counted, at many frame rates with the same settings.

The lines beside the published one were counted by eye on slit-scans (the row of pixels under the line, time downwards: every vehicle that
passes is one shape). A tolerance of one is for bodies that pass in the very first or last frames, or hidden behind a van.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.analyse.line import LineCounter, LineOptions
from edge_runtime.track.bytetrack import ByteTracker, TrackerOptions
from edge_runtime.types import Detections, Event, Size, Stamp, Tracks
from tests.benchmarks.record_detections import detect

pytestmark = pytest.mark.material

LABELS = tuple(map(str, range(80)))
VEHICLES = np.isin(np.arange(80), (2, 3, 5, 7))
BUSY: dict[str, tuple[tuple[int, int, int, int], int, int]] = {  # line, forward, backward
    "published": ((40, 250, 465, 250), 24, 0),
    "farther": ((0, 200, 360, 200), 23, 0),
    "between": ((0, 220, 400, 220), 24, 0),
    "nearer": ((0, 300, 520, 300), 26, 0),
    "other way": ((440, 250, 639, 250), 0, 19),
    "oblique": ((60, 300, 360, 160), 25, 11),
}


def track(found: list[Detections]) -> list[Tracks]:
    tracker = ByteTracker(TrackerOptions(min_score=0.3, track_floor=0.1))
    return [tracker.step(frame)[0] for frame in found]


def count(tracks: list[Tracks], size: Size, points: tuple[int, int, int, int]) -> tuple[LineCounter, list[Event]]:
    x1, y1, x2, y2 = points
    counter = LineCounter(LineOptions(name="line", points=((x1, y1), (x2, y2)), units="px"), size, LABELS, "film")
    return counter, [event for item in tracks for event in counter.step(item)]


@pytest.fixture(scope="module")
def model(material: Path) -> Path:
    return material / "models/yolox_nano/yolox_nano_416x416.onnx"


def test_busy_road_counts_agree_with_people_at_every_frame_rate(material: Path, model: Path) -> None:
    found, size = detect(material / "videos/busy_road/busy_road.mp4", model, VEHICLES)
    truth = json.loads((material / "videos/truth.json").read_text())["busy_road/busy_road.mp4"]
    assert (truth["line"], truth["down"], truth["up"]) == ([[40, 250], [465, 250]], 24, 0)
    wrong = {}
    for every in (1, 2, 3, 4, 6):  # 30, 15, 10, 7.5 and 5 frames/s
        tracks = track(found[::every])
        for name, (points, forward, backward) in BUSY.items():
            counter, _ = count(tracks, size, points)
            if abs(counter.totals["forward"] - forward) > 1 or abs(counter.totals["backward"] - backward) > 1:
                wrong[f"{name}, every {every}"] = counter.totals
    assert wrong == {}


def test_cars_from_above_cross_in_the_frames_that_people_saw(material: Path, model: Path) -> None:
    """Labels flicker among a phone, a suitcase and a bus: counted without regard to them, two each way, at 12.5, 10 and 6.25 frames/s."""
    found, size = detect(material / "videos/car_detection/car-detection.mp4", model)
    truth = json.loads((material / "videos/truth.json").read_text())["car_detection/car-detection.mp4"]
    expected = [(crossing["frame"], {"down": "forward", "up": "backward"}[crossing["dir"]]) for crossing in truth["crossings"]]
    for frames in (found, [frame for i, frame in enumerate(found) if i % 5 != 4], found[::2], found[1::2]):
        _, events = count(track(frames), size, (0, 216, 767, 216))
        seen = sorted((event.time.mono_ns / 80e6, str(event.data["dir"])) for event in events)
        assert [way for _, way in seen] == [way for _, way in expected]
        assert all(abs(at - frame) <= truth["tolerance_frames"] for (at, _), (frame, _) in zip(seen, expected, strict=True))


def test_boxes_of_another_detector_are_counted_too(material: Path) -> None:
    """A coarse detector whose boxes stick to a grid and jump: frames 15 to 451; 21 vehicles pass the published line meanwhile."""
    stored = json.loads((material / "videos/busy_road/darknet_detections.json").read_text())
    size = Size(640, 360)
    found = []
    for frame in stored:
        seq = int(frame["frame_id"]) - 1
        rows = [(row["relative_coordinates"], row["confidence"]) for row in frame["objects"]]
        centre = np.array([(box["center_x"], box["center_y"]) for box, _ in rows]).reshape(-1, 2) * size
        half = np.array([(box["width"], box["height"]) for box, _ in rows]).reshape(-1, 2) * size / 2
        time_ns = seq * 1_000_000_000 // 30
        stamp = Stamp("darknet", seq, time_ns, time_ns)
        score = np.array([score for _, score in rows], np.float32)
        found.append(Detections(stamp, np.hstack([centre - half, centre + half]).astype(np.float32), score, np.full(len(rows), 2, np.int16)))
    for every in (1, 2, 3, 4, 6):
        counter, _ = count(track(found[::every]), size, (40, 250, 465, 250))
        assert abs(counter.totals["forward"] - 21) <= 2 and counter.totals["backward"] <= 1


def test_crowd_keeps_its_ids(material: Path, model: Path) -> None:
    """Some 25 people in sight for 14 seconds: ids do not explode, and paths agree between frame rates."""
    found, size = detect(material / "videos/walking/walking.mp4", model, np.arange(80) == 0)
    totals = []
    for every in (1, 2, 5):
        tracks = track(found[::every])
        in_sight = np.mean([len(item.id) for item in tracks])
        ids = {int(i) for item in tracks for i in item.id}
        assert in_sight < len(ids) < 4 * in_sight
        totals.append(count(tracks, size, (0, 360, 1280, 360))[0].totals)
    assert all(abs(total[way] - totals[0][way]) <= 1 for total in totals for way in total)
