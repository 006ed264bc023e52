"""Zones: how many are inside, over the time that was seen."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.analyse.geometry import inside
from edge_runtime.analyse.zone import ZoneOccupancy, ZoneOptions
from edge_runtime.types import Size, Tick, Window
from tests.analyse.test_line import LABELS, tracks

SQUARE = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
S = 10**9


def zone(**more: object) -> ZoneOccupancy:
    return ZoneOccupancy(ZoneOptions(name="stop", polygon=SQUARE, anchor="center", **more), Size(1000, 600), LABELS, "main")


def closed(counter: ZoneOccupancy, start_s: float, end_s: float) -> dict[str, object]:
    (event,) = counter.close(Window(Tick(round(start_s * S), 0), Tick(round(end_s * S), 0)))
    assert event.type == "occupancy"
    return dict(event.data)


def test_close_gives_the_mean_over_time() -> None:
    counter = zone()
    for i in range(10):
        counter.step(tracks(i / 10, [(500, 300), (400, 300)] if i >= 5 else [(500, 300)], (1, 2), labels=[0, 2][: 2 if i >= 5 else 1]))
    assert closed(counter, 0, 1) == {"rule": "stop", "now": 2, "min": 1, "max": 2, "mean": 1.5, "classes": {"car": 1, "person": 1}}
    assert closed(counter, 1, 1.5) == {"rule": "stop", "now": 2, "min": 2, "max": 2, "mean": 2.0, "classes": {"car": 1, "person": 1}}


def test_missed_occupant_stays_until_it_is_seen_outside_or_ends() -> None:
    counter = zone()
    counter.step(tracks(0, [(500, 300), (400, 300)], (1, 2)))
    counter.step(tracks(0.1, []))
    assert counter.now == 2
    counter.step(tracks(0.2, [(50, 50)], (1,)))
    assert counter.now == 1
    counter.step(tracks(0.3, [], ended=(2,)))
    assert counter.now == 0


def test_time_without_sight_is_not_counted() -> None:
    counter = zone()
    for t in (0, 0.5):
        counter.step(tracks(t, [(500, 300)]))
    counter.step(tracks(30, [], ended=(1,)))
    data = closed(counter, 0, 30.5)
    assert data["mean"] == pytest.approx(1.5 / 2.0)  # half a second and one more after it; then half a second of nobody
    assert (data["min"], data["max"]) == (0, 1)


def test_window_without_sight_says_null() -> None:
    assert closed(zone(), 0, 60) == {"rule": "stop", "now": 0, "min": None, "max": None, "mean": None, "classes": {}}


def test_one_frame_is_what_it_showed() -> None:
    counter = zone()
    counter.step(tracks(5, [(500, 300)]))
    assert closed(counter, 5, 5)["mean"] == 1


def test_bottom_anchor_is_where_it_stands() -> None:
    counter = ZoneOccupancy(ZoneOptions(name="stop", polygon=SQUARE), Size(1000, 600), LABELS, "main")
    counter.step(tracks(0, [(500, 470), (500, 105)], (1, 2)))  # lower edges at 490 (outside) and 125 (inside)
    assert counter.now == 1


def test_snapshot_goes_on_and_not_elsewhere() -> None:
    counter = zone()
    counter.step(tracks(0, [(500, 300)]))
    counter.step(tracks(0.5, [(500, 300)]))
    state = json.loads(json.dumps(counter.snapshot()))
    after = zone()
    after.restore(state)
    after.step(tracks(100, []))
    assert closed(after, 0, 100.5)["mean"] == 0.5
    with pytest.raises(ValueError, match="not where it was"):
        ZoneOccupancy(ZoneOptions(name="stop", polygon=SQUARE[:3]), Size(1000, 600), LABELS, "main").restore(state)


def test_two_corners_are_refused() -> None:
    with pytest.raises(ValueError, match="three or more"):
        ZoneOccupancy(ZoneOptions(name="stop", polygon=SQUARE[:2]), Size(1000, 600), LABELS, "main")


@given(x=st.floats(0, 10), y=st.floats(0, 10))
def test_inside_a_concave_polygon_agrees_with_its_parts(x: float, y: float) -> None:
    """An L: the union of two rectangles (points on edges aside)."""
    if min(abs(v - edge) for v in (x, y) for edge in (0, 3, 7, 9)) < 1e-6:
        return
    corner = np.array([(0, 0), (3, 0), (3, 7), (9, 7), (9, 9), (0, 9)], np.float64)
    assert bool(inside(corner, np.array([[x, y]]))[0]) == ((0 < x < 3 and 0 < y < 9) or (0 < x < 9 and 7 < y < 9))
