"""What is drawn, and where."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.analyse.line import LineOptions
from edge_runtime.analyse.zone import ZoneOptions
from edge_runtime.present.annotate import Annotator
from edge_runtime.types import Detections, Size, Tracks
from tests.naive_image import stamp

SIZE = Size(640, 360)


def tracks(*boxes: tuple[int, tuple[float, float, float, float]], ended: tuple[int, ...] = (), label: int = 0) -> Tracks:
    xyxy = np.array([box for _, box in boxes], np.float32).reshape(-1, 4)
    count = len(boxes)
    seen = Detections(stamp(), xyxy, np.ones(count, np.float32), np.full(count, label, np.int16))
    return Tracks(seen, np.array([number for number, _ in boxes], np.int64), np.array(ended, np.int64))


def blank(size: Size = SIZE) -> np.ndarray:
    return np.zeros((size.height, size.width, 3), np.uint8)


def drawn(annotator: Annotator, now: Tracks, totals=None, size: Size = SIZE) -> np.ndarray:
    picture = blank(size)
    annotator.draw(picture, now, totals or {})
    return picture


def test_draw_puts_boxes_where_they_are():
    picture = drawn(Annotator(SIZE, (), (), ("car",)), tracks((1, (200, 100, 300, 180))))
    for x, y in ((200, 140), (299, 140), (250, 179)):
        assert picture[y - 2 : y + 2, x - 2 : x + 2].any()
    assert not picture[150:170, 260:290].any()  # nothing inside but the trail's first point
    assert not picture[200:, :].any()
    assert not picture[:, 320:].any()


@pytest.mark.parametrize("box", [(-50, -50, 30, 30), (620, 340, 700, 400), (-1e7, -1e7, 1e7, 1e7), (100, 0, 180, 40), (5, 5, 5, 5)])
@pytest.mark.parametrize("size", [Size(640, 360), Size(1920, 1080), Size(64, 48), Size(33, 17)])
def test_draw_takes_boxes_at_and_beyond_the_border(box, size):
    annotator = Annotator(size, (), (), ("car",))
    picture = drawn(annotator, tracks((1, box), (2, (1, 1, 9, 9)), label=5), {"lane1": {"forward": 3}}, size)
    assert picture.any()


@pytest.mark.parametrize(
    ("first", "second", "forward"),
    [((0.2, 0.5), (0.8, 0.5), (0, 1)), ((0.8, 0.5), (0.2, 0.5), (0, -1)), ((0.5, 0.8), (0.5, 0.2), (1, 0)), ((0.5, 0.2), (0.5, 0.8), (-1, 0))],
)
def test_draw_points_the_arrow_forward(first, second, forward):
    """From the left side to the right side of whoever stands on the first point and looks at the second."""
    picture = drawn(Annotator(SIZE, [LineOptions(name="lane1", points=(first, second))], (), ()), tracks())
    x, y = 320 + 16 * forward[0], 180 + 16 * forward[1]
    behind_x, behind_y = 320 - 16 * forward[0], 180 - 16 * forward[1]
    assert picture[y - 2 : y + 3, x - 2 : x + 3].any()
    assert not picture[behind_y - 2 : behind_y + 3, behind_x - 2 : behind_x + 3].any()


def test_draw_takes_points_in_pixels_of_another_size():
    fraction = LineOptions(name="lane1", points=((0.25, 0.5), (0.75, 0.5)))
    pixels = LineOptions(name="lane1", points=((480, 540), (1440, 540)), units="px", size=(1920, 1080))
    zone = ZoneOptions(name="stop", polygon=((0.1, 0.6), (0.4, 0.6), (0.4, 0.9)))
    same = ZoneOptions(name="stop", polygon=((192, 648), (768, 648), (768, 972)), units="px", size=(1920, 1080))
    one = drawn(Annotator(SIZE, [fraction], [zone], ()), tracks())
    two = drawn(Annotator(SIZE, [pixels], [same], ()), tracks())
    assert one.any()
    np.testing.assert_array_equal(one, two)


def test_draw_shows_totals_in_the_users_words():
    line = LineOptions(name="lane1", points=((0.1, 0.9), (0.4, 0.9)), forward="südwärts")
    named = drawn(Annotator(SIZE, [line], (), ()), tracks(), {"lane1": {"forward": 3, "backward": 0}})
    again = drawn(Annotator(SIZE, [line], (), ()), tracks(), {"lane1": {"forward": 4, "backward": 0}})
    plain = drawn(Annotator(SIZE, [LineOptions(name="lane1", points=line.points)], (), ()), tracks(), {"lane1": {"forward": 3, "backward": 0}})
    corner = (slice(0, 60), slice(0, 320))
    assert (named[corner] != again[corner]).any()
    assert (named[corner] != plain[corner]).any()
    np.testing.assert_array_equal(named[100:], again[100:])


def test_draw_leaves_a_trail_that_ends_with_its_track():
    annotator = Annotator(SIZE, (), (), ("car",))
    for step in range(10):
        last = drawn(annotator, tracks((7, (100 + 20 * step, 200, 140 + 20 * step, 230))))
    assert last[214:217, 200:210].any()  # where it was five frames ago
    drawn(annotator, tracks(ended=(7,)))
    fresh = drawn(annotator, tracks((7, (280, 200, 320, 230))))
    assert not fresh[214:217, 200:210].any()


def test_trails_are_bounded():
    annotator = Annotator(SIZE, (), (), ("car",))
    for number in range(2000):
        annotator.draw(blank(), tracks((number, (10, 10, 20, 20))), {})
    assert len(annotator._trails) <= 512
    for _ in range(100):
        annotator.draw(blank(), tracks((1, (10, 10, 20, 20))), {})
    assert len(annotator._trails[1]) == 30


def test_a_track_keeps_its_colour():
    annotator = Annotator(SIZE, (), (), ("car",))
    first = drawn(annotator, tracks((3, (200, 100, 300, 180)), (4, (400, 100, 500, 180))))
    second = drawn(annotator, tracks((4, (400, 100, 500, 180))))
    box = (slice(120, 180), slice(390, 520))
    assert np.abs(first[box].astype(int) - second[box]).max() < 10  # the trail is a point longer
    assert tuple(first[140, 200]) != tuple(first[140, 400])
