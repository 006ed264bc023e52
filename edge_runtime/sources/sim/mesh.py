"""Building blocks of bodies: convex quads that are joined to boxes, tubes, wheels and lofts.

A face names a `Slot` of the palette instead of a colour, so that one mesh serves every livery. Corners go round counter-clockwise, seen from
outside.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_OUTLINE = 0.96  # of a body's surface casts its shadow
POSES = 24  # of one cycle of a body that moves within itself

Corner = tuple[float, float, float]
Ring = Sequence[Corner]


class Slot(IntEnum):
    """What a face is made of; the palette of a user says which colour that is."""

    PAINT = 0
    SECOND = 1  # the second colour of a livery; a bag
    GLASS = 2
    DARK = 3  # tyres, grilles, seals
    METAL = 4  # rims, bumpers, frames
    HEAD = 5  # headlights
    TAIL = 6  # tail lights, brighter when braking
    LEFT = 7  # indicators
    RIGHT = 8
    SKIN = 9
    HAIR = 10  # or a helmet
    TOP = 11
    LEGS = 12
    SHOES = 13
    PLATE = 14
    SIGN = 15  # the destination of a bus


class Mesh(NamedTuple):
    """A body: corners in each pose, and the faces between them."""

    poses: NDArray[np.float64]  # [P, V, 3] metres
    faces: NDArray[np.int32]  # [F, 4] corners
    slots: NDArray[np.uint8]  # [F]
    shades: NDArray[np.float32]  # [F] how much light reaches a face that lies deep, 0 to 1
    outline: NDArray[np.int32]  # [G, 4] the faces that matter for a shadow
    length_m: float
    width_m: float
    height_m: float
    cycle_m: float  # travelled in one cycle of poses
    grows_evenly: bool = False  # by height alone, as people do

    def pose(self, travelled_m: float) -> NDArray[np.float64]:
        """[V, 3] the corners after so many metres."""
        count = len(self.poses)
        pose: NDArray[np.float64] = self.poses[int(travelled_m / self.cycle_m * count) % count]
        return pose


class Clay:
    """A mesh in the making, in one pose."""

    def __init__(self) -> None:
        self.corners: list[Corner] = []
        self.faces: list[tuple[int, int, int, int]] = []
        self.slots: list[int] = []
        self.shades: list[float] = []

    def quad(self, ring: Ring, slot: Slot, shade: float = 1.0) -> None:
        """One face of three or four corners."""
        first = len(self.corners)
        self.corners.extend(ring)
        self.faces.append((first, first + 1, first + 2, first + len(ring) - 1))
        self.slots.append(int(slot))
        self.shades.append(shade)

    def decal(self, ring: Ring, part: tuple[float, float, float, float], slot: Slot, lift_m: float = 0.012) -> None:
        """A part (u0, u1, v0, v1) of the quad `ring`, lifted a little off it: a window in a wall. u runs from corner 0 to 1, v from 0 to 3."""
        a, b, c, d = (np.array(corner) for corner in ring)
        normal = np.cross(c - a, d - b)
        off = normal / max(float(np.sqrt((normal * normal).sum())), 1e-9) * lift_m
        u0, u1, v0, v1 = part
        places = ((u0, v0), (u1, v0), (u1, v1), (u0, v1))
        spots = [(a * (1 - u) + b * u) * (1 - v) + (d * (1 - u) + c * u) * v + off for u, v in places]
        self.quad([(float(x), float(y), float(z)) for x, y, z in spots], slot)

    def loft(self, rings: Sequence[Ring], slots: Sequence[Slot], *, caps: tuple[Slot | None, Slot | None] = (None, None), shade: float = 1.0) -> None:
        """A skin over rings of equally many corners. Each ring goes round counter-clockwise seen from beyond the last ring."""
        around = len(rings[0])
        for low, high in itertools.pairwise(rings):
            for k in range(around):
                after = (k + 1) % around
                self.quad([low[k], low[after], high[after], high[k]], slots[k % len(slots)], shade)
        for ring, cap, turn in ((rings[0], caps[0], -1), (rings[-1], caps[1], 1)):
            if cap is not None:
                self._lid(list(ring)[::turn], cap, shade)

    def _lid(self, ring: list[Corner], slot: Slot, shade: float) -> None:
        for k in range(1, len(ring) - 1, 2):  # a fan of quads
            self.quad([ring[0], *ring[k : k + 3]], slot, shade)

    def box(self, low: Corner, high: Corner, slot: Slot, *, shade: float = 1.0, taper: float = 1.0) -> None:
        """A box from its lowest to its highest corner; its top is `taper` times as large as its foot."""
        (x0, y0, z0), (x1, y1, z1) = low, high
        mx, my, hx, hy = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2 * taper, (y1 - y0) / 2 * taper
        foot = [(x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0)]
        top = [(mx - hx, my - hy, z1), (mx + hx, my - hy, z1), (mx + hx, my + hy, z1), (mx - hx, my + hy, z1)]
        self.loft([foot, top], [slot], caps=(slot, slot), shade=shade)

    def tube(self, start: Corner, end: Corner, radii: tuple[float, float], slot: Slot, *, sides: int = 5) -> None:
        """A tapered limb, bar or pole from one point to another."""
        a, b = np.array(start), np.array(end)
        axis = (b - a) / max(float(np.sqrt(((b - a) ** 2).sum())), 1e-9)
        aside = np.array((0.0, 1.0, 0.0)) if abs(axis[1]) < 0.9 else np.array((1.0, 0.0, 0.0))
        across = np.cross(axis, aside)
        across /= np.sqrt((across * across).sum())
        other = np.cross(axis, across)
        rings = []
        for middle, radius in ((a, radii[0]), (b, radii[1])):
            spots = [middle + radius * (across * c + other * s) for c, s in _circle(sides)]
            rings.append([(float(x), float(y), float(z)) for x, y, z in spots])
        self.loft(rings, [slot], caps=(slot, slot))

    def wheel(self, hub: Corner, radius: float, width: float, *, outer: int = 0, sides: int = 12) -> None:
        """A tyre across y, with a rim on its outer side (1: left, -1: right) or, outside of any body, on both."""
        x, y, z = hub
        spots = [(x + radius * c, z + radius * s) for c, s in _circle(sides)]
        rings = [[(sx, y + side * width / 2, sz) for sx, sz in spots] for side in (1, -1)]
        dark = (Slot.DARK if outer >= 0 else None, Slot.DARK if outer <= 0 else None)
        self.loft(rings, [Slot.DARK], caps=dark)
        for side in (1, -1):
            if outer in (0, side):
                self.disc((x, y + side * (width / 2 + 0.008), z), 0.62 * radius, side, Slot.METAL, 0.9)

    def disc(self, middle: Corner, radius: float, side: int, slot: Slot, shade: float = 1.0) -> None:
        """A flat disc that is seen from the left (side 1) or from the right (-1)."""
        x, y, z = middle
        ring = [(x + radius * c, y, z + radius * s) for c, s in _circle(8 if radius < 0.35 else 12)]
        self._lid(ring[::-1] if side > 0 else ring, slot, shade)

    def blob(self, middle: Corner, radii: Corner, slot: Slot, *, sides: int = 6) -> None:
        """An ellipsoid of few faces: a head, a helmet."""
        (x, y, z), (rx, ry, rz) = middle, radii
        rings = [
            [(x + rx * r * c, y + ry * r * s, z + rz * h) for c, s in _circle(sides)]
            for h, r in ((-1.0, 0.45), (-0.5, 0.87), (0.35, 0.94), (1.0, 0.4))
        ]
        self.loft(rings, [slot], caps=(slot, slot))


def _circle(sides: int) -> list[tuple[float, float]]:
    turns = [2 * math.pi * (k + 0.5) / sides for k in range(sides)]
    return [(round(math.cos(turn), 9), round(math.sin(turn), 9)) for turn in turns]


def bake(poses: Sequence[Clay], size: Corner, *, cycle_m: float = 1.0, grows_evenly: bool = False) -> Mesh:
    """Clay in every pose -> a mesh whose natural size is `size`. All poses have the same faces."""
    first = poses[0]
    corners = np.round(np.array([clay.corners for clay in poses]), 6)
    rows = np.ascontiguousarray(corners.transpose(1, 0, 2)).reshape(corners.shape[1], -1)
    _, kept, place = np.unique(rows, axis=0, return_index=True, return_inverse=True)  # corners that faces share
    faces = place.reshape(-1)[np.array(first.faces)].astype(np.int32)
    return Mesh(
        np.ascontiguousarray(corners[:, kept]),
        faces,
        np.array(first.slots, np.uint8),
        np.array(first.shades, np.float32),
        faces[_largest(corners[0][np.array(first.faces)])],
        *size,
        cycle_m,
        grows_evenly,
    )


def _largest(quads: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which of the quads [F, 4, 3] make up nearly all of the surface."""
    across = np.cross(quads[:, 2] - quads[:, 0], quads[:, 3] - quads[:, 1])
    areas = np.round(np.sqrt((across * across).sum(axis=1)), 9)
    order = np.argsort(-areas, kind="stable")
    return np.sort(order[: int(np.searchsorted(np.cumsum(areas[order]), _OUTLINE * areas.sum())) + 1])
