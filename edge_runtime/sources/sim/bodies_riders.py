"""Two-wheelers, each with who rides it: upright bicycles with pedalling legs, motorcycles and scooters with a helmeted rider.

   (_)                       (▆)
  ╱█╲__          bicycle:   ╱█╲__        motorcycle:
 ▕▌ ╲│          thin, upright  ▟██▛╲     massive and low; rider bent, feet on the pegs
( o )─( o )                  (●)▀▀(●)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from edge_runtime.sources.sim.mesh import POSES, Clay, Corner, Mesh, Slot, bake

_WHEEL, _REAR, _FRONT = 0.345, -0.53, 0.55
_CRANK: Corner = (-0.06, 0.0, 0.29)
_HIP: Corner = (-0.23, 0.0, 1.00)
_ROLL_M = 2 * math.pi * _WHEEL  # a turn of the wheels, and of the pedals


def _bicycle(wear: str) -> Mesh:
    poses = []
    for k in range(POSES):
        turn = 2 * math.pi * k / POSES
        clay = Clay()
        for x in (_REAR, _FRONT):
            _thin_wheel(clay, x, turn)
        _frame(clay, basket=wear == "skirt")
        for side, phase in ((-1, turn), (1, turn + math.pi)):
            pedal = (_CRANK[0] - 0.17 * math.sin(phase - math.pi / 2), side * 0.11, _CRANK[2] + 0.17 * math.cos(phase - math.pi / 2))
            clay.tube((_CRANK[0], side * 0.05, _CRANK[2]), pedal, (0.018, 0.018), Slot.METAL, sides=3)
            foot = (pedal[0] - 0.03, side * 0.12, pedal[2] + 0.07)
            hip = (_HIP[0], side * 0.09, _HIP[2])
            knee = _joint(hip, foot, 0.43, 0.44)
            clay.tube(hip, knee, (0.095, 0.07), Slot.LEGS, sides=6)
            clay.tube(knee, foot, (0.066, 0.045), Slot.SKIN if wear == "skirt" else Slot.LEGS, sides=6)
            clay.box((foot[0] - 0.06, foot[1] - 0.045, foot[2] - 0.07), (foot[0] + 0.18, foot[1] + 0.045, foot[2] + 0.03), Slot.SHOES)
            _reach(clay, side, (-0.02, side * 0.20, 1.47), (0.36, side * 0.25, 1.04))
        _torso(clay, (_HIP[0], 0.0, _HIP[2] - 0.07), (0.0, 0.0, 1.53), 0.20)
        _head(clay, (0.07, 0.0, 1.68), helmet=wear == "helmet")
        if wear == "rucksack":
            clay.tube((-0.27, 0.0, 1.12), (-0.15, 0.0, 1.48), (0.13, 0.12), Slot.SECOND, sides=6)
        poses.append(clay)
    return bake(poses, (1.78, 0.58, 1.80), cycle_m=_ROLL_M)


def _thin_wheel(clay: Clay, x: float, turn: float) -> None:
    """A rim and a few spokes, which are seen through; both faces of the rim are drawn."""
    sides = 16
    spots = [(math.cos(2 * math.pi * k / sides), math.sin(2 * math.pi * k / sides)) for k in range(sides)]
    for side in (1, -1):
        y = side * 0.022
        for k in range(sides):
            (c0, s0), (c1, s1) = spots[k], spots[(k + 1) % sides]
            ring = [(x + r * c, y, _WHEEL + r * s) for r, c, s in ((0.285, c0, s0), (_WHEEL, c0, s0), (_WHEEL, c1, s1), (0.285, c1, s1))]
            clay.quad(ring[::-1] if side > 0 else ring, Slot.DARK)
    for k in range(sides):  # the tread
        (c0, s0), (c1, s1) = spots[k], spots[(k + 1) % sides]
        clay.quad(
            [(x + _WHEEL * c, y, _WHEEL + _WHEEL * s) for c, s, y in ((c0, s0, -0.022), (c0, s0, 0.022), (c1, s1, 0.022), (c1, s1, -0.022))],
            Slot.DARK,
        )
    for k in range(3):
        c, s = math.cos(-turn + k * math.pi / 3), math.sin(-turn + k * math.pi / 3)
        clay.tube((x - 0.3 * c, 0.0, _WHEEL - 0.3 * s), (x + 0.3 * c, 0.0, _WHEEL + 0.3 * s), (0.007, 0.007), Slot.METAL, sides=3)


def _frame(clay: Clay, *, basket: bool) -> None:
    seat, head, rear, front = (-0.21, 0.0, 0.84), (0.36, 0.0, 0.86), (_REAR, 0.0, _WHEEL), (_FRONT, 0.0, _WHEEL)
    low = (0.40, 0.0, 0.72)
    for a, b, radius in (
        (_CRANK, (-0.23, 0.0, 0.93), 0.024),
        (_CRANK, low, 0.028),
        (_CRANK if basket else seat, low if basket else head, 0.026),
        (_CRANK, rear, 0.020),
        (seat, rear, 0.018),
        (head, front, 0.024),
        (head, (0.33, 0.0, 1.03), 0.022),
    ):
        clay.tube(a, b, (radius, radius), Slot.PAINT, sides=5)
    clay.tube((0.35, -0.29, 1.03), (0.35, 0.29, 1.03), (0.017, 0.017), Slot.METAL, sides=4)
    clay.box((-0.36, -0.08, 0.92), (-0.10, 0.08, 0.98), Slot.DARK)
    clay.box((0.40, -0.035, 0.90), (0.47, 0.035, 0.97), Slot.HEAD)
    clay.box((-0.50, -0.035, 0.74), (-0.45, 0.035, 0.80), Slot.TAIL)
    clay.box((-0.86, -0.03, 0.52), (-0.80, 0.03, 0.60), Slot.TAIL)
    clay.tube((-0.21, 0.0, 0.72), (-0.78, 0.0, 0.74), (0.02, 0.02), Slot.METAL, sides=3)
    if basket:
        clay.box((0.42, -0.17, 0.84), (0.70, 0.17, 1.06), Slot.SECOND, taper=1.1)


def _joint(top: Corner, foot: Corner, upper: float, lower: float) -> Corner:
    """The knee of a leg of two bones, in front of the line from hip to foot (law of cosines)."""
    dx, dz = foot[0] - top[0], foot[2] - top[2]
    apart = min(math.sqrt(dx * dx + dz * dz), upper + lower - 1e-4)
    along = (upper * upper - lower * lower + apart * apart) / (2 * apart)
    off = math.sqrt(max(upper * upper - along * along, 0.0))
    return (top[0] + dx / apart * along - dz / apart * off, (top[1] + foot[1]) / 2 * 1.15, top[2] + dz / apart * along + dx / apart * off)


def _reach(clay: Clay, side: int, shoulder: Corner, hand: Corner) -> None:
    """An arm, its elbow hanging a little out."""
    elbow = ((shoulder[0] + hand[0]) / 2 - 0.05, side * 0.29, (shoulder[2] + hand[2]) / 2 - 0.06)
    clay.tube(shoulder, elbow, (0.065, 0.055), Slot.TOP, sides=5)
    clay.tube(elbow, hand, (0.052, 0.04), Slot.TOP, sides=5)
    clay.blob(hand, (0.05, 0.045, 0.045), Slot.SKIN, sides=4)


def _torso(clay: Clay, hip: Corner, neck: Corner, half: float) -> None:
    rings = []
    for part, wide, deep in ((0.0, 0.80, 0.13), (0.35, 0.80, 0.12), (0.75, 1.08, 0.135), (0.93, 0.85, 0.10), (1.0, 0.40, 0.06)):
        x, z = hip[0] + (neck[0] - hip[0]) * part, hip[2] + (neck[2] - hip[2]) * part
        outline = [(1.0, -0.45), (1.0, 0.45), (0.4, 1.0), (-0.4, 1.0), (-1.0, 0.45), (-1.0, -0.45), (-0.4, -1.0), (0.4, -1.0)]
        rings.append([(x + deep * u, half * wide * v, z - 0.3 * deep * u) for u, v in outline])
    clay.loft(rings, [Slot.TOP], caps=(Slot.LEGS, Slot.TOP))


def _head(clay: Clay, middle: Corner, *, helmet: bool) -> None:
    x, y, z = middle
    clay.tube((x - 0.05, y, z - 0.17), (x - 0.01, y, z - 0.08), (0.05, 0.05), Slot.SKIN, sides=5)
    clay.blob((x + 0.02, y, z - 0.02), (0.095, 0.078, 0.115), Slot.SKIN, sides=8)
    clay.blob((x - 0.01, y, z + (0.03 if helmet else 0.01)), (0.125, 0.095, 0.09) if helmet else (0.107, 0.088, 0.107), Slot.HAIR, sides=8)


def _motorcycle(*, scooter: bool) -> Mesh:
    clay = Clay()
    radius, rear, front = (0.25, -0.62, 0.66) if scooter else (0.32, -0.70, 0.74)
    for x in (rear, front):
        clay.wheel((x, 0.0, radius), radius, 0.16 if x == rear else 0.13, sides=14)
    (_scooter_body if scooter else _motor_body)(clay, radius, front)
    lean = 0.0 if scooter else 0.13
    hip, neck = (-0.25, 0.0, 0.74), (-0.04 + lean, 0.0, 1.30)
    _torso(clay, hip, neck, 0.235)
    for side in (-1, 1):
        start = (hip[0] + 0.02, side * 0.12, hip[2] + 0.05)
        foot = (0.30, side * 0.17, 0.34) if scooter else (-0.12, side * 0.22, 0.36)
        knee = (0.22, side * 0.20, 0.78) if scooter else (0.20, side * 0.24, 0.72)
        clay.tube(start, knee, (0.11, 0.085), Slot.LEGS, sides=6)
        clay.tube(knee, foot, (0.08, 0.06), Slot.LEGS, sides=6)
        clay.box((foot[0] - 0.08, foot[1] - 0.05, foot[2] - 0.08), (foot[0] + 0.19, foot[1] + 0.05, foot[2] + 0.04), Slot.SHOES)
        _reach(clay, side, (neck[0] - 0.03, side * 0.23, neck[2] - 0.06), (0.42, side * 0.33, 0.98))
    x, z = neck[0] + 0.07, neck[2] + 0.14
    clay.blob((x, 0.0, z), (0.145, 0.125, 0.15), Slot.HAIR, sides=8)
    clay.box((x + 0.07, -0.10, z - 0.05), (x + 0.142, 0.10, z + 0.05), Slot.GLASS)
    return bake([clay], (2.06, 0.80, 1.58))


def _motor_body(clay: Clay, radius: float, front: float) -> None:
    clay.box((-0.30, -0.17, 0.26), (0.34, 0.17, 0.62), Slot.DARK)
    clay.box((-0.22, -0.20, 0.32), (0.24, 0.20, 0.50), Slot.METAL, shade=0.8)
    tank = [
        [(x, side * wide, z) for side, z in ((1, 0.62), (1, 0.84), (-1, 0.84), (-1, 0.62))] for x, wide in ((-0.12, 0.11), (0.12, 0.17), (0.42, 0.12))
    ]
    clay.loft(tank, [Slot.PAINT], caps=(Slot.PAINT, Slot.PAINT))
    clay.box((-0.82, -0.13, 0.66), (-0.08, 0.13, 0.76), Slot.DARK)
    clay.box((-0.92, -0.11, 0.70), (-0.55, 0.11, 0.86), Slot.PAINT, taper=0.85)
    fairing = [
        [(x, side * wide, z) for side, z in ((1, low), (1, high), (-1, high), (-1, low))]
        for x, wide, low, high in ((0.36, 0.20, 0.55, 1.02), (0.62, 0.17, 0.66, 1.10), (0.80, 0.08, 0.74, 0.96))
    ]
    clay.loft(fairing, [Slot.PAINT], caps=(Slot.DARK, Slot.PAINT))
    _fork_and_lamps(clay, radius, front, 0.80, -0.94)
    clay.tube((0.05, -0.20, 0.30), (-0.85, -0.21, 0.42), (0.05, 0.07), Slot.METAL, sides=6)
    clay.box((-1.02, -0.09, 0.42), (-0.99, 0.09, 0.56), Slot.PLATE)


def _scooter_body(clay: Clay, radius: float, front: float) -> None:
    clay.box((-0.28, -0.17, 0.22), (0.42, 0.17, 0.34), Slot.PAINT)
    clay.box((-0.88, -0.19, 0.34), (-0.12, 0.19, 0.70), Slot.PAINT, taper=0.85)
    clay.box((-0.82, -0.15, 0.68), (-0.06, 0.15, 0.78), Slot.DARK)
    shield = [[(x, side * 0.21, z) for side, z in ((1, 0.30), (1, 0.98), (-1, 0.98), (-1, 0.30))] for x in (0.38, 0.48)]
    clay.loft(shield, [Slot.PAINT], caps=(Slot.DARK, Slot.PAINT))
    clay.box((-1.02, -0.17, 0.80), (-0.66, 0.17, 1.12), Slot.SECOND)
    clay.box((0.40, -0.11, 0.92), (0.58, 0.11, 1.08), Slot.PAINT)
    _fork_and_lamps(clay, radius, front, 0.60, -0.88)
    clay.box((-0.92, -0.09, 0.36), (-0.89, 0.09, 0.50), Slot.PLATE)


def _fork_and_lamps(clay: Clay, radius: float, front: float, nose: float, tail: float) -> None:
    for side in (-1, 1):
        clay.tube((front, side * 0.10, radius), (0.46, side * 0.10, 1.0), (0.035, 0.035), Slot.METAL, sides=4)
        clay.box((nose - 0.10, side * 0.19 - 0.03, 0.80), (nose - 0.02, side * 0.19 + 0.03, 0.87), Slot.LEFT if side > 0 else Slot.RIGHT)
        clay.box((tail - 0.03, side * 0.16 - 0.03, 0.64), (tail + 0.05, side * 0.16 + 0.03, 0.71), Slot.LEFT if side > 0 else Slot.RIGHT)
        clay.tube((0.46, side * 0.28, 1.0), (0.52, side * 0.37, 1.18), (0.012, 0.05), Slot.DARK, sides=4)
    clay.tube((0.44, -0.36, 1.0), (0.44, 0.36, 1.0), (0.022, 0.022), Slot.DARK, sides=4)
    clay.box((nose - 0.08, -0.085, 0.80), (nose + 0.02, 0.085, 0.95), Slot.HEAD)
    clay.box((tail - 0.03, -0.09, 0.72), (tail + 0.04, 0.09, 0.80), Slot.TAIL)
    clay.box((front - 0.26, -0.075, radius * 1.92), (front + 0.20, 0.075, radius * 2.06), Slot.PAINT)


BICYCLES: tuple[Callable[[], Mesh], ...] = tuple(partial(_bicycle, wear) for wear in ("plain", "helmet", "skirt", "rucksack"))
MOTORCYCLES: tuple[Callable[[], Mesh], ...] = (
    partial(_motorcycle, scooter=False),
    partial(_motorcycle, scooter=False),
    partial(_motorcycle, scooter=True),
)
