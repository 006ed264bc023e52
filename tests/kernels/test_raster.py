"""kernels/raster.py and kernels/shading.py against their plain twins."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.kernels import raster, shading
from tests import naive_raster

H, W = 7, 9


@st.composite
def bodies(draw: st.DrawFn) -> tuple[Any, Any, Any, Any]:
    """A few quads, many of them touching, edge-on or partly outside; now and then a corner behind the camera."""
    seed, count, grid = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 7)), draw(st.sampled_from([1, 2, 8, 256]))
    rng = np.random.default_rng(seed)
    corners = np.empty((count * 4, 3))
    corners[:, 0] = np.round(rng.uniform(-4, W + 4, count * 4) * grid) / grid
    corners[:, 1] = np.round(rng.uniform(-4, H + 4, count * 4) * grid) / grid
    corners[:, 2] = rng.uniform(0.02, 0.5, count * 4) * (rng.random(count * 4) > 0.03)
    faces = np.arange(count * 4, dtype=np.int32).reshape(count, 4)
    faces[::3, 3] = faces[::3, 2]  # triangles
    split = int(rng.integers(0, count + 1))
    table = np.array([(0, split, 5, 0, split * 4), (split, count, 6, split * 4, count * 4)], np.int64)
    return corners, faces, rng.integers(0, 256, (count, 3), np.uint8), table


@given(bodies(), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_draw_equals_its_twin(scene: tuple[Any, Any, Any, Any], seed: int) -> None:
    corners, faces, colors, table = scene
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 256, (H, W, 3), np.uint8)
    standing = (rng.uniform(0, 0.5, (H, W)) * (rng.random((H, W)) < 0.3)).astype(np.float32)
    one = (start.copy(), standing.copy(), np.zeros((H, W), np.int32))
    two = (start.copy(), standing.copy(), np.zeros((H, W), np.int32))
    raster.draw(*one, corners, faces, colors, table, np.zeros((2, 4), np.int64))
    naive_raster.draw(*two, corners, faces, colors, table)
    for ours, plain in zip(one, two, strict=True):
        np.testing.assert_array_equal(ours, plain)


@given(bodies(), st.integers(0, 255))
@settings(max_examples=60)
def test_cast_equals_its_twin(scene: tuple[Any, Any, Any, Any], strength: int) -> None:
    corners, faces, _, table = scene
    lit = np.tile(np.array([0, 90, 255], np.uint8), H * W)[: H * W].reshape(H, W).copy()
    ours, plain = np.full((H, W), 3, np.uint8), np.full((H, W), 3, np.uint8)
    raster.cast(ours, corners, faces, table, lit, strength)
    naive_raster.cast(plain, corners, faces, table, lit, strength)
    np.testing.assert_array_equal(ours, plain)


def test_draw_of_a_nearer_body_first_leaves_it_in_front() -> None:
    square = [(1.0, 1.0), (1.0, 6.0), (6.0, 6.0), (6.0, 1.0)]
    corners = np.array([(x, y, z) for z in (0.5, 0.1) for x, y in square])
    faces = np.arange(8, dtype=np.int32).reshape(2, 4)
    table = np.array([(0, 1, 1, 0, 4), (1, 2, 2, 4, 8)], np.int64)
    picture, nearest, owner = np.zeros((H, W, 3), np.uint8), np.zeros((H, W), np.float32), np.zeros((H, W), np.int32)
    touched = np.zeros((2, 4), np.int64)
    raster.draw(picture, nearest, owner, corners, faces, np.array([(10, 20, 30), (200, 200, 200)], np.uint8), table, touched)
    assert (owner[1:6, 1:6] == 1).all() and owner.sum() == 25
    assert (picture[1:6, 1:6] == (10, 20, 30)).all()
    assert touched[0].tolist() == [1, 7, 1, 7]


def test_draw_leaves_out_faces_that_look_away() -> None:
    corners = np.array([(1.0, 1.0, 0.1), (6.0, 1.0, 0.1), (6.0, 6.0, 0.1), (1.0, 6.0, 0.1)])  # clockwise
    picture = np.zeros((H, W, 3), np.uint8)
    raster.draw(
        picture,
        np.zeros((H, W), np.float32),
        np.zeros((H, W), np.int32),
        corners,
        np.array([(0, 1, 2, 3)], np.int32),
        np.full((1, 3), 255, np.uint8),
        np.array([(0, 1, 1, 0, 4)], np.int64),
        np.zeros((1, 4), np.int64),
    )
    assert not picture.any()


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_project_equals_its_twin(seed: int, shadow: bool) -> None:
    rng = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    view = np.concatenate([axes, rng.normal(size=(1, 3)) * 5, [(800.0, 640.0, 360.0)]])
    points = rng.normal(size=(20, 3)) * 10
    fall = np.array([0.4, -0.7, 1.0]) if shadow else np.zeros(3)
    ours = np.empty((20, 3))
    shading.project(points, view, fall, 0.3, ours)
    plain = naive_raster.project(points, view, fall, 0.3)
    np.testing.assert_allclose(ours[:, :2], plain[:, :2], atol=0.5 / 256 + 1e-6)
    np.testing.assert_allclose(ours[:, 2], plain[:, 2], rtol=1e-9)
    np.testing.assert_array_equal(ours[:, :2] * 256, np.round(ours[:, :2] * 256))


@given(st.integers(0, 2**32 - 1))
def test_color_equals_its_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, eye, sun = rng.normal(size=(8, 3)), rng.normal(size=3) * 9, rng.normal(size=3)
    sun /= np.linalg.norm(sun)
    palettes = rng.uniform(0, 255, (2, 3, 4)).astype(np.float32)
    palettes[:, :, 3] = rng.uniform(0, 1, (2, 3))
    lights = rng.uniform(0, 1, (2, 4, 3)).astype(np.float32)
    lights[:, 3] *= 255
    finish, shades = rng.uniform(0, 1, (3, 2)), rng.uniform(0, 1, 4).astype(np.float32)
    faces = rng.integers(0, 8, (4, 4)).astype(np.int32)
    slots, table = rng.integers(0, 3, 4).astype(np.uint8), np.array([(0, 2, 1, 0, 8), (2, 4, 2, 0, 8)], np.int64)
    colors = np.zeros((4, 3), np.uint8)
    shading.color(points, np.stack([eye, sun]), faces, table, slots, shades, palettes, lights, finish, colors)
    for f in range(4):
        body = f // 2
        plain = naive_raster.color(points[faces[f]], eye, sun, palettes[body, slots[f]], lights[body], finish[slots[f]], float(shades[f]))
        np.testing.assert_allclose(colors[f], plain, atol=0.51)
