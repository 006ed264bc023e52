"""The plain side against numbers worked out by hand: what everything else is held against must not be wrong itself."""

from __future__ import annotations

import numpy as np
import pytest

from edge_export.plain import Placed, bilinear, overlap, picture_of, place, planes_of, yolox
from edge_runtime.manifest import ImageInput
from edge_runtime.types import Size


def test_bilinear_aligns_centres_and_repeats_edges() -> None:
    assert bilinear(np.array([[0.0, 4.0]]), Size(4, 1)).tolist() == [[0.0, 1.0, 3.0, 4.0]]
    assert bilinear(np.array([[0.0, 2.0, 4.0, 6.0]]), Size(2, 1)).tolist() == [[1.0, 5.0]]


def test_place_letterboxes_orders_and_normalises() -> None:
    picture = np.zeros((2, 4, 3), np.uint8)
    picture[..., 0], picture[..., 2] = 10, 30  # blue, red
    image = ImageInput(name="x", size=Size(8, 8), color="RGB", align="center", pad=100, scale=0.5, mean=(1, 2, 3), std=(1, 2, 4))
    placed = place(picture, image)
    assert placed.tensor.shape == (1, 3, 8, 8)
    assert placed.tensor[0, :, 4, 4].tolist() == [(15 - 1) / 1, (0 - 2) / 2, (5 - 3) / 4]
    assert placed.tensor[0, :, 1, 4].tolist() == [(50 - 1) / 1, (50 - 2) / 2, (50 - 3) / 4]
    assert (placed.scale, placed.offset) == ((2.0, 2.0), (0, 2))
    assert place(picture, ImageInput(name="x", size=Size(8, 8), color="BGR", resize="stretch")).tensor[0, :, 1, 4].tolist() == [10, 0, 30]
    with pytest.raises(ValueError, match="crop"):
        place(picture, ImageInput(name="x", size=Size(8, 8), resize="crop"))


def test_yolox_decodes_suppresses_and_comes_back_to_the_picture() -> None:
    raw = np.zeros((1, 16 + 4 + 1, 7), np.float32)
    raw[..., 4:] = 0.001
    raw[0, 5] = [0.5, 0.5, np.log(2), np.log(1), 0.8, 0.1, 0.5]  # cell (1, 1) of stride 8: centre 12, 12, size 16 × 8
    raw[0, 6] = [-0.4, 0.5, np.log(2), np.log(1), 0.5, 0.1, 0.5]  # nearly there, worse: suppressed
    raw[0, 20] = [0.5, 0.5, 0, 0, 0.5, 0.9, 0.1]  # stride 32: 0–32
    placed = Placed(np.zeros((1, 3, 32, 32), np.float32), (2.0, 2.0), (0.0, 4.0), Size(16, 12))
    found = yolox(raw, placed, 0.2, 0.45, 0.7)
    assert found.label.tolist() == [0, 1]
    assert found.score == pytest.approx([0.45, 0.4])
    assert found.xyxy[0].tolist() == [0, 0, 16, 12]  # clipped
    assert found.xyxy[1] == pytest.approx([2, 2, 10, 6], abs=1e-5)


def test_overlap_of_boxes() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [0, 0, 0, 0]], np.float64)
    assert overlap(boxes[0], boxes).tolist() == [1.0, pytest.approx(1 / 3), 0.0, 0.0]


def test_planes_come_back_as_the_picture() -> None:
    smooth = np.linspace(40, 210, 128 * 96).reshape(96, 128, 1).repeat(3, 2)
    smooth[..., 1] = smooth[::-1, :, 1]
    picture = smooth.astype(np.uint8)
    assert np.abs(picture_of(planes_of(picture)) - picture).max() < 4
    grey = np.full((4, 4, 3), 77, np.uint8)
    assert np.abs(picture_of(planes_of(grey)) - 77).max() < 0.7
    y, u, v = planes_of(np.array([[[0, 0, 255]] * 2] * 2, np.uint8))  # BT.601's red
    assert (int(y[0, 0]), int(u[0, 0]), int(v[0, 0])) == (81, 90, 240)
