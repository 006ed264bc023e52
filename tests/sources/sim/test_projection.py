"""The camera's pinhole, the way back to the ground, and boxes that are what is painted."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.sources.sim.bodies import VARIANTS, draw
from edge_runtime.sources.sim.painter import Painter
from edge_runtime.sources.sim.projection import Camera
from edge_runtime.sources.sim.street import LABEL_OF, Moment, RoadUser, Scene, View
from edge_runtime.types import Size

pytestmark = pytest.mark.heavy

HD = Size(1280, 720)
ABOVE = View(eye=(0.0, 0.0, 8.0), yaw_deg=0.0, pitch_deg=20.0, hfov_deg=70.0)
MEASURES = {
    "car": (4.4, 1.8, 1.5),
    "van": (5.3, 2.0, 2.2),
    "bus": (12.0, 2.55, 3.1),
    "truck": (8.5, 2.5, 3.3),
    "motorcycle": (2.1, 0.8, 1.6),
    "bicycle": (1.8, 0.58, 1.78),
    "pedestrian": (0.4, 0.5, 1.75),
}


def user(kind: str, at: tuple[float, float], turn_deg: float = 0.0, style: int = 0) -> RoadUser:
    long, wide, high = MEASURES[kind]
    heading = (math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg)))
    return RoadUser(1, kind, *at, heading, 5.0, long, wide, high, style, travelled_m=0.4)


def styled(kind: str, variant: int) -> int:
    return next(style for style in range(1000) if draw(style, 0, len(VARIANTS[kind])) == variant)


def test_project_of_known_points() -> None:
    camera = Camera(View((0.0, 0.0, 10.0), 0.0, 45.0, 90.0), Size(200, 100))
    places, depths = camera.project(np.array([(0.0, 10.0, 0.0), (5.0, 10.0, 0.0), (0.0, 20.0, 10.0), (0.0, -20.0, 10.0)]))
    root = math.sqrt(2)
    np.testing.assert_allclose(places[:3], [(100, 50), (100 + 100 * 5 / (10 * root), 50), (100, 50 - 100)], atol=1e-4)
    np.testing.assert_allclose(depths, [10 * root, 10 * root, 20 / root, -20 / root], atol=1e-6)


def test_project_with_yaw_looks_clockwise_from_north() -> None:
    places, depths = Camera(replace(ABOVE, yaw_deg=90.0), HD).project(np.array([(30.0, 0.0, 0.0), (30.0, -3.0, 0.0)]))
    assert depths[0] > 0
    assert places[0, 0] == pytest.approx(640)
    assert places[1, 0] > 640  # south of east is to the right


@given(st.floats(0, 1280), st.floats(0, 720), st.floats(-180, 180), st.floats(32, 60))
def test_ground_is_what_projects_there(x: float, y: float, yaw: float, pitch: float) -> None:
    camera = Camera(replace(ABOVE, yaw_deg=yaw, pitch_deg=pitch), HD)
    east, north = camera.ground((x, y))
    places, _ = camera.project(np.array([(east, north, 0.0)]))
    np.testing.assert_allclose(places[0], (x, y), atol=1e-3)


def test_ground_above_the_horizon_is_infinite() -> None:
    assert Camera(ABOVE, HD).ground((640.0, 0.0)) == (math.inf, math.inf)


def test_boxes_of_nobody() -> None:
    assert Camera(ABOVE, HD).boxes(()).shape == (0, 4)


def test_boxes_behind_the_camera_are_zero_and_others_keep_theirs() -> None:
    camera = Camera(ABOVE, HD)
    ahead = user("car", (0.0, 25.0))
    boxes = camera.boxes((user("bus", (0.0, -30.0)), ahead))
    np.testing.assert_array_equal(boxes[0], np.zeros(4))
    np.testing.assert_array_equal(boxes[1:], camera.boxes((ahead,)))


def test_boxes_scale_with_the_picture() -> None:
    users = [user(kind, (2.0 * k - 6, 20.0)) for k, kind in enumerate(LABEL_OF)]
    np.testing.assert_allclose(Camera(ABOVE, HD).boxes(users), 2 * Camera(ABOVE, Size(640, 360)).boxes(users), atol=1e-3)


def test_project_gives_depths_along_the_optical_axis() -> None:
    _, depths = Camera(ABOVE, HD).project(np.array([(0.0, 20.0, 0.0), (7.0, 20.0, 0.0), (0.0, -20.0, 0.0)]))
    pitch = math.radians(20)
    np.testing.assert_allclose(depths, [20 * math.cos(pitch) + 8 * math.sin(pitch)] * 2 + [-20 * math.cos(pitch) + 8 * math.sin(pitch)], atol=1e-6)


@pytest.fixture(scope="module")
def plain() -> Painter:
    """An empty plate under an overcast sky: nothing but the body changes pixels, its darkness on the ground apart."""
    scene = Scene("plain", ABOVE, *((),) * 11)
    return Painter(scene, HD, "rain", 1, shake=0.0, noise=0.0)


@pytest.mark.parametrize(("kind", "variant"), [(kind, variant) for kind, among in VARIANTS.items() for variant in range(len(among))])
def test_boxes_are_what_is_painted(plain: Painter, kind: str, variant: int) -> None:
    for turn_deg in (0.0, 37.0, 90.0, 200.0):
        who = user(kind, (1.5, 18.0), turn_deg, styled(kind, variant))
        seen = plain.silhouette(who)
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        painted = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        np.testing.assert_allclose(plain.camera.boxes((who,))[0], painted, atol=1.5)
        before, after = plain.paint(Moment(1.0, (), {})), plain.paint(Moment(1.0, (who,), {}))
        assert (before != after).any(axis=2)[seen].mean() > 0.95
