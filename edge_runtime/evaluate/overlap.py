"""How much boxes cover each other: [N, 4] × [M, 4] as x1 y1 x2 y2 -> [N, M], in double precision. An empty or inverted box covers nothing.

Boxes are continuous: from x1 to x2, not from pixel x1 to pixel x2 as PASCAL VOC counted them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]


def overlaps(a: NDArray[Any], b: NDArray[Any]) -> Real:
    """Intersection over union of each pair."""
    both = _shared(a, b)
    union = _areas(a)[:, None] + _areas(b)[None] - both
    return np.asarray(np.divide(both, union, out=np.zeros_like(both), where=both > 0), np.float64)


def covered(a: NDArray[Any], b: NDArray[Any]) -> Real:
    """The share of each of `a` that each of `b` covers."""
    both = _shared(a, b)
    return np.asarray(np.divide(both, _areas(a)[:, None], out=np.zeros_like(both), where=both > 0), np.float64)


def _shared(a: NDArray[Any], b: NDArray[Any]) -> Real:
    """The area that both cover."""
    first, second = np.asarray(a, np.float64).reshape(-1, 1, 4), np.asarray(b, np.float64).reshape(1, -1, 4)
    sides = np.clip(np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2]), 0, None)
    return np.asarray(sides[..., 0] * sides[..., 1], np.float64)


def _areas(boxes: NDArray[Any]) -> Real:
    sides = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.asarray(np.prod(np.clip(sides[:, 2:] - sides[:, :2], 0, None), axis=1), np.float64)
