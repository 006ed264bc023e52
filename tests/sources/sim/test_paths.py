"""Ways: as long as they are, straight where they are straight, and smooth in their bends."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from edge_runtime.sources.sim.paths import Path, rounded
from edge_runtime.sources.sim.shapes import arc


def test_a_straight_way_is_followed_to_the_metre() -> None:
    path = Path(((0.0, 0.0), (30.0, 40.0)))
    assert path.length_m == pytest.approx(50.0, abs=0.51)
    assert path.at(12.3) == pytest.approx((0.6 * 12.3, 0.8 * 12.3), abs=1e-9)
    assert path.heading(20.0) == pytest.approx((0.6, 0.8), abs=1e-12)


def test_beyond_its_ends_a_way_goes_straight_on() -> None:
    path = Path(((0.0, 0.0), (10.0, 0.0)))
    assert path.at(-3.0) == pytest.approx((-3.0, 0.0))
    assert path.at(14.0) == pytest.approx((14.0, 0.0))


def test_a_bend_is_as_long_as_its_arc_and_turns_evenly() -> None:
    path = Path(((-20.0, -10.0), *arc((0.0, 0.0), 10.0, -90.0, 0.0, 16), (10.0, 20.0)))
    assert path.length_m == pytest.approx(40.0 + math.pi * 5, abs=0.6)
    turns = [path.heading(along / 4) for along in range(int(path.length_m) * 4)]
    cosines = [a[0] * b[0] + a[1] * b[1] for a, b in pairwise(turns)]
    assert min(cosines) > 0.998, "never more than four degrees within a quarter of a metre"
    assert all(math.hypot(*turn) == pytest.approx(1.0, abs=1e-12) for turn in turns)


def test_steps_along_a_way_have_their_length_on_the_ground() -> None:
    path = Path(rounded(((0.0, 0.0), (20.0, 0.0), (20.0, 20.0), (0.0, 25.0)), 4.0))
    places = [path.at(along / 2) for along in range(int(path.length_m * 2))]
    steps = [math.dist(a, b) for a, b in pairwise(places)]
    assert max(steps) < 0.51
    assert min(steps) > 0.45, "a chord of a bend is a little shorter than its arc"


def test_rounded_corners_stay_near_them_and_keep_both_ends() -> None:
    way = rounded(((0.0, 0.0), (10.0, 0.0), (10.0, 10.0)), 3.0)
    assert way[0] == (0.0, 0.0)
    assert way[-1] == (10.0, 10.0)
    assert min(math.dist(place, (10.0, 0.0)) for place in way) == pytest.approx(3.0 * math.sqrt(2) / 4, abs=0.05)


def test_the_nearest_place_is_found_to_half_a_metre() -> None:
    path = Path(((0.0, 0.0), (50.0, 0.0)))
    assert path.nearest((17.2, 3.0)) == pytest.approx(17.2, abs=0.26)
