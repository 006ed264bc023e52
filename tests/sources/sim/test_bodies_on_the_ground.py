"""The judge of collisions is judged first."""

from __future__ import annotations

from edge_runtime.sources.sim.street import RoadUser
from tests.sources.sim.bodies_on_the_ground import overlapping


def car(number: int, x: float, y: float, heading: tuple[float, float] = (1.0, 0.0)) -> RoadUser:
    return RoadUser(number, "car", x, y, heading, 0.0, 4.0, 2.0, 1.5, 0, 0.0)


def test_bumper_to_bumper_does_not_overlap_and_an_inch_more_does() -> None:
    assert overlapping([car(1, 0.0, 0.0), car(2, 4.01, 0.0)]) == []
    assert len(overlapping([car(1, 0.0, 0.0), car(2, 3.98, 0.0)])) == 1


def test_a_turned_car_beside_another_overlaps_only_with_its_corner_in_it() -> None:
    slant = (0.8, 0.6)
    assert overlapping([car(1, 0.0, 0.0), car(2, 0.0, 3.1, slant)]) == []
    assert len(overlapping([car(1, 0.0, 0.0), car(2, 0.0, 2.7, slant)])) == 1
