"""Ways along the ground: lines and bends, asked for a place by the distance along them.

A way is kept as places half a metre apart. Between them it is straight, so that following it needs nothing but + - * / and sqrt: two machines of
different make move everybody alike, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.street import Point

_STEP_M = 0.5
_PER_M = 2.0


class Path:
    """A way from its first corner to its last. `length_m`; beyond either end it goes straight on."""

    __slots__ = ("_xs", "_ys", "length_m")

    def __init__(self, corners: Sequence[Point]) -> None:
        points = [corners[0]]
        points += [corner for before, corner in pairwise(corners) if corner != before]
        self._xs, self._ys = _evenly(points)
        self.length_m = (len(self._xs) - 1) * _STEP_M

    def at(self, along_m: float) -> Point:
        """The place that far along."""
        xs, ys = self._xs, self._ys
        steps = along_m * _PER_M
        index = int(steps)
        if steps < 0.0:
            index = 0
        elif index > len(xs) - 2:
            index = len(xs) - 2
        part = steps - index
        x, y = xs[index], ys[index]
        return x + part * (xs[index + 1] - x), y + part * (ys[index + 1] - y)

    def heading(self, along_m: float) -> Point:
        """The unit vector of the way there, over a metre so that it turns smoothly."""
        ax, ay = self.at(along_m - 0.5)
        bx, by = self.at(along_m + 0.5)
        dx, dy = bx - ax, by - ay
        length = sqrt(dx * dx + dy * dy)
        return dx / length, dy / length

    def samples(self) -> NDArray[np.float64]:
        """[N, 2] metres: the places that it is made of, half a metre apart."""
        return np.stack([self._xs, self._ys], axis=1)

    def nearest(self, place: Point) -> float:
        """How far along it comes closest to a place, to half a metre."""
        away = self.samples() - place
        return float(np.argmin((away * away).sum(axis=1))) * _STEP_M


def _evenly(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    """The same way in steps of equal length; the last, shorter step is made whole."""
    xs, ys = [points[0][0]], [points[0][1]]
    left = _STEP_M  # until the next place
    for (ax, ay), (bx, by) in pairwise(points):
        dx, dy = bx - ax, by - ay
        length = sqrt(dx * dx + dy * dy)
        done = left
        while done <= length:
            xs.append(ax + dx * (done / length))
            ys.append(ay + dy * (done / length))
            done += _STEP_M
        left = done - length
    if left < _STEP_M or len(xs) == 1:
        (ax, ay), (bx, by) = points[-2], points[-1]
        dx, dy = bx - ax, by - ay
        length = sqrt(dx * dx + dy * dy)
        xs.append(bx + dx * (left / length))
        ys.append(by + dy * (left / length))
    return xs, ys


def rounded(corners: Sequence[Point], radius_m: float) -> tuple[Point, ...]:
    """Straight stretches with their corners cut by parabolas that begin up to `radius_m` before each corner."""
    out = [corners[0]]
    for (ax, ay), (bx, by), (cx, cy) in zip(corners, corners[1:], corners[2:], strict=False):
        before, after = sqrt((bx - ax) ** 2 + (by - ay) ** 2), sqrt((cx - bx) ** 2 + (cy - by) ** 2)
        cut = min(radius_m, before / 2, after / 2)
        px, py = bx + (ax - bx) * (cut / before), by + (ay - by) * (cut / before)
        qx, qy = bx + (cx - bx) * (cut / after), by + (cy - by) * (cut / after)
        for step in range(7):
            t = step / 6
            k0, k1, k2 = (1 - t) * (1 - t), 2 * t * (1 - t), t * t
            out.append((k0 * px + k1 * bx + k2 * qx, k0 * py + k1 * by + k2 * qy))
    out.append(corners[-1])
    return tuple(out)
