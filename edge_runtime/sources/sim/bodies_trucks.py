"""Trucks: a cab, and behind it a box, an open bed with crates, or a tipper with its heap."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from edge_runtime.sources.sim.coachwork import axles, extruded, facing, lamps, mirrored, plates, slope, wall
from edge_runtime.sources.sim.mesh import Clay, Mesh, Slot, bake


def _truck(load: str) -> Mesh:
    clay = Clay()
    half, long = 1.25, 4.25
    cab = [(2.20, 0.55), (2.20, 2.45), (2.35, 2.62), (3.85, 2.62), (4.08, 2.40), (4.25, 1.55), (4.25, 0.55)]
    extruded(clay, cab, half * 0.96, 0.95)
    front = slope(cab, 4, 5, half * 0.96, 0.93)
    clay.decal(front, (0.04, 0.96, 0.02, 0.92), Slot.GLASS, 0.03)
    for side in (1, -1):
        clay.decal(wall(side, (2.20, 4.25), (0.55, 2.62), half * 0.96), mirrored(0.28, 0.84, 0.50, 0.84, side), Slot.GLASS, 0.02)
        clay.box((3.95, side * (half + 0.08) - 0.09, 1.65), (4.10, side * (half + 0.08) + 0.09, 2.2), Slot.DARK)
    facing(clay, 4.27, (-half * 0.70, half * 0.70), (0.98, 1.42), Slot.DARK)
    facing(clay, 4.29, (-half * 0.95, half * 0.95), (0.45, 0.85), Slot.METAL)
    clay.box((-long + 0.05, -0.50, 0.62), (2.6, 0.50, 0.95), Slot.DARK, shade=0.6)
    high = {"box": _box_load, "bed": _bed_load, "tipper": _tipper_load}[load](clay, half, long)
    facing(clay, -long + 0.02, (-half * 0.9, half * 0.9), (0.50, 0.66), Slot.METAL, ahead=False)
    lamps(clay, (4.29, -long + 0.02), half * 0.96, (0.60, 0.82), (0.68, 0.92))
    plates(clay, 4.30, -long)
    axles(clay, (3.05, -2.20), half - 0.15, 0.48, 0.30)
    return bake([clay], (2 * long + 0.04, 2 * half, high))


def _box_load(clay: Clay, half: float, long: float) -> float:
    clay.box((-long, -half, 0.95), (2.05, half, 3.40), Slot.SECOND)
    for side in (1, -1):
        side_wall = wall(side, (-long, 2.05), (0.95, 3.40), half)
        clay.decal(side_wall, (0.0, 1.0, 0.0, 0.05), Slot.METAL)
        clay.decal(side_wall, mirrored(0.16, 0.84, 0.40, 0.72, side), Slot.PAINT)
        clay.box((-1.3, side * half - side * 0.1 - 0.05, 0.45), (1.9, side * half - side * 0.1 + 0.05, 0.85), Slot.METAL, shade=0.8)
    rear = [(-long, half, 0.95), (-long, -half, 0.95), (-long, -half, 3.4), (-long, half, 3.4)]
    for u0, u1 in ((0.03, 0.49), (0.51, 0.97)):
        clay.decal(rear, (u0, u1, 0.03, 0.97), Slot.METAL)
    return 3.40


def _bed_load(clay: Clay, half: float, long: float) -> float:
    clay.box((-long, -half, 0.95), (2.05, half, 1.10), Slot.SECOND)
    for start, end in (
        ((-long, -half, 1.1), (2.05, -half + 0.06, 1.55)),
        ((-long, half - 0.06, 1.1), (2.05, half, 1.55)),
        ((-long, -half, 1.1), (-long + 0.06, half, 1.55)),
    ):
        clay.box(start, end, Slot.PAINT)
    clay.box((1.95, -half, 1.1), (2.07, half, 2.3), Slot.PAINT)
    for x, long_m, high in ((-3.4, 1.5, 2.0), (-1.6, 1.4, 1.75), (0.2, 1.4, 2.15)):
        clay.box((x, -0.85, 1.1), (x + long_m, 0.85, high), Slot.METAL if high > 1.9 else Slot.DARK)
    return 2.62


def _tipper_load(clay: Clay, half: float, long: float) -> float:
    foot = [(-long + 0.3, -half * 0.78, 1.0), (1.85, -half * 0.78, 1.0), (1.85, half * 0.78, 1.0), (-long + 0.3, half * 0.78, 1.0)]
    top = [(-long, -half, 2.30), (2.0, -half, 2.45), (2.0, half, 2.45), (-long, half, 2.30)]
    clay.loft([foot, top], [Slot.PAINT], caps=(Slot.DARK, None))
    for side in (1, -1):
        for x in (-3.2, -1.6, 0.0, 1.4):
            clay.box((x, side * half * 0.93 - 0.06, 1.2), (x + 0.12, side * half * 0.93 + 0.06, 2.36), Slot.DARK)
    heap = [
        [(x * part - 1.1, y * part, z) for x, y in ((-3.0, -1.15), (3.0, -1.15), (3.0, 1.15), (-3.0, 1.15))]
        for part, z in ((1.0, 2.2), (0.55, 2.55), (0.1, 2.72))
    ]
    clay.loft(heap, [Slot.SECOND], caps=(None, Slot.SECOND))
    return 2.72


TRUCKS: tuple[Callable[[], Mesh], ...] = (partial(_truck, "box"), partial(_truck, "box"), partial(_truck, "bed"), partial(_truck, "tipper"))
