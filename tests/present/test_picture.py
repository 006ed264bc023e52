from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given, settings

from edge_runtime.present.picture import to_bgr
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


def test_to_bgr_gives_a_new_picture_each_time():
    first, second = (random_frame(seed, PixelFormat.BGR24, Size(20, 10), ColorSpec()) for seed in (0, 3))
    one = to_bgr(first, ())
    to_bgr(second, ())[...] = 0
    np.testing.assert_array_equal(one, first.planes[0])


def test_to_bgr_blackens_what_is_masked():
    frame = random_frame(0, PixelFormat.BGR24, Size(20, 10), ColorSpec(), rotation=90)
    picture = to_bgr(frame, [[(0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5)]])
    assert not picture[:10].any()
    np.testing.assert_array_equal(picture[10:], to_bgr(frame, ())[10:])


def test_to_bgr_may_be_called_from_several_threads():
    frames = [random_frame(seed, PixelFormat.YUV420P, Size(320, 180), ColorSpec()) for seed in range(8)]
    expected = [to_bgr(frame, ()) for frame in frames]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for picture, alone in zip(pool.map(lambda frame: to_bgr(frame, ()), frames), expected, strict=True):
                np.testing.assert_array_equal(picture, alone)
