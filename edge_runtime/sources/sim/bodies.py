"""Bodies of road users: which mesh stands for whom, and where its corners are at a moment.

A mesh is convex quads (a triangle repeats a corner) in metres, drawn once per kind and variant and kept. A body that moves within itself, like a
walker or the legs of a cyclist, is kept in `POSES` poses of one cycle.

            z ▲                       the mesh's own axes: x ahead, y to the left, z up; the origin is on the ground, in the middle of
              │  ▁▂▃▃▂▁               the footprint. `place` stretches it to the user's length, width and height, turns it along the
        ──────┼─(o)──(o)──► x         heading and puts it on the ground.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.bodies_riders import BICYCLES, MOTORCYCLES
from edge_runtime.sources.sim.bodies_trucks import TRUCKS
from edge_runtime.sources.sim.bodies_vehicles import BUSES, CARS, VANS
from edge_runtime.sources.sim.bodies_walkers import PEDESTRIANS
from edge_runtime.sources.sim.mesh import Mesh
from edge_runtime.sources.sim.street import RoadUser

_LEAN = 0.35  # sideways per metre of height at a full lean
VARIANTS: Mapping[str, Sequence[Callable[[], Mesh]]] = {
    "car": CARS,
    "van": VANS,
    "bus": BUSES,
    "truck": TRUCKS,
    "motorcycle": MOTORCYCLES,
    "bicycle": BICYCLES,
    "pedestrian": PEDESTRIANS,
}


class Placed(NamedTuple):
    """The corners of several bodies in one array: those of user k are points[starts[k] : starts[k + 1]], in metres on the ground."""

    points: NDArray[np.float64]  # [V, 3]
    starts: NDArray[np.int64]  # [N]
    meshes: tuple[Mesh, ...]  # N


def draw(style: int, what: int, among: int) -> int:
    """A number below `among` that a style settles for one `what`: splitmix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    mixed = (style * 0x9E3779B97F4A7C15 + what * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019) & 0xFFFFFFFFFFFFFFFF
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return (mixed ^ (mixed >> 31)) % among


def body_of(user: RoadUser) -> Mesh:
    """The mesh that stands for a user. Raises KeyError for a kind that `LABEL_OF` does not know."""
    return _body(user.kind, draw(user.style, 0, len(VARIANTS[user.kind])))


@cache  # bounded: kinds × variants
def _body(kind: str, variant: int) -> Mesh:
    return VARIANTS[kind][variant]()


def place(users: Sequence[RoadUser]) -> Placed:
    """Where the corners of each user's body are; at least one user."""
    meshes = tuple(body_of(user) for user in users)
    own = np.concatenate([mesh.pose(user.travelled_m) for mesh, user in zip(meshes, users, strict=True)])
    counts = np.array([mesh.poses.shape[1] for mesh in meshes])
    rows = np.array([_row(user, mesh) for user, mesh in zip(users, meshes, strict=True)])
    long, wide, high, ahead_x, ahead_y, at_x, at_y, lean = np.repeat(rows, counts, axis=0).T
    ahead, up = long * own[:, 0], high * own[:, 2]
    left = wide * own[:, 1] + lean * up
    points = np.stack([at_x + ahead_x * ahead - ahead_y * left, at_y + ahead_y * ahead + ahead_x * left, up], axis=1)
    return Placed(points, np.cumsum(counts) - counts, meshes)


def _row(user: RoadUser, mesh: Mesh) -> tuple[float, ...]:
    high = user.height_m / mesh.height_m
    long, wide = (high, high) if mesh.grows_evenly else (user.length_m / mesh.length_m, user.width_m / mesh.width_m)
    return (long, wide, high, *user.heading, user.x_m, user.y_m, user.lean * _LEAN)
