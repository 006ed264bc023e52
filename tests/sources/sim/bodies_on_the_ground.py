"""Footprints of road users as rectangles, and whether any two of them overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.street import RoadUser


def corners(user: RoadUser) -> NDArray[np.float64]:
    """[4, 2] metres."""
    hx, hy = user.heading
    ahead, left = np.array([hx, hy]) * user.length_m / 2, np.array([-hy, hx]) * user.width_m / 2
    middle = np.array([user.x_m, user.y_m])
    return np.array([middle + ahead + left, middle + ahead - left, middle - ahead - left, middle - ahead + left])


def overlap(a: RoadUser, b: RoadUser) -> bool:
    """By the separating axis theorem: convex shapes are apart when an edge of one of them has them on different sides."""
    first, second = corners(a), corners(b)
    for shape in (first, second):
        for axis in (shape[1] - shape[0], shape[2] - shape[1]):
            p, q = first @ axis, second @ axis
            if p.max() <= q.min() or q.max() <= p.min():
                return False
    return True


def overlapping(users: Sequence[RoadUser]) -> list[tuple[RoadUser, RoadUser]]:
    """All pairs that stand in one another."""
    places = np.array([(user.x_m, user.y_m) for user in users])
    reach = np.array([np.hypot(user.length_m, user.width_m) / 2 for user in users])
    near = np.hypot(*(places[:, None] - places[None]).T) < reach[:, None] + reach[None]
    pairs = np.argwhere(np.triu(near, 1)).tolist()
    return [(users[i], users[j]) for i, j in pairs if overlap(users[i], users[j])]
