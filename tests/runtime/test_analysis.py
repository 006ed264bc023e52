"""Detections in, events with their completeness out; and what survives the process."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from edge_runtime.analyse.line import LineOptions
from edge_runtime.analyse.zone import ZoneOptions
from edge_runtime.config.schema import CameraConfig
from edge_runtime.runtime.analysis import Analysis
from edge_runtime.types import Detections, Event, Size, Stamp, Tick

S = 1_000_000_000
NOON = 1_800_000_000 * S  # a wall time on a full minute
SIZE = Size(640, 360)
LINE = LineOptions(name="main", points=((0.0, 0.5), (1.0, 0.5)))


def camera(**more: Any) -> CameraConfig:
    return CameraConfig(name="cam", source="unused.mp4", model="m", fps=10, interval_s=60.0, line=(LINE,), **more)


def detections(second: float, boxes: list[tuple[float, float]]) -> Detections:
    """Cars of 60 × 40 px with these centres, `second` seconds after noon."""
    stamp = Stamp("cam", round(second * 10), round(second * S), NOON + round(second * S))
    xyxy = np.array([[x - 30, y - 20, x + 30, y + 20] for x, y in boxes], np.float32).reshape(-1, 4)
    return Detections(stamp, xyxy, np.full(len(boxes), 0.9, np.float32), np.zeros(len(boxes), np.int16))


def drive(analysis: Analysis, start_s: float, seconds: float = 4.0, x: float = 320) -> list[Event]:
    """One car from the top of the picture to the bottom."""
    analysis.resize(SIZE)
    events: list[Event] = []
    steps = round(seconds * 10)
    for step in range(steps):
        y = 40 + 280 * step / (steps - 1)
        events += analysis.step(detections(start_s + step / 10, [(x, y)])).events
    return events


def begun(state: Any = None, second: float = 0.0, **more: Any) -> tuple[Analysis, list[Event]]:
    analysis = Analysis(camera(**more), ["car"], "m@1", state)
    return analysis, analysis.begin(Tick(round(second * S), NOON + round(second * S)))


def stored(analysis: Analysis) -> Any:
    """The snapshot as it comes back from the disk."""
    return json.loads(json.dumps(analysis.snapshot()))


def counts(events: list[Event], way: str = "forward") -> list[Event]:
    return [event for event in events if event.type == "count" and event.data["dir"] == way]


def test_step_car_over_the_line_is_one_signed_crossing_and_one_count_in_its_window() -> None:
    analysis, _ = begun()
    events = drive(analysis, 10)
    crossing = next(event for event in events if event.type == "crossing")
    assert crossing.data["dir"] == "forward"
    assert crossing.data["class"] == "car"
    assert crossing.model == "m@1"
    assert sum(event.type == "crossing" for event in events) == 1
    closed = counts(analysis.advance(Tick(60 * S, NOON + 60 * S)))
    assert [event.data["counts"] for event in closed] == [{"car": 1}]
    assert closed[0].seen is not None
    assert closed[0].seen.frames_processed == 40
    assert closed[0].seen.frames_expected == 600
    assert closed[0].seen.blind_s > 50
    assert not closed[0].partial


def test_advance_without_frames_publishes_empty_windows_that_say_they_were_blind() -> None:
    analysis, _ = begun()
    closed = counts(analysis.advance(Tick(120 * S, NOON + 120 * S)))
    assert [event.data["counts"] for event in closed] == [{}, {}]
    assert all(event.seen is not None and event.seen.frames_processed == 0 and event.seen.blind_s > 59 for event in closed)


def test_restart_within_the_window_goes_on_with_it_and_calls_the_time_down_blind() -> None:
    first, _ = begun()
    drive(first, 1)
    next_id = first.tracker.next_id
    second, events = begun(stored(first), second=25)
    assert not events
    assert second.tracker.next_id > next_id
    crossing = next(event for event in drive(second, 26) if event.type == "crossing")
    assert crossing.data["track"] >= next_id
    (closed,) = counts(second.advance(Tick(60 * S, NOON + 60 * S)))
    assert closed.partial
    assert (closed.data["counts"], closed.data["total"]) == ({"car": 2}, 2)
    assert closed.seen is not None
    assert closed.seen.frames_processed == 80
    assert closed.seen.blind_s > 45, "20 s down, and 30 s without frames after"


def test_restart_after_the_window_closes_it_where_the_process_was_last_alive() -> None:
    first, _ = begun()
    drive(first, 1)
    second, events = begun(stored(first), second=600)
    (closed,) = counts(events)
    assert closed.partial
    assert closed.data["counts"] == {"car": 1}
    assert NOON < closed.time.wall_ns <= NOON + 6 * S
    assert closed.seen is not None
    assert closed.seen.blind_s < 2, "the time down belongs to the gap, not to this window"
    (finished,) = counts(second.finish(Tick(601 * S, NOON + 601 * S)))
    assert (finished.data["counts"], finished.data["total"]) == ({}, 1)


def test_restart_after_a_reboot_closes_the_window_at_an_instant_that_this_boot_does_not_know() -> None:
    first, _ = begun()
    drive(first, 1)
    second, events = begun({**stored(first), "rebooted": True}, second=25)
    (closed,) = counts(events)
    assert (closed.partial, closed.data["counts"], closed.time.mono_ns) == (True, {"car": 1}, -1)
    assert NOON < closed.time.wall_ns <= NOON + 6 * S
    assert closed.seen is not None
    assert closed.seen.blind_s < 2
    (after,) = counts(second.advance(Tick(60 * S, NOON + 60 * S)))
    assert (after.data["counts"], after.data["total"], after.time.mono_ns) == ({}, 1, 60 * S)


def test_restart_with_a_line_moved_begins_its_total_at_zero_and_keeps_the_others() -> None:
    zone = ZoneOptions(name="stop", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))
    first, _ = begun(zone=(zone,))
    drive(first, 1)
    state = stored(first)
    moved = LineOptions(name="main", points=((0.0, 0.7), (1.0, 0.7)))
    second = Analysis(CameraConfig(name="cam", source="x", model="m", fps=10, interval_s=60.0, line=(moved,)), ["car"], "m@1", state)
    assert second.totals()["main"] == {"forward": 0, "backward": 0}


def test_restart_with_another_interval_closes_the_old_window_and_keeps_the_totals() -> None:
    first, _ = begun()
    drive(first, 1)
    second = Analysis(CameraConfig(name="cam", source="x", model="m", fps=10, interval_s=300.0, line=(LINE,)), ["car"], "m@1", stored(first))
    (closed,) = counts(second.begin(Tick(30 * S, NOON + 30 * S)))
    assert (closed.data["counts"], closed.data["total"], closed.partial) == ({"car": 1}, 1, True)
    assert closed.seen is not None
    assert closed.seen.frames_processed == 40
    (after,) = counts(second.finish(Tick(40 * S, NOON + 40 * S)))
    assert (after.data["counts"], after.data["total"]) == ({}, 1), "what was counted in one window is not counted in the next"


def test_restart_of_a_blind_camera_still_says_how_long_it_was_blind_before() -> None:
    first, _ = begun()
    drive(first, 1)  # the last frame after five seconds
    first.advance(Tick(30 * S, NOON + 30 * S))
    second, _ = begun(stored(first), second=30)
    drive(second, 30)
    (closed,) = counts(second.finish(Tick(34 * S, NOON + 34 * S)))
    assert closed.seen is not None
    assert closed.seen.blind_s == pytest.approx(25, abs=0.5)


def test_snapshot_stays_what_it_was_when_the_analysis_goes_on() -> None:
    analysis, _ = begun()
    before = analysis.snapshot()
    kept = json.dumps(before)
    drive(analysis, 1)
    analysis.snapshot()
    assert json.dumps(before) == kept


def test_resize_keeps_sums_and_never_gives_an_id_twice() -> None:
    analysis, _ = begun()
    before = drive(analysis, 1)
    used = {event.data["track"] for event in before if event.type == "crossing"}
    analysis.resize(Size(1280, 720))
    events: list[Event] = []
    for step in range(40):
        y = 80 + 560 * step / 39
        events += analysis.step(detections(10 + step / 10, [(640, y)])).events
    crossings = [event for event in events if event.type == "crossing"]
    assert len(crossings) == 1
    assert crossings[0].data["track"] not in used
    (closed,) = counts(analysis.advance(Tick(60 * S, NOON + 60 * S)))
    assert closed.data["counts"] == {"car": 2}


def test_snapshot_is_plain_json() -> None:
    analysis, _ = begun()
    drive(analysis, 1)
    assert json.loads(json.dumps(analysis.snapshot(), allow_nan=False))["rules"]["line/main"]
