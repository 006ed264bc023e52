"""Pedestrians in 24 poses of a double step: swinging legs with bending knees, arms against them, and what they carry.

 (_)   1.75      one cycle is two steps; phase 0: the right leg is furthest ahead
╱▐█▌╲
 ▐▌              hip ● thigh ─ ● knee ─ shin ─ foot
╱ ╲   0
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from edge_runtime.sources.sim.mesh import POSES, Clay, Corner, Mesh, Slot, bake

_HIP, _SHOULDER, _THIGH, _SHIN = 0.90, 1.43, 0.44, 0.42
_STRIDE_M = 1.45  # two steps


def _walker(wear: str, bag: str) -> Mesh:
    poses = []
    for k in range(POSES):
        phase = 2 * math.pi * k / POSES
        clay = Clay()
        swing = math.cos(phase)
        bob = 0.02 * math.cos(2 * phase) - 0.02
        for side, sign in ((-1, 1.0), (1, -1.0)):
            _leg(clay, side * 0.095, bob, sign * swing, sign * math.sin(phase), wear)
            _arm(clay, side, bob, -sign * swing)
        _trunk(clay, bob, wear)
        _carried(clay, bob, bag)
        poses.append(clay)
    return bake(poses, (0.6, 0.6, 1.75), cycle_m=_STRIDE_M, grows_evenly=True)


def _leg(clay: Clay, aside: float, bob: float, swing: float, lifting: float, wear: str) -> None:
    """`swing` 1 is furthest ahead, -1 furthest behind; the knee bends while the leg comes forward."""
    thigh = 0.46 * swing + 0.10
    bend = 0.12 + 0.75 * max(0.0, -lifting) ** 2
    hip = (0.0, aside, _HIP + bob)
    knee = _hang(hip, _THIGH, thigh)
    ankle = _hang(knee, _SHIN, thigh - bend)
    slots = (Slot.LEGS, Slot.SKIN if wear in ("skirt", "shorts") else Slot.LEGS)
    clay.tube(hip, knee, (0.098, 0.072), slots[0], sides=6)
    clay.tube(knee, ankle, (0.070, 0.048), slots[1], sides=6)
    x, y, z = ankle
    z = max(z, 0.05)
    clay.box((x - 0.075, y - 0.05, z - 0.05), (x + 0.19, y + 0.05, z + 0.04), Slot.SHOES, taper=0.85)


def _arm(clay: Clay, side: int, bob: float, swing: float) -> None:
    shoulder = (0.0, side * 0.205, _SHOULDER - 0.02 + bob)
    elbow = _hang(shoulder, 0.29, 0.42 * swing, side * 0.05)
    wrist = _hang(elbow, 0.26, 0.42 * swing + 0.25)
    clay.tube(shoulder, elbow, (0.062, 0.052), Slot.TOP, sides=5)
    clay.tube(elbow, wrist, (0.050, 0.036), Slot.TOP, sides=5)
    clay.blob((wrist[0] + 0.01, wrist[1], wrist[2] - 0.05), (0.04, 0.035, 0.06), Slot.SKIN, sides=4)


def _hang(from_: Corner, long: float, turn: float, aside: float = 0.0) -> Corner:
    x, y, z = from_
    return (x + long * math.sin(turn), y + aside, z - long * math.cos(turn))


def _trunk(clay: Clay, bob: float, wear: str) -> None:
    levels = [(0.86, 0.115, 0.165), (1.00, 0.105, 0.155), (1.18, 0.115, 0.170), (1.38, 0.125, 0.215), (1.47, 0.085, 0.150), (1.50, 0.05, 0.07)]
    if wear in ("coat", "skirt"):
        levels[0] = (0.60 if wear == "coat" else 0.52, 0.185, 0.215)
    rings = [_oval(deep, wide, z + bob) for z, deep, wide in levels]
    if wear == "skirt":
        clay.loft(rings[:2], [Slot.LEGS], caps=(Slot.LEGS, None))
        clay.loft(rings[1:], [Slot.TOP], caps=(None, Slot.TOP))
    else:
        clay.loft(rings, [Slot.TOP], caps=(Slot.LEGS, Slot.TOP))
    clay.tube((0.0, 0.0, 1.47 + bob), (0.015, 0.0, 1.56 + bob), (0.052, 0.05), Slot.SKIN, sides=5)
    clay.blob((0.025, 0.0, 1.635 + bob), (0.095, 0.078, 0.115), Slot.SKIN, sides=8)
    clay.blob((-0.008, 0.0, 1.665 + bob), (0.105, 0.086, 0.105), Slot.HAIR, sides=8)
    if wear == "skirt":  # long hair
        clay.box((-0.125, -0.075, 1.42 + bob), (-0.045, 0.075, 1.66 + bob), Slot.HAIR)


def _oval(deep: float, wide: float, z: float) -> list[Corner]:
    outline = [(1.0, -0.45), (1.0, 0.45), (0.45, 1.0), (-0.45, 1.0), (-1.0, 0.45), (-1.0, -0.45), (-0.45, -1.0), (0.45, -1.0)]
    return [(deep * x, wide * y, z) for x, y in outline]


def _carried(clay: Clay, bob: float, bag: str) -> None:
    if bag == "rucksack":
        clay.box((-0.31, -0.15, 1.00 + bob), (-0.11, 0.15, 1.44 + bob), Slot.SECOND, taper=0.88)
    elif bag == "handbag":
        clay.box((-0.12, -0.33, 0.70 + bob), (0.16, -0.24, 0.92 + bob), Slot.SECOND)
        clay.tube((0.02, -0.285, 0.92 + bob), (0.02, -0.19, 1.40 + bob), (0.016, 0.016), Slot.SECOND, sides=3)


PEDESTRIANS: tuple[Callable[[], Mesh], ...] = tuple(
    partial(_walker, wear, bag)
    for wear, bag in (
        ("jacket", "none"),
        ("coat", "none"),
        ("skirt", "handbag"),
        ("jacket", "rucksack"),
        ("shorts", "none"),
        ("jacket", "handbag"),
    )
)
