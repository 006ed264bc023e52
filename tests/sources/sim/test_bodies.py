"""Bodies: closed skins of their natural size, the same for the same style, moving within themselves."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_runtime.sources.sim.bodies import VARIANTS, body_of, draw, place
from edge_runtime.sources.sim.mesh import POSES, Clay, Slot, bake
from edge_runtime.sources.sim.projection import Camera
from edge_runtime.sources.sim.stage import Cast, Figure
from edge_runtime.sources.sim.street import LABEL_OF, View
from edge_runtime.sources.sim.weather import WEATHERS
from edge_runtime.types import Size
from tests.sources.sim.test_projection import MEASURES, user

pytestmark = pytest.mark.heavy

EVERY = [(kind, variant) for kind, among in VARIANTS.items() for variant in range(len(among))]


def test_variants_cover_every_kind() -> None:
    assert VARIANTS.keys() == LABEL_OF.keys()


@pytest.mark.parametrize(("kind", "variant"), EVERY)
def test_mesh_has_its_natural_size_and_sound_faces(kind: str, variant: int) -> None:
    mesh = VARIANTS[kind][variant]()
    assert mesh.faces.min() >= 0 and mesh.faces.max() < mesh.poses.shape[1]
    assert len(mesh.faces) == len(mesh.slots) == len(mesh.shades) <= 500
    assert set(mesh.slots.tolist()) <= set(Slot)
    low, high = mesh.poses.min((0, 1)), mesh.poses.max((0, 1))
    assert -0.05 <= low[2] <= 0.0
    assert high[2] == pytest.approx(mesh.height_m, abs=0.06)
    if kind != "pedestrian":  # whose legs swing beyond a footprint
        assert high[0] - low[0] == pytest.approx(mesh.length_m, abs=0.2)
    assert (abs(mesh.poses[:, :, 1]).max() * 2) == pytest.approx(mesh.width_m, abs=0.45)  # mirrors, handlebars and elbows stand out


@pytest.mark.parametrize(("kind", "variant"), EVERY)
def test_mesh_has_no_part_inside_out(kind: str, variant: int) -> None:
    """Every part that encloses a volume has its faces around it, whichever pose."""
    mesh = VARIANTS[kind][variant]()
    for pose in mesh.poses[:: POSES // 4]:
        quads = pose[mesh.faces]
        normals = np.cross(quads[:, 2] - quads[:, 0], quads[:, 3] - quads[:, 1])
        for part in _parts(mesh.faces):
            spread = quads[part].reshape(-1, 3) - quads[part].mean((0, 1))
            if len(part) > 4 and np.linalg.svd(spread, compute_uv=False)[2] > 1e-3:  # neither a pane nor flat
                assert ((quads[part].mean(1) - quads[part].mean((0, 1))) * normals[part]).sum() > 0


def _parts(faces: NDArray[np.int32]) -> list[list[int]]:
    """Faces that hang together by their corners."""
    parts: list[tuple[set[int], list[int]]] = []
    for f, corners in enumerate(faces.tolist()):
        touching = [part for part in parts if part[0] & set(corners)]
        parts = [part for part in parts if not part[0] & set(corners)]
        parts.append((set(corners).union(*(part[0] for part in touching)), [f, *(g for part in touching for g in part[1])]))
    return [members for _, members in parts]


@pytest.mark.parametrize(("kind", "variant"), EVERY)
def test_mesh_is_a_closed_skin(kind: str, variant: int) -> None:
    """The faces that look at the camera have nearly the same outline as those that look away; wheels and rims are open on their hidden side."""
    mesh = VARIANTS[kind][variant]()
    cast = Cast(Camera(View((0.0, -18.0, 7.0), 0.0, 20.0, 45.0), Size(480, 270)), WEATHERS["day"])
    for turn in (0.0, 50.0, 140.0, 250.0):
        outlines = []
        for faces in (mesh.faces, np.ascontiguousarray(mesh.faces[:, ::-1])):
            depth = np.zeros((270, 480), np.float32)
            figure = Figure(mesh._replace(faces=faces), _turned(mesh.poses[0], turn), np.zeros((len(Slot), 4), np.float32), 1)
            cast.show([figure], np.zeros((270, 480, 3), np.uint8), depth, (0.0, 0.0))
            outlines.append(depth > 0)
        front, back = outlines
        assert (front & back).sum() > 0.9 * (front | back).sum() > 0


def _turned(points: NDArray[np.float64], turn_deg: float) -> NDArray[np.float64]:
    c, s = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
    return points @ np.array([(c, s, 0.0), (-s, c, 0.0), (0.0, 0.0, 1.0)])


def test_place_stretches_turns_and_moves() -> None:
    who = replace(user("car", (10.0, -4.0), 90.0), length_m=5.0, width_m=2.0, height_m=1.6)
    points = place((who,)).points
    assert np.ptp(points[:, 1]) == pytest.approx(5.0, abs=0.05)  # it points north
    assert np.ptp(points[:, 0]) == pytest.approx(2.2, abs=0.1)  # with its mirrors
    assert points[:, 2].max() == pytest.approx(1.6)
    np.testing.assert_allclose((points.min(0) + points.max(0))[:2] / 2, (10.0, -4.0), atol=0.05)


def test_place_of_several_equals_each_alone() -> None:
    users = [user(kind, (3.0 * k, k), 20.0 * k, style=k) for k, kind in enumerate(MEASURES)]
    placed = place(users)
    for k, part in enumerate(np.split(placed.points, placed.starts[1:])):
        np.testing.assert_array_equal(part, place(users[k : k + 1]).points)


@pytest.mark.parametrize("kind", ["pedestrian", "bicycle"])
def test_poses_go_round_once_a_cycle(kind: str) -> None:
    mesh = body_of(user(kind, (0.0, 0.0)))
    assert len(mesh.poses) == POSES
    np.testing.assert_array_equal(mesh.pose(0.01), mesh.pose(0.01 + mesh.cycle_m))
    assert np.abs(mesh.pose(0.01) - mesh.pose(0.01 + mesh.cycle_m / 2)).max() > 0.2
    steps = np.abs(np.diff(np.concatenate([mesh.poses, mesh.poses[:1]]), axis=0)).max((1, 2))
    assert steps.max() < 0.25  # legs do not jump


def test_lean_moves_the_head_to_the_left() -> None:
    upright, leaning = user("motorcycle", (0.0, 0.0)), replace(user("motorcycle", (0.0, 0.0)), lean=1.0)
    moved = place((leaning,)).points - place((upright,)).points
    assert moved[:, 1].max() > 0.4 and moved[:, 1].min() >= -0.01
    np.testing.assert_array_equal(moved[:, 2], 0)


@given(st.integers(0, 2**62), st.integers(0, 5000), st.integers(1, 50))
def test_draw_is_below_and_repeats(style: int, what: int, among: int) -> None:
    first = draw(style, what, among)
    assert 0 <= first < among
    assert draw(style, what, among) == first


def test_draw_spreads_styles_over_variants() -> None:
    counts = np.bincount([draw(style, 0, 4) for style in range(4000)], minlength=4)
    assert counts.min() > 900


def test_box_is_closed() -> None:
    clay = Clay()
    clay.box((0, 0, 0), (1, 2, 3), Slot.PAINT)
    mesh = bake([clay], (1, 2, 3))
    assert mesh.poses.shape == (1, 8, 3)
    quads = mesh.poses[0][mesh.faces]
    np.testing.assert_allclose(np.cross(quads[:, 2] - quads[:, 0], quads[:, 3] - quads[:, 1]).sum(0), 0, atol=1e-12)
