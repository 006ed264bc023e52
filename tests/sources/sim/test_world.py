"""The street as it lives: the same from the same seed however it is looked at, in full life from the start, and never out of nowhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from edge_runtime.sources.sim.projection import Camera
from edge_runtime.sources.sim.scenes import SCENES
from edge_runtime.sources.sim.street import LABEL_OF, Moment, Polygon, RoadUser, View
from edge_runtime.sources.sim.world import World
from edge_runtime.types import Size

pytestmark = pytest.mark.heavy

SIZE = Size(1280, 720)


def test_how_often_it_is_looked_at_changes_nothing() -> None:
    often, rarely = World(SCENES["junction"], 4), World(SCENES["junction"], 4)
    for number in range(300):
        often.moment(number / 30)
    assert often.moment(10.0) == rarely.moment(10.0)


@pytest.mark.parametrize("scene", SCENES)
def test_a_seed_is_a_world_and_another_is_another(scene: str) -> None:
    first, again, other = (World(SCENES[scene], seed).moment(3.3) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_hashes_of_strings_do_not_matter() -> None:
    code = (
        "from edge_runtime.sources.sim.scenes import SCENES; from edge_runtime.sources.sim.world import World;"
        "m = World(SCENES['junction'], 5).moment(4.0); print([(u.id, u.kind, u.x_m.hex(), u.y_m.hex()) for u in m.users])"
    )
    answers = set()
    for hashing in ("1", "2"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, env={"PYTHONHASHSEED": hashing})
        answers.add(done.stdout)
    assert len(answers) == 1
    assert len(answers.pop()) > 500


def test_the_view_does_not_change_what_happens() -> None:
    turned = replace(SCENES["road"], view=View((0.0, -30.0, 12.0), 10.0, 30.0, 60.0))
    assert World(turned, 2).moment(2.0) == World(SCENES["road"], 2).moment(2.0)


def test_time_does_not_go_back() -> None:
    world = World(SCENES["road"], 1)
    world.moment(2.0)
    with pytest.raises(ValueError, match=r"past 1\.000 s"):
        world.moment(1.0)


@pytest.mark.parametrize(("scene", "least"), [("junction", 12), ("road", 5), ("footpath", 6)])
def test_the_street_is_in_full_life_when_time_begins(scene: str, least: int) -> None:
    """As many are in view at the start as later, over several seeds."""
    camera = Camera(SCENES[scene].view, SIZE)
    early, late = [], []
    for seed in range(6):
        world = World(SCENES[scene], seed)
        early.append(sum(shown(camera, world.moment(0.0).users)))
        late.append(sum(shown(camera, world.moment(45.0).users)))
    assert np.mean(early) > least
    assert np.mean(early) > 0.6 * np.mean(late)


def test_ids_count_from_one_and_are_never_used_again() -> None:
    world = World(SCENES["junction"], 3)
    kinds: dict[int, RoadUser] = {}
    gone: set[int] = set()
    present: set[int] = set()
    for number in range(600):
        users = world.moment(number * 0.2).users
        ids = {user.id for user in users}
        assert len(ids) == len(users)
        assert min(ids) >= 1
        assert not ids & gone
        gone |= present - ids
        present = ids
        for user in users:
            before = kinds.setdefault(user.id, user)
            assert (before.kind, before.style, before.length_m, before.width_m, before.height_m) == (
                user.kind, user.style, user.length_m, user.width_m, user.height_m,
            )  # fmt: skip
    assert len(gone) > 50


def test_every_kind_comes_with_its_own_measures() -> None:
    seen: dict[str, RoadUser] = {}
    for scene in ("junction", "road"):
        world = World(SCENES[scene], 6)
        for second in range(240):
            seen |= {user.kind: user for user in world.moment(float(second)).users}
    assert set(seen) == set(LABEL_OF)
    order = ["pedestrian", "bicycle", "motorcycle", "car", "van", "truck", "bus"]
    lengths = [seen[kind].length_m for kind in order]
    assert lengths == sorted(lengths)
    assert all(seen[kind].label == LABEL_OF[kind] for kind in order)


@pytest.mark.parametrize("scene", SCENES)
def test_nobody_appears_or_vanishes_in_sight(scene: str) -> None:
    ground = SCENES[scene]
    camera = Camera(ground.view, SIZE)
    world = World(ground, 2)
    before: Moment = world.moment(0.0)
    changes = 0
    for number in range(1, 700):
        now = world.moment(number * 0.2)
        ids_before, ids_now = {user.id for user in before.users}, {user.id for user in now.users}
        changed = [user for user in before.users if user.id not in ids_now] + [user for user in now.users if user.id not in ids_before]
        changes += len(changed)
        for user, seen in zip(changed, shown(camera, changed), strict=True):
            assert not seen or hidden(ground.buildings, ground.view.eye, user), f"{user.kind} at {user.x_m:.1f}, {user.y_m:.1f} at {now.time_s:.1f} s"
        before = now
    assert changes > 40


def shown(camera: Camera, users: Sequence[RoadUser]) -> list[bool]:
    """Whose box reaches into the picture."""
    boxes = camera.boxes(users)
    inside = (boxes[:, 0] < SIZE.width) & (boxes[:, 1] < SIZE.height) & (boxes[:, 2] > 0) & (boxes[:, 3] > 0) & (boxes[:, 2] > boxes[:, 0])
    return inside.tolist()


def hidden(buildings: Sequence[Polygon], eye: tuple[float, float, float], user: RoadUser) -> bool:
    """Whether a house stands between the eye and every corner of a footprint."""
    reach = user.length_m / 2
    places = [(user.x_m + dx * reach, user.y_m + dy * reach) for dx, dy in ((0.0, 0.0), user.heading, (-user.heading[0], -user.heading[1]))]
    return all(any(cuts(building, eye[:2], place) for building in buildings) for place in places)


def cuts(building: Polygon, eye: tuple[float, float], place: tuple[float, float]) -> bool:
    """Whether the sight line meets a wall."""

    def side(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
        return (b[0] - a[0]) * (c[1] - a[1]) > (b[1] - a[1]) * (c[0] - a[0])

    walls = zip(building, (*building[1:], building[0]), strict=True)
    return any(side(eye, place, a) != side(eye, place, b) and side(a, b, eye) != side(a, b, place) for a, b in walls)
