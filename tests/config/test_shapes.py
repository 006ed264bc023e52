"""Polygons: what is refused must be wrong, and what is right must not be refused."""

from __future__ import annotations

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from edge_runtime.config.shapes import has_length, outside, polygon_fault

UNIT = (1.0, 1.0)


@given(st.integers(3, 60), st.floats(0.05, 0.49), st.floats(0, 6.28), st.booleans(), st.booleans(), st.randoms(use_true_random=False))
def test_star_shaped_polygon_is_sound_in_either_sense_closed_or_not(
    count: int, radius: float, turn: float, back: bool, closed: bool, random: object
) -> None:
    radii = [radius * random.uniform(0.5, 1) for _ in range(count)]  # type: ignore[attr-defined]
    ring = [(0.5 + r * math.cos(turn + 2 * math.pi * i / count), 0.5 + r * math.sin(turn + 2 * math.pi * i / count)) for i, r in enumerate(radii)]
    ring = ring[::-1] if back else ring
    assert polygon_fault([*ring, ring[0]] if closed else ring, UNIT) == ""


@given(st.integers(5, 40), st.data())
def test_circle_with_two_corners_exchanged_crosses_itself(count: int, data: st.DataObject) -> None:
    ring = [(0.5 + 0.4 * math.cos(2 * math.pi * i / count), 0.5 + 0.4 * math.sin(2 * math.pi * i / count)) for i in range(count)]
    i, j = data.draw(st.integers(0, count - 1)), data.draw(st.integers(0, count - 1))
    assume(i != j)
    ring[i], ring[j] = ring[j], ring[i]
    assert "cross" in polygon_fault(ring, UNIT)


def test_polygon_faults_have_their_names() -> None:
    assert polygon_fault([(0, 0), (1, 0), (1, 1), (0, 1)], UNIT) == ""
    assert "0 distinct corners" in polygon_fault([], UNIT)
    assert "1 distinct corner:" in polygon_fault([(0.5, 0.5)] * 4, UNIT)
    assert "2 distinct corners" in polygon_fault([(0, 0), (1, 1), (0, 0), (1, 1)], UNIT)
    assert "no area" in polygon_fault([(0.1, 0.1), (0.5, 0.5), (0.9, 0.9)], UNIT)
    assert "cross" in polygon_fault([(0, 0), (1, 1), (1, 0), (0, 1)], UNIT)
    assert "cross" in polygon_fault([(0, 0), (1, 0), (1, 1), (0.5, 0), (0, 1)], UNIT)  # a corner on another side
    assert "at most 256" in polygon_fault([(i / 300, 0) for i in range(300)], UNIT)


def test_line_needs_some_length_of_the_picture() -> None:
    assert has_length((0.1, 0.1), (0.1, 0.2), UNIT)
    assert not has_length((0.1, 0.1), (0.1, 0.1), UNIT)
    assert not has_length((10, 10), (10.5, 10), (640, 360))


def test_outside_names_the_points_beyond_the_edges() -> None:
    assert outside([(0, 0), (1, 1), (1.01, 0), (0, -0.01)], UNIT) == [2, 3]
    assert outside([(640, 360), (641, 0)], (640, 360)) == [1]
