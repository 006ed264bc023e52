"""Parts that cars, vans, buses and trucks share: skins by their side view, walls for windows, lamps, plates, axles."""

from __future__ import annotations

from collections.abc import Sequence

from edge_runtime.sources.sim.mesh import Clay, Corner, Slot


def facing(
    clay: Clay, x: float, across: tuple[float, float], high: tuple[float, float], slot: Slot, *, depth: float = 0.12, ahead: bool = True
) -> None:
    """A shallow block set into the nose or the tail."""
    y0, y1 = min(across), max(across)
    back = x - depth if ahead else x + depth
    clay.box((min(x, back), y0, high[0]), (max(x, back), y1, high[1]), slot)


def axles(clay: Clay, places: Sequence[float], aside: float, radius: float, width: float) -> None:
    """Wheels in dark arches, on both sides of each axle."""
    for x in places:
        for side in (1, -1):
            clay.disc((x, side * (aside + width / 2 + 0.01), radius + 0.03), radius * 1.17, side, Slot.DARK)
            clay.wheel((x, side * (aside + 0.015), radius), radius, width, outer=side)


def extruded(clay: Clay, outline: Sequence[tuple[float, float]], half: float, roof: float) -> None:
    """A side view (x, z), clockwise seen from the right, given width; what is above two thirds of its height leans in to `roof`."""
    high = max(z for _, z in outline)

    def reach(z: float) -> float:
        return half * (1.0 if z < high * 0.55 else 1.0 - (1.0 - roof) * (z - high * 0.55) / (high * 0.45))

    rings = [[(x, -reach(z), z) for x, z in outline], [(x, reach(z), z) for x, z in outline]]
    clay.loft(rings, [Slot.PAINT])
    for side, ring in ((-1, rings[0]), (1, rings[1])):
        middle_x = sum(x for x, _ in outline) / len(outline)
        middle = (middle_x, side * half, high * 0.45)
        for k in range(len(ring)):
            a, b = ring[k], ring[(k + 1) % len(ring)]
            clay.quad([middle, b, a] if side < 0 else [middle, a, b], Slot.PAINT)


def slope(outline: Sequence[tuple[float, float]], k: int, after: int, half: float, inset: float) -> list[Corner]:
    """The strip of an extruded skin between two points of its side view, foot first, seen from ahead."""
    (x1, z1), (x0, z0) = outline[k], outline[after]
    return [(x0, -half * 0.96, z0), (x0, half * 0.96, z0), (x1, half * inset, z1), (x1, -half * inset, z1)]


def wall(side: int, along: tuple[float, float], high: tuple[float, float], half: float, top: float | None = None) -> list[Corner]:
    """A rectangle on one side of a body, from the tail to the nose (right side) or from the nose to the tail (left side).

    `half` and `top`: how far from the middle its foot and its top are; upright where `top` is not given.
    """
    (x0, x1), (z0, z1), foot, head = along, high, side * half, side * (half if top is None else top)
    if side > 0:
        x0, x1 = x1, x0
    return [(x0, foot, z0), (x1, foot, z0), (x1, head, z1), (x0, head, z1)]


def mirrored(u0: float, u1: float, v0: float, v1: float, side: int) -> tuple[float, float, float, float]:
    """A part given from the tail to the nose, as the wall of this side counts it."""
    return (1 - u1, 1 - u0, v0, v1) if side > 0 else (u0, u1, v0, v1)


def lamps(clay: Clay, ends: tuple[float, float], half: float, head: tuple[float, float], tail: tuple[float, float]) -> None:
    """Headlights, tail lights and indicators at the nose and the rear; `head` and `tail` are the heights between which they lie."""
    nose, rear = ends
    for side in (1, -1):
        outer, inner = side * half * 0.97, side * half * 0.62
        indicator = Slot.LEFT if side > 0 else Slot.RIGHT
        facing(clay, nose + 0.02, (inner, outer * 0.93), head, Slot.HEAD)
        facing(clay, nose + 0.02, (outer * 0.93, outer), head, indicator)
        facing(clay, rear - 0.02, (outer * 0.84, outer), tail, Slot.TAIL, ahead=False)
        facing(clay, rear - 0.03, (outer * 0.84, outer), (tail[0] - 0.14, tail[0]), indicator, ahead=False)


def plates(clay: Clay, nose: float, tail: float) -> None:
    """Number plates at the nose and the tail."""
    facing(clay, nose + 0.01, (-0.26, 0.26), (0.48, 0.60), Slot.PLATE, depth=0.05)
    facing(clay, tail - 0.01, (-0.26, 0.26), (0.60, 0.72), Slot.PLATE, depth=0.05, ahead=False)
