"""How they move: nobody into anybody, nobody over a red light, nobody faster than could be, and never so that all stand for ever."""

from __future__ import annotations

import math
from collections import defaultdict
from random import Random

import pytest

from edge_runtime.sources.sim import junction
from edge_runtime.sources.sim.arrivals import exponential
from edge_runtime.sources.sim.scenes import SCENES
from edge_runtime.sources.sim.street import RoadUser
from edge_runtime.sources.sim.world import World
from tests.sources.sim.bodies_on_the_ground import overlapping

pytestmark = pytest.mark.heavy

STREETS = [("junction", 1, 1.0), ("junction", 2, 2.0), ("junction", 3, 3.0), ("road", 4, 2.0), ("footpath", 5, 2.0)]


@pytest.mark.parametrize(("scene", "seed", "density"), STREETS)
def test_bodies_never_overlap(scene: str, seed: int, density: float) -> None:
    world = World(SCENES[scene], seed, density)
    for number in range(500):
        moment = world.moment(number * 0.2)
        assert overlapping(moment.users) == [], f"at {moment.time_s:.1f} s"


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("seed", range(20))
def test_bodies_never_overlap_in_ten_minutes_nor_does_anybody_stand_for_ever(scene: str, seed: int) -> None:
    world = World(SCENES[scene], seed, 2.0)
    moved: dict[int, float] = {}
    for number in range(3000):
        moment = world.moment(number * 0.2)
        assert overlapping(moment.users) == []
        watch_for_gridlock(moment.time_s, moment.users, moved)


def watch_for_gridlock(time_s: float, users: tuple[RoadUser, ...], moved: dict[int, float]) -> None:
    """At double density a queue may need several cycles of the lights, but all of it moves up with each."""
    for user in users:
        if user.speed_mps > 0.1 or user.id not in moved:
            moved[user.id] = time_s
        assert time_s - moved[user.id] < 150.0, f"{user.kind} {user.id} stands at {user.x_m:.1f}, {user.y_m:.1f} since {moved[user.id]:.0f} s"


@pytest.mark.parametrize("seed", [11, 12])
def test_a_crowded_junction_does_not_come_to_a_standstill(seed: int) -> None:
    world = World(SCENES["junction"], seed, 2.0)
    moved: dict[int, float] = {}
    lately: set[int] = set()
    for number in range(1500):
        moment = world.moment(number * 0.2)
        watch_for_gridlock(moment.time_s, moment.users, moved)
        if number == 1200:
            lately = {user.id for user in moment.users}
    left = lately - {user.id for user in moment.users}
    assert len(left) > 20, "of those who were there a minute ago many have gone"


@pytest.mark.parametrize(("scene", "seed", "density"), STREETS[:2])
def test_motion_is_what_bodies_can_do(scene: str, seed: int, density: float) -> None:
    """Between two ticks nobody leaps, turns on the spot or changes its speed by more than brakes and legs allow."""
    world = World(SCENES[scene], seed, density)
    last: dict[int, RoadUser] = {}
    for number in range(1200):
        users = world.moment(number * 0.05).users
        for user in users:
            before = last.get(user.id)
            if before is None:
                continue
            step = math.hypot(user.x_m - before.x_m, user.y_m - before.y_m)
            sideways = 0.0 if user.kind != "pedestrian" else 0.6
            assert step <= (max(user.speed_mps, before.speed_mps) + sideways) * 0.05 * 1.1 + 0.01
            if user.kind != "pedestrian":
                assert -8.2 * 0.05 <= user.speed_mps - before.speed_mps <= 2.5 * 0.05
                assert user.heading[0] * before.heading[0] + user.heading[1] * before.heading[1] > math.cos(math.radians(5.0))
                assert user.travelled_m >= before.travelled_m - 1e-9
            assert math.hypot(*user.heading) == pytest.approx(1.0, abs=1e-9)
        last = {user.id: user for user in users}


def test_nobody_drives_over_a_red_light() -> None:
    """Fronts pass the eastern stop lines, the cyclists' and that of the others, on green or amber alone."""
    world = World(SCENES["junction"], 9, 1.5)
    fronts: dict[int, float] = {}
    passed = {"cycle-east": 0, "main-east": 0}
    for number in range(2400):
        moment = world.moment(number * 0.1)
        for user in moment.users:
            if user.kind == "pedestrian" or user.heading[0] > -0.99 or not 0.0 < user.y_m < junction.MAIN_M:
                continue
            front = user.x_m - user.length_m / 2
            light, line = ("cycle-east", junction.CYCLE_STOP_X) if user.kind == "bicycle" else ("main-east", junction.STOP_X)
            if fronts.get(user.id, -99.0) > line >= front:
                assert moment.signals[light] != "red", f"{user.kind} {user.id} at {moment.time_s:.1f} s"
                passed[light] += 1
            fronts[user.id] = front
    assert passed["main-east"] > 40 and passed["cycle-east"] > 5


def test_people_start_over_the_main_road_while_its_traffic_has_red() -> None:
    world = World(SCENES["junction"], 6, 1.5)
    ys: dict[int, float] = {}
    started = 0
    for number in range(1800):
        moment = world.moment(number * 0.2)
        for user in moment.users:
            if user.kind != "pedestrian" or not junction.ZEBRA_X[0] < user.x_m < junction.ZEBRA_X[1]:
                continue
            before = ys.get(user.id)
            kerb = junction.MAIN_M
            if before is not None and abs(before) >= kerb > abs(user.y_m):
                started += 1
                assert {moment.signals[f"{way}-{arm}"] for way in ("main", "cycle") for arm in ("east", "west")} == {"red"}
            ys[user.id] = user.y_m
    assert started > 15


def test_turning_cars_slow_down() -> None:
    world = World(SCENES["junction"], 8, 1.5)
    slant = [
        user.speed_mps
        for number in range(1500)
        for user in world.moment(number * 0.2).users
        if user.kind in ("car", "van") and abs(user.heading[0]) > 0.4 and abs(user.heading[1]) > 0.4
    ]
    assert len(slant) > 50
    assert max(slant) < 7.0


def test_larger_density_brings_more() -> None:
    counts = defaultdict(set)
    for density in (0.3, 1.0, 2.0):
        world = World(SCENES["road"], 5, density)
        for second in range(120):
            counts[density] |= {user.id for user in world.moment(float(second)).users}
    assert 2 * len(counts[0.3]) < len(counts[1.0])
    assert 1.5 * len(counts[1.0]) < len(counts[2.0])


def test_gaps_between_arrivals_are_exponential_without_a_logarithm() -> None:
    draw = Random(1)
    gaps = [exponential(draw, 2.0) for _ in range(40_000)]
    assert sum(gaps) / len(gaps) == pytest.approx(2.0 * (1 - math.exp(-4)), rel=0.02), "cut at four means"
    for over in (0.5, 2.0, 5.0):
        assert sum(gap > over for gap in gaps) / len(gaps) == pytest.approx(math.exp(-over / 2.0), abs=0.01)
