"""The lights' programme: nobody who could meet has green together, and people have the time that they need."""

from __future__ import annotations

from edge_runtime.sources.sim import junction
from edge_runtime.sources.sim.fleet import BREEDS
from edge_runtime.sources.sim.signals import JUNCTION, Phase, Programme


def test_main_and_side_road_never_move_together() -> None:
    for tenth in range(round(JUNCTION.cycle_s * 10)):
        colors = JUNCTION.colors(tenth / 10)
        assert "red" in (colors["main-east"], colors["side-north"]) and "red" in (colors["cycle-east"], colors["side-north"])
        if colors["walk-east-n"] == "green":
            assert {colors[f"{way}-{arm}"] for way in ("main", "cycle") for arm in ("east", "west")} == {"red"}
        if colors["walk-south-e"] == "green":
            assert colors["side-north"] == colors["side-south"] == "red"


def test_the_slowest_is_across_before_traffic_has_green() -> None:
    slowest = BREEDS["pedestrian"].pace[0]
    tenths = range(round(JUNCTION.cycle_s * 20))
    ways = (("walk-east-n", "cycle-east", 2 * junction.MAIN_M), ("walk-south-e", "side-south", 2 * junction.SIDE_M))
    for walk, road, width in ways:
        last = max(tenth for tenth in tenths[: round(JUNCTION.cycle_s * 10)] if JUNCTION.colors(tenth / 10)[walk] == "green")
        green = next(tenth for tenth in tenths if tenth > last and JUNCTION.colors(tenth / 10)[road] == "green")
        assert (green - last) / 10 >= width / slowest


def test_amber_stands_between_green_and_red_and_the_cycle_repeats() -> None:
    lights = Programme(20.0, {"a": Phase((2.0, 8.0), 3.0)})
    shown = [lights.colors(second + 0.5)["a"] for second in range(20)]
    assert shown == ["red"] * 2 + ["green"] * 6 + ["amber"] * 3 + ["red"] * 9
    assert lights.colors(20 * 7 + 2.5) == lights.colors(2.5)


def test_every_head_of_the_scene_has_its_phase() -> None:
    assert {head.name for head in junction.SCENE.signals} == set(JUNCTION.phases)
