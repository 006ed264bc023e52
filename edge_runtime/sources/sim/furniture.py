"""Trees, street lamps and traffic lights: what stands on the pavement and may hide a road user."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.canvas import FINE, Canvas
from edge_runtime.sources.sim.mesh import Clay, Mesh, Slot, bake
from edge_runtime.sources.sim.street import Point, Scene, SignalHead

LAMP_M, LAMP_ARM_M = 6.6, 1.1
HEAD_M = 3.35  # the middle lamp of a traffic light
_CROWN_M = 4.3  # its middle
_LEAF = ((48.0, 108.0, 84.0), (54.0, 122.0, 100.0), (50.0, 100.0, 92.0))


def crown_of(at: Point, seed: int) -> list[tuple[float, float, float, float]]:
    """The clumps of leaves of a tree: x, y, z of their middles and their radius, metres; low ones first."""
    draw = Random(seed)
    size = 0.85 + 0.35 * draw.random()
    clumps: list[tuple[float, float, float, float]] = []
    while len(clumps) < 46:
        x, y, z = (2 * draw.random() - 1 for _ in range(3))
        if 0.25 < x * x + y * y + z * z < 1.0:
            clumps.append(
                (at[0] + 1.75 * size * x, at[1] + 1.75 * size * y, _CROWN_M * size + 0.4 + 1.75 * size * z, (0.55 + 0.35 * draw.random()) * size)
            )
    clumps.append((at[0], at[1], _CROWN_M * size + 0.4, 1.45 * size))
    return sorted(clumps, key=lambda clump: clump[2])


def plant(canvas: Canvas, at: Point, seed: int, towards_sun: Sequence[float]) -> None:
    """Draw the crown of a tree: clumps from far to near, brighter towards the sun and upwards, with leaves dotted over them."""
    import cv2

    draw = Random(seed + 1)
    clumps = crown_of(at, seed)
    base = draw.choice(_LEAF)
    middle = np.array(clumps)[:, :3].mean(0)
    places, depths = canvas.places(np.array(clumps)[:, :3])
    if (depths < 1.0).any():
        return
    light = np.array(towards_sun)
    images: tuple[NDArray[Any], ...] = (canvas.albedo, canvas.glow, canvas.sun, canvas.depth)
    part = _around(canvas, places, depths)
    before = [image[part].copy() for image in images]
    canvas.depth[part] = 0
    for k in sorted(range(len(clumps)), key=lambda k: -round(float(depths[k]), 6)):
        clump = clumps[k]
        facing = float(((np.array(clump[:3]) - middle) * light).sum()) / 2.2
        per_m = canvas.camera.focal_px * FINE / float(depths[k])
        for leaf in range(14):
            turn_x, turn_y = draw.random() * 2 - 1, draw.random() * 2 - 1
            dx, dy = (0.0, 0.0) if leaf == 0 else (turn_x * clump[3] * 0.8, turn_y * clump[3] * 0.8)
            bright = max(0.74 + 0.30 * facing - 0.16 * dy / clump[3] + 0.24 * (draw.random() - 0.5) * (leaf > 0), 0.3)
            center = tuple(round((place + off * per_m - 0.5) * 16) for place, off in zip(places[k].tolist(), (dx, dy), strict=True))
            size = max((round(clump[3] * (1.0 if leaf == 0 else 0.34) * per_m * 16)), 8)
            color = tuple(float(min(255, round(level * bright))) for level in base)
            sun = round(255 * max(0.0, min(1.0, 0.45 + 0.45 * facing)))
            for image, value in zip(images, (color, (0, 0, 0), sun, float(1.0 / float(depths[k]))), strict=True):
                cv2.circle(image, center, size, value, -1, cv2.LINE_8, 4)
    hidden = before[-1] >= canvas.depth[part]
    for image, old in zip(images, before, strict=True):
        image[part][hidden] = old[hidden]


def _around(canvas: Canvas, places: NDArray[np.float64], depths: NDArray[np.float64]) -> tuple[slice, slice]:
    """The part of the canvas that a crown may touch."""
    room = canvas.camera.focal_px * FINE / float(depths.min()) * 2.2
    (left, top), (right, bottom) = np.floor(places.min(0) - room).astype(int).tolist(), np.ceil(places.max(0) + room).astype(int).tolist()
    return np.s_[min(max(top, 0), canvas.height) : max(bottom, 0), min(max(left, 0), canvas.width) : max(right, 0)]


def trunk() -> Mesh:
    """From the ground into the crown, in the middle of its grate."""
    clay = Clay()
    clay.tube((0.0, 0.0, 0.0), (0.03, 0.02, 3.4), (0.16, 0.11), Slot.LEGS, sides=7)
    clay.tube((0.03, 0.02, 2.6), (0.55, 0.25, 3.9), (0.08, 0.05), Slot.LEGS, sides=5)
    clay.tube((0.03, 0.02, 2.5), (-0.5, -0.3, 3.8), (0.08, 0.05), Slot.LEGS, sides=5)
    return bake([clay], (1.0, 1.0, 4.0))


def lamp_arm(scene: Scene, at: Point) -> Point:
    """The way that a lamp's arm points: towards the nearest middle of a road, or of a path where there is none."""
    best, arm = 1e18, (0.0, -1.0)
    for polygon in scene.carriageways or scene.cycleways:
        xs, ys = [x for x, _ in polygon], [y for _, y in polygon]
        x, y = min(max(at[0], min(xs)), max(xs)), min(max(at[1], min(ys)), max(ys))
        apart = (x - at[0]) ** 2 + (y - at[1]) ** 2
        if 0.0 < apart < best:
            best = apart
            arm = (1.0 if x > at[0] else -1.0, 0.0) if abs(x - at[0]) > abs(y - at[1]) else (0.0, 1.0 if y > at[1] else -1.0)
    return arm


