"""Where rules lie in the picture, and which point of a box has to obey them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.options import Point
from edge_runtime.types import Size

Array = NDArray[np.float64]
Anchor = Literal["center", "bottom"]


def to_pixels(points: Sequence[Point], units: str, drawn_on: tuple[int, int] | None, picture: Size) -> Array:
    """Points of a rule -> [N, 2] pixels of `picture`. Fractions are of its sides; pixels are of the picture `drawn_on` (None: this one)."""
    scale = np.array(picture, np.float64)
    if units == "px":
        scale = scale / np.array(drawn_on or picture, np.float64)
    return np.array(points, np.float64).reshape(-1, 2) * scale


def anchors(xyxy: NDArray[np.float32], anchor: Anchor) -> Array:
    """The point of each box [N, 4] that counts -> [N, 2]: its centre, or the middle of its lower edge (where a thing stands on the ground)."""
    boxes = xyxy.astype(np.float64)
    places = (boxes[:, :2] + boxes[:, 2:]) / 2
    if anchor == "bottom":
        places[:, 1] = boxes[:, 3]
    return places


def inside(polygon: Array, places: Array) -> NDArray[np.bool_]:
    """Which of places [N, 2] lie in polygon [K, 2], by the even-odd rule (a ray to the right crosses an odd number of edges)."""
    x, y = places[:, 0, None], places[:, 1, None]
    x1, y1 = polygon[:, 0], polygon[:, 1]
    x2, y2 = np.roll(x1, -1), np.roll(y1, -1)
    spans = (y1 > y) != (y2 > y)
    rise = np.where(y2 == y1, 1.0, y2 - y1)
    odd: NDArray[np.bool_] = (spans & (x < x1 + (y - y1) * (x2 - x1) / rise)).sum(axis=1) % 2 == 1
    return odd
