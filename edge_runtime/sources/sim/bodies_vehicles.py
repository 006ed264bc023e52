"""Cars, vans and buses: a skin over cross-sections, with windows, lamps and wheels set onto it.

    ▁▂▃▃▃▃▂▁            a car is lofted along x from the tail to the nose; each section is an octagon across y and z:
 ▂▃▔ ╱│  │ ╲▁▁▁▁                       ╭────╮  top
 █(o)═══════(o)█                       │    │  shoulder
─┴─────────────┴─► x                   ╰────╯  sill
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from edge_runtime.sources.sim.coachwork import axles, extruded, facing, lamps, mirrored, plates, slope, wall
from edge_runtime.sources.sim.mesh import Clay, Corner, Mesh, Slot, bake


class _Car(NamedTuple):
    """The side view of a car of length 4.4 and height `high`: where the glass begins and ends, from the nose (2.2) to the tail (-2.2)."""

    high: float
    bonnet: float  # height at the windscreen
    belt: float  # height at the rear window
    screen_foot: float
    screen_top: float
    rear_top: float
    rear_foot: float
    wheel: float


_HATCH = _Car(1.50, 0.94, 1.00, 1.00, 0.28, -1.45, -2.02, 0.32)
_SEDAN = _Car(1.44, 0.92, 0.98, 0.98, 0.22, -0.85, -1.42, 0.32)
_ESTATE = _Car(1.50, 0.93, 0.99, 1.00, 0.25, -1.72, -2.10, 0.33)
_OFFROAD = _Car(1.70, 1.08, 1.14, 0.98, 0.38, -1.62, -2.08, 0.38)
_HALF = 0.90  # of the width
_LONG = 4.4


def _section(x: float, half: float, sill: float, top: float) -> list[Corner]:
    """An octagon across y and z, counter-clockwise seen from ahead."""
    shoulder = top - 0.16
    outline = [(0.93, sill), (1.0, sill + 0.16), (0.985, shoulder), (0.90, top)]
    right = [(x, -half * part, z) for part, z in outline]
    return [*((x, -y, z) for x, y, z in right), *reversed(right)]


def _car(shape: _Car) -> Mesh:
    clay = Clay()
    nose, tail = _LONG / 2, -_LONG / 2
    stations = [
        (tail, 0.84, 0.36, shape.belt - 0.22),
        (tail + 0.10, 0.94, 0.26, shape.belt - 0.05),
        (shape.rear_foot + 0.02, 0.98, 0.22, shape.belt),
        (0.0, 1.0, 0.20, shape.belt - 0.01),
        (shape.screen_foot, 1.0, 0.20, shape.bonnet),
        (nose - 0.30, 0.95, 0.22, shape.bonnet - 0.16),
        (nose - 0.06, 0.88, 0.27, shape.bonnet - 0.26),
        (nose, 0.80, 0.36, shape.bonnet - 0.30),
    ]
    if shape.rear_foot + 0.02 <= tail + 0.10:
        del stations[1]
    rings = [_section(x, _HALF * wide, sill, top) for x, wide, sill, top in stations]
    #        sill-left, door-left, shoulder-left, top, shoulder-right, door-right, sill-right, floor
    clay.loft(rings, [Slot.PAINT] * 7 + [Slot.DARK], caps=(Slot.PAINT, Slot.PAINT))
    for side in (1, -1):  # a dark sill
        low, high = (0.0, side * _HALF * 0.945, 0.205), (0.0, side * _HALF * 1.004, 0.34)
        foot = [(1.75, *low[1:]), (-1.75, *low[1:]), (-1.75, *high[1:]), (1.75, *high[1:])]
        clay.quad(foot[::-1] if side < 0 else foot, Slot.DARK)
    _cabin(clay, shape)
    _car_ends(clay, shape)
    axles(clay, (1.36, -1.32), _HALF - 0.11, shape.wheel, 0.21)
    return bake([clay], (_LONG + 0.05, 2 * _HALF, shape.high))


def _cabin(clay: Clay, shape: _Car) -> None:
    """The glass house: painted pillars with panes set into them, under a roof with a rounded edge."""
    wide, narrow, roof = _HALF * 0.90, _HALF * 0.70, shape.high - 0.05
    foot = [(shape.rear_foot, -wide, shape.belt - 0.03), (shape.screen_foot, -wide, shape.bonnet - 0.03)]
    top = [(shape.rear_top, -narrow, roof), (shape.screen_top, -narrow, roof)]
    lid = [(shape.rear_top + 0.16, -narrow * 0.86, shape.high), (shape.screen_top - 0.18, -narrow * 0.86, shape.high)]
    rings = [[*pair, *((x, -y, z) for x, y, z in reversed(pair))] for pair in (foot, top, lid)]
    clay.loft(rings, [Slot.PAINT], caps=(None, Slot.PAINT))
    right, front, left, rear = ([rings[0][k], rings[0][(k + 1) % 4], rings[1][(k + 1) % 4], rings[1][k]] for k in range(4))
    clay.decal(front, (0.05, 0.95, 0.06, 0.93), Slot.GLASS)
    clay.decal(rear, (0.08, 0.92, 0.16, 0.90), Slot.GLASS)
    for pane, parts in ((right, ((0.09, 0.45), (0.50, 0.90))), (left, ((0.10, 0.50), (0.55, 0.91)))):
        for u0, u1 in parts:
            clay.decal(pane, (u0, u1, 0.12, 0.88), Slot.GLASS)
    for side in (1, -1):  # mirrors
        x, y, z = shape.screen_foot - 0.22, side * (_HALF + 0.015), shape.bonnet + 0.06
        clay.box((x - 0.07, y - 0.085, z - 0.05), (x + 0.07, y + 0.085, z + 0.08), Slot.PAINT)


def _car_ends(clay: Clay, shape: _Car) -> None:
    nose, tail, half = _LONG / 2, -_LONG / 2, _HALF
    lamp = shape.bonnet - 0.43
    for side in (1, -1):
        inner, outer = side * half * 0.46, side * half * 0.86
        indicator = Slot.LEFT if side > 0 else Slot.RIGHT
        facing(clay, nose + 0.025, (inner, outer), (lamp - 0.06, lamp + 0.09), Slot.HEAD)
        facing(clay, nose + 0.01, (outer, side * half * 0.965), (lamp - 0.06, lamp + 0.09), indicator, depth=0.20)
        rear = shape.belt - 0.34
        facing(clay, tail - 0.025, (inner * 1.2, outer), (rear - 0.07, rear + 0.11), Slot.TAIL, ahead=False)
        facing(clay, tail - 0.01, (outer, side * half * 0.975), (rear - 0.07, rear + 0.11), indicator, depth=0.22, ahead=False)
    facing(clay, nose, (-half * 0.55, half * 0.55), (0.36, 0.50), Slot.DARK, depth=0.06)
    facing(clay, nose + 0.01, (-0.26, 0.26), (0.42, 0.53), Slot.PLATE, depth=0.06)
    facing(clay, tail, (-half * 0.80, half * 0.80), (0.27, 0.40), Slot.DARK, depth=0.06, ahead=False)
    facing(clay, tail - 0.01, (-0.26, 0.26), (0.52, 0.63), Slot.PLATE, depth=0.06, ahead=False)


def _van(*, glazed: bool) -> Mesh:
    clay = Clay()
    half, high = 0.97, 2.25
    outline = [
        (-2.65, 0.40),
        (-2.65, high - 0.08),
        (-2.50, high),
        (1.05, high),
        (1.32, high - 0.10),
        (1.95, 1.30),
        (2.56, 1.08),
        (2.65, 0.80),
        (2.65, 0.40),
    ]
    extruded(clay, outline, half, 0.90)
    front = slope(outline, 4, 5, half, 0.92)
    clay.decal(front, (0.05, 0.95, 0.05, 0.94), Slot.GLASS, 0.02)
    for side in (1, -1):
        side_wall = wall(side, (-2.65, 1.80), (1.24, 2.05), half, half * 0.92)
        for u0, u1 in ((0.70, 0.93), *(((0.05, 0.34), (0.38, 0.66)) if glazed else ())):
            clay.decal(side_wall, mirrored(u0, u1, 0.08, 0.84, side), Slot.GLASS, 0.02)
        clay.decal(wall(side, (-2.6, 2.55), (0.40, 0.62), half), (0.0, 1.0, 0.0, 1.0), Slot.DARK, 0.02)
        clay.box((1.42, side * (half + 0.10) - 0.07, 1.32), (1.56, side * (half + 0.10) + 0.07, 1.62), Slot.DARK)
    lamps(clay, (2.65, -2.65), half, (0.82, 1.02), (0.95, 1.45))
    facing(clay, 2.66, (-half * 0.55, half * 0.55), (0.78, 1.0), Slot.DARK)
    facing(clay, 2.67, (-half * 0.92, half * 0.92), (0.40, 0.62), Slot.METAL)
    facing(clay, -2.66, (-half * 0.92, half * 0.92), (0.40, 0.58), Slot.DARK, ahead=False)
    for u0, u1 in ((0.08, 0.47), (0.53, 0.92)):
        clay.decal([(-2.65, half, 1.2), (-2.65, -half, 1.2), (-2.65, -half, 2.2), (-2.65, half, 2.2)], (u0, u1, 0.15, 0.85), Slot.GLASS)
    plates(clay, 2.68, -2.67)
    axles(clay, (1.75, -1.60), half - 0.12, 0.36, 0.23)
    return bake([clay], (5.34, 2 * half, high))


def _bus(*, two_tone: bool) -> Mesh:
    clay = Clay()
    half, high, long = 1.275, 3.1, 6.0
    outline = [
        (-long, 0.35),
        (-long, high - 0.15),
        (-long + 0.2, high),
        (long - 0.25, high),
        (long - 0.02, high - 0.4),
        (long, 1.1),
        (long - 0.05, 0.35),
    ]
    extruded(clay, outline, half, 0.97)
    for side in (1, -1):
        side_wall = wall(side, (-long, long), (0.35, high), half)
        lower = Slot.SECOND if two_tone else Slot.PAINT
        clay.decal(side_wall, (0.0, 1.0, 0.02, 0.235), lower, 0.015)
        clay.decal(side_wall, (0.0, 1.0, 0.0, 0.06), Slot.DARK, 0.02)
        clay.decal(side_wall, mirrored(0.015, 0.985, 0.335, 0.80, side), Slot.DARK, 0.02)
        doors = ((0.90, 0.975), (0.52, 0.615)) if side < 0 else ()
        for k in range(8):
            u0, u1 = 0.03 + k * 0.118, 0.03 + k * 0.118 + 0.107
            if not any(u0 < door[1] and u1 > door[0] for door in doors):
                clay.decal(side_wall, mirrored(u0, u1, 0.37, 0.77, side), Slot.GLASS, 0.035)
        for u0, u1 in doors:
            clay.decal(side_wall, (u0, u1, 0.05, 0.80), Slot.DARK, 0.03)
            middle = (u0 + u1) / 2
            for part in ((u0 + 0.006, middle - 0.003), (middle + 0.003, u1 - 0.006)):
                clay.decal(side_wall, (*part, 0.08, 0.77), Slot.GLASS, 0.045)
    _bus_ends(clay, half, high, long, two_tone=two_tone)
    clay.box((-3.8, -0.75, high - 0.02), (-1.2, 0.75, high + 0.18), Slot.METAL, taper=0.9)
    axles(clay, (3.30, -2.90), half - 0.13, 0.48, 0.30)
    return bake([clay], (2 * long, 2 * half, high + 0.18))


def _bus_ends(clay: Clay, half: float, high: float, long: float, *, two_tone: bool) -> None:
    front = [(long, -half, 0.4), (long, half, 0.4), (long - 0.02, half * 0.98, high - 0.1), (long - 0.02, -half * 0.98, high - 0.1)]
    rear = [(-long, half, 0.4), (-long, -half, 0.4), (-long, -half * 0.97, high - 0.1), (-long, half * 0.97, high - 0.1)]
    clay.decal(front, (0.0, 1.0, 0.0, 0.24), Slot.SECOND if two_tone else Slot.PAINT, 0.02)
    clay.decal(front, (0.03, 0.97, 0.27, 0.84), Slot.GLASS, 0.04)
    clay.decal(front, (0.10, 0.90, 0.85, 0.98), Slot.DARK, 0.05)
    clay.decal(front, (0.20, 0.80, 0.87, 0.96), Slot.SIGN, 0.07)
    clay.decal(rear, (0.0, 1.0, 0.0, 0.24), Slot.SECOND if two_tone else Slot.PAINT, 0.02)
    clay.decal(rear, (0.08, 0.92, 0.56, 0.88), Slot.GLASS, 0.03)
    clay.decal(rear, (0.25, 0.75, 0.28, 0.50), Slot.DARK, 0.03)
    lamps(clay, (long + 0.03, -long - 0.02), half, (0.62, 0.86), (0.75, 1.25))
    facing(clay, long + 0.04, (-half * 0.95, half * 0.95), (0.33, 0.52), Slot.DARK)
    plates(clay, long + 0.05, -long - 0.03)
    for side in (1, -1):
        clay.box((long - 0.05, side * (half + 0.02) - 0.12, 2.0), (long + 0.12, side * (half + 0.02) + 0.12, 2.5), Slot.DARK)


CARS: tuple[Callable[[], Mesh], ...] = tuple(partial(_car, shape) for shape in (_HATCH, _SEDAN, _ESTATE, _OFFROAD))
VANS: tuple[Callable[[], Mesh], ...] = (partial(_van, glazed=False), partial(_van, glazed=True))
BUSES: tuple[Callable[[], Mesh], ...] = (partial(_bus, two_tone=True), partial(_bus, two_tone=False))
