"""The scenes' own lines and zones are worth counting at: large bodies, both directions, and nobody who stands on a line."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from edge_runtime.sources.sim.projection import Camera
from edge_runtime.sources.sim.scenes import SCENES
from edge_runtime.sources.sim.street import GROUP_OF
from edge_runtime.sources.sim.truth import TruthLog
from edge_runtime.sources.sim.world import TICK_S, World
from edge_runtime.types import Size

pytestmark = pytest.mark.heavy

SIZE = Size(1280, 720)
GROUPS = {  # who passes a line, at least
    ("junction", "main-road"): {"vehicles", "two-wheelers"},
    ("junction", "side-road"): {"vehicles", "two-wheelers"},
    ("junction", "zebra"): {"pedestrians"},
    ("junction", "pavement"): {"pedestrians"},
    ("road", "road"): {"vehicles", "two-wheelers"},
    ("road", "pavement"): {"pedestrians"},
    ("footpath", "promenade"): {"pedestrians", "two-wheelers"},
    ("footpath", "square"): {"pedestrians"},
}


@pytest.mark.parametrize("scene", SCENES)
def test_rules_lie_within_the_picture_and_have_their_words(scene: str) -> None:
    ground = SCENES[scene]
    places = [place for line in ground.lines for place in line.points] + [place for zone in ground.zones for place in zone.polygon]
    assert all(0.0 < x < 1.0 and 0.0 < y < 1.0 for x, y in places)
    assert all(line.forward != line.backward for line in ground.lines)
    assert len({line.name for line in ground.lines}) == len(ground.lines) >= 2
    assert ground.zones


@pytest.mark.parametrize("scene", SCENES)
def test_lines_are_passed_both_ways_by_whom_they_are_for_and_once_each(scene: str) -> None:
    ground = SCENES[scene]
    log = TruthLog(ground.view, SIZE, ground.lines, ground.zones)
    world = World(ground, 31)
    for number in range(round(150 / TICK_S)):
        log.watch(world.moment(number * TICK_S))
    for line in ground.lines:
        passed = [crossing for crossing in log.crossings if crossing.line == line.name]
        groups = GROUPS[scene, line.name]
        ways = {(crossing.direction, GROUP_OF[crossing.label]) for crossing in passed}
        assert ways == {(way, group) for way in ("forward", "backward") for group in groups}
        assert len({crossing.id for crossing in passed}) == len(passed)
    assert log.crossings[0].time_s < 10.0, "a table shows its first count within seconds"
    assert {stay.zone for stay in log.stays} == {zone.name for zone in ground.zones}


@pytest.mark.parametrize("scene", SCENES)
def test_who_passes_a_line_is_large_and_who_stands_keeps_away_from_it(scene: str) -> None:
    ground = SCENES[scene]
    camera = Camera(ground.view, SIZE)
    world = World(ground, 32)
    before: dict[tuple[str, int], float] = {}
    heights = defaultdict(list)
    widths = defaultdict(list)
    standing = passing = 0
    for number in range(600):
        users = world.moment(number * 0.2).users
        boxes = camera.boxes(users)
        seen = boxes[:, 2] > boxes[:, 0]
        for line in ground.lines:
            first, second = (np.array(point) * SIZE for point in line.points)
            length = float(np.hypot(*(second - first)))
            along_unit = (second - first) / length
            away = (boxes[:, :2] + boxes[:, 2:]) / 2 - first
            depth, along = away @ np.array([-along_unit[1], along_unit[0]]), away @ along_unit
            for user, box, deep, place, visible in zip(users, boxes, depth.tolist(), along.tolist(), seen.tolist(), strict=True):
                if not visible or not 0.0 <= place <= length:
                    before.pop((line.name, user.id), None)
                    continue
                last = before.get((line.name, user.id))
                before[line.name, user.id] = deep
                if last is not None and last * deep < 0.0:
                    passing += 1
                    widths[user.label].append(box[2] - box[0])
                    heights[user.label].append(box[3] - box[1])
                if user.speed_mps < 0.2 and user.kind != "pedestrian" and abs(deep) < 12.0:
                    standing += 1
    assert passing > 30
    assert standing == 0
    assert min(widths.get("car", [99.0])) >= 40.0
    assert min(heights.get("person", [99.0])) >= 40.0
