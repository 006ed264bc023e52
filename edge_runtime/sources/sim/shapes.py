"""Plain shapes on the ground, from which scenes are put together. Metres; what comes from trigonometry is rounded to a micrometre, so that every
machine builds the same street."""

from __future__ import annotations

import math

from edge_runtime.sources.sim.street import Marking, Point, Polygon

_STRIPE_M = 0.5  # of a zebra: paint and gap alike


def rectangle(x0: float, y0: float, x1: float, y1: float) -> Polygon:
    """Counter-clockwise from its south-western corner."""
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def arc(center: Point, radius_m: float, from_deg: float, to_deg: float, steps: int = 8) -> Polygon:
    """Points on a circle, both ends included; degrees counter-clockwise from +x."""
    turns = (math.radians(from_deg + (to_deg - from_deg) * step / steps) for step in range(steps + 1))
    return tuple((round(center[0] + radius_m * math.cos(turn), 6), round(center[1] + radius_m * math.sin(turn), 6)) for turn in turns)


def mirrored(points: Polygon, x: bool = False, y: bool = False) -> Polygon:
    """The same shape on the other side of an axis, still turning the way that it did."""
    moved = tuple((-px if x else px, -py if y else py) for px, py in points)
    return moved[::-1] if x != y else moved


def zebra(x0: float, y0: float, x1: float, y1: float) -> tuple[Marking, ...]:
    """Stripes of a crossing within a rectangle, one beside the other along its longer side."""
    along_x = x1 - x0 > y1 - y0
    length = (x1 - x0) if along_x else (y1 - y0)
    count = int((length + _STRIPE_M) / (2 * _STRIPE_M))
    start = (length - (2 * count - 1) * _STRIPE_M) / 2
    stripes = []
    for index in range(count):
        a = start + 2 * index * _STRIPE_M
        b = a + _STRIPE_M
        stripe = rectangle(x0 + a, y0, x0 + b, y1) if along_x else rectangle(x0, y0 + a, x1, y0 + b)
        stripes.append(Marking(stripe, width_m=0.0))
    return tuple(stripes)


def stroke(x0: float, y0: float, x1: float, y1: float, width_m: float = 0.12, dash_m: float = 0.0) -> Marking:
    """One straight painted line."""
    return Marking(((x0, y0), (x1, y1)), width_m, dash_m)
