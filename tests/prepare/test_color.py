"""Known colours of the standards, and what a model's normalisation makes of them."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.manifest import ImageInput
from edge_runtime.prepare.color import normalised, pixel_values, to_rgb
from edge_runtime.types import ColorSpec, Matrix, PixelFormat, Size

LIMITED = ColorSpec(Matrix.BT709, full_range=False)


@pytest.mark.parametrize(
    ("pixel_format", "color", "sample", "expected"),
    [
        (PixelFormat.YUV420P, LIMITED, (16, 128, 128), (0, 0, 0)),
        (PixelFormat.YUV420P, LIMITED, (235, 128, 128), (255, 255, 255)),
        (PixelFormat.YUV420P, ColorSpec(Matrix.BT601, full_range=True), (0, 128, 128), (0, 0, 0)),
        (PixelFormat.NV12, ColorSpec(Matrix.BT601, full_range=True), (255, 128, 128), (255, 255, 255)),
        (PixelFormat.YUV420P10, LIMITED, (64, 512, 512), (0, 0, 0)),
        (PixelFormat.YUV420P10, LIMITED, (940, 512, 512), (255, 255, 255)),
        (PixelFormat.YUV420P10, ColorSpec(Matrix.BT2020, full_range=True), (1023, 512, 512), (255, 255, 255)),
        # 100 % primaries as the standards' own integer tables have them (BT.601: SMPTE bars; BT.709: EBU Tech 3325)
        (PixelFormat.YUYV, ColorSpec(Matrix.BT601), (81, 90, 240), (255, 0, 0)),
        (PixelFormat.YUYV, ColorSpec(Matrix.BT601), (145, 54, 34), (0, 255, 0)),
        (PixelFormat.YUYV, ColorSpec(Matrix.BT601), (41, 240, 110), (0, 0, 255)),
        (PixelFormat.YUV422P, LIMITED, (63, 102, 240), (255, 0, 0)),
        (PixelFormat.YUV422P, LIMITED, (173, 42, 26), (0, 255, 0)),
        (PixelFormat.YUV422P, LIMITED, (32, 240, 118), (0, 0, 255)),
        (PixelFormat.GRAY8, LIMITED, (235, 0, 0), (255, 255, 255)),
        (PixelFormat.GRAY8, ColorSpec(full_range=True), (200, 0, 0), (200, 200, 200)),
        (PixelFormat.BGR24, LIMITED, (1, 2, 3), (3, 2, 1)),
    ],
)
def test_to_rgb_of_known_colours(pixel_format, color, sample, expected):
    matrix = to_rgb(pixel_format, color)
    np.testing.assert_allclose(matrix[:, :3] @ sample + matrix[:, 3], expected, atol=1.5)  # the tables' samples are rounded to whole levels


@pytest.mark.parametrize("std", [(0.0, 1.0, 1.0), (float("nan"), 1.0, 1.0), (1.0, float("inf"), 1.0)])
def test_normalised_refuses_what_divides_by_nothing(std):
    with pytest.raises(ValueError, match="std"):
        normalised(to_rgb(PixelFormat.GRAY8, LIMITED), ImageInput(name="images", size=Size(4, 4), std=std))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("float32", 1e6), ("float16", 65504.0), ("uint8", 255.0)],
)
def test_pixel_values_stay_within_dtype(dtype, expected):
    image = ImageInput(name="images", size=Size(4, 4), dtype=dtype, scale=1e4)
    assert pixel_values(image, 100).tolist() == [expected] * 3
