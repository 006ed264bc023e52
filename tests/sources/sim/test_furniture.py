"""Traffic lights: each kind of road user has lamps of its own, at its own height."""

from __future__ import annotations

import pytest

from edge_runtime.sources.sim.furniture import lamp_heights, signal
from edge_runtime.sources.sim.street import SignalHead

CARS = SignalHead("cars", (0.0, 0.0), (1.0, 0.0))
CYCLISTS = SignalHead("cyclists", (0.0, 0.0), (1.0, 0.0), for_cyclists=True)
WALKERS = SignalHead("walkers", (0.0, 0.0), (1.0, 0.0), for_walkers=True)


@pytest.mark.parametrize(
    ("head", "colors"),
    [(CARS, ["red", "amber", "green"]), (CYCLISTS, ["red", "amber", "green"]), (WALKERS, ["red", "green"])],
    ids=["cars", "cyclists", "walkers"],
)
def test_lamps_hang_from_red_to_green_on_their_pole(head: SignalHead, colors: list[str]) -> None:
    heights = lamp_heights(head)
    assert sorted(heights, key=lambda color: -heights[color]) == colors
    assert max(heights.values()) < signal(head).height_m


def test_lamps_of_cyclists_hang_below_those_of_cars() -> None:
    assert max(lamp_heights(CYCLISTS).values()) < min(lamp_heights(CARS).values())
    assert signal(CYCLISTS).height_m < signal(CARS).height_m
