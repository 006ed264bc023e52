"""Frames as pictures, against the twin."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from edge_runtime.present.picture import Pictures, to_bgr
from edge_runtime.types import ColorSpec, PixelFormat, Size
from tests import naive_image
from tests.naive_image import frames, random_frame


@settings(max_examples=40, deadline=None)
@given(frames)
def test_to_bgr_agrees_with_twin(frame):
    size = Size(frame.size.width, frame.size.height)
    full = tuple(naive_image.bilinear(plane, size) for plane in naive_image.samples(frame))
    expected = naive_image.upright(naive_image.rgb(frame, full), frame.rotation)[::-1].transpose(1, 2, 0)
    picture = to_bgr(frame, ())
    assert picture.shape == (frame.upright.height, frame.upright.width, 3)
    assert np.abs(picture - expected).max() <= 0.51


def test_pictures_are_new_arrays_and_follow_the_stream():
    """A picture is not touched by the next one; another size, format or rotation in between changes nothing."""
    pictures = Pictures([[(0.0, 0.0), (0.3, 0.0), (0.3, 0.4)]])
    several = [
        random_frame(seed, pixel_format, size, ColorSpec(), rotation=rotation)
        for seed, (pixel_format, size, rotation) in enumerate(
            [
                (PixelFormat.BGR24, Size(20, 10), 0),
                (PixelFormat.BGR24, Size(20, 10), 0),
                (PixelFormat.NV12, Size(21, 11), 0),
                (PixelFormat.NV12, Size(11, 21), 90),
                (PixelFormat.BGR24, Size(20, 10), 180),
            ]
        )
    ]
    made = [pictures.to_bgr(frame) for frame in several]
    for frame, picture in zip(several, made, strict=True):
        np.testing.assert_array_equal(picture, to_bgr(frame, [[(0.0, 0.0), (0.3, 0.0), (0.3, 0.4)]]))


def test_to_bgr_blackens_what_is_masked():
    frame = random_frame(0, PixelFormat.BGR24, Size(20, 10), ColorSpec(), rotation=90)
    picture = to_bgr(frame, [[(0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5)]])
    assert not picture[:10].any()
    np.testing.assert_array_equal(picture[10:], to_bgr(frame, ())[10:])