def lamp() -> Mesh:
    """A street lamp whose arm points along x."""
    clay = Clay()
    clay.tube((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.10, 0.09), Slot.METAL, sides=8)
    clay.tube((0.0, 0.0, 1.0), (0.0, 0.0, LAMP_M - 0.3), (0.065, 0.045), Slot.METAL, sides=6)
    clay.tube((0.0, 0.0, LAMP_M - 0.32), (LAMP_ARM_M, 0.0, LAMP_M + 0.02), (0.04, 0.035), Slot.METAL, sides=5)
    clay.box((LAMP_ARM_M - 0.1, -0.13, LAMP_M - 0.06), (LAMP_ARM_M + 0.55, 0.13, LAMP_M + 0.06), Slot.METAL, taper=0.8)
    clay.box((LAMP_ARM_M - 0.05, -0.11, LAMP_M - 0.10), (LAMP_ARM_M + 0.50, 0.11, LAMP_M - 0.058), Slot.SIGN)
    return bake([clay], (1.0, 1.0, LAMP_M))


def lamp_heights(head: SignalHead) -> dict[str, float]:
    """How high the middle of each of its lamps is, by colour; people on foot have no amber."""
    colors = ("red", "green") if head.for_walkers else ("red", "amber", "green")
    middle, step = (2.55, 0.25) if _small(head) else (HEAD_M, 0.34)
    return {color: middle + ((len(colors) - 1) / 2 - k) * step for k, color in enumerate(colors)}


def _small(head: SignalHead) -> bool:
    return head.for_walkers or head.for_cyclists


def signal(head: SignalHead) -> Mesh:
    """A traffic light that faces along x: red, amber and green are the slots TAIL, LEFT and RIGHT."""
    clay = Clay()
    size = 0.72 if _small(head) else 1.0
    slots = {"red": Slot.TAIL, "amber": Slot.LEFT, "green": Slot.RIGHT}
    heights = lamp_heights(head)
    low, high = min(heights.values()) - 0.20 * size, max(heights.values()) + 0.20 * size
    clay.tube((0.0, 0.0, 0.0), (0.0, 0.0, high), (0.07, 0.055), Slot.METAL, sides=7)
    clay.box((0.02, -0.19 * size, low), (0.22, 0.19 * size, high), Slot.DARK)
    if not _small(head):
        clay.box((0.0, -0.31, low - 0.10), (0.02, 0.31, high + 0.10), Slot.SHOES)
    for color, z in heights.items():
        ring = [(0.23, 0.125 * size * y, z + 0.125 * size * up) for y, up in _OCTAGON]
        for j in range(1, 7, 2):
            clay.quad([ring[0], *ring[j : j + 3]], slots[color])
        clay.box((0.22, -0.15 * size, z + 0.125 * size), (0.38, 0.15 * size, z + 0.15 * size), Slot.DARK)
    return bake([clay], (1.0, 1.0, high))


_OCTAGON = ((1.0, -0.41), (1.0, 0.41), (0.41, 1.0), (-0.41, 1.0), (-1.0, 0.41), (-1.0, -0.41), (-0.41, -1.0), (0.41, -1.0))
