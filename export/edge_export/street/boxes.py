"""Arithmetic of boxes, plain NumPy: (N, 4) x1 y1 x2 y2."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]


def area(boxes: Boxes) -> NDArray[np.float32]:
    """(N,), 0 of a box that is inside out."""
    return np.asarray(np.clip(boxes[:, 2] - boxes[:, 0], 0, None) * np.clip(boxes[:, 3] - boxes[:, 1], 0, None))


def overlap(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """(N, M): the area that both cover."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.asarray(np.prod(np.clip(high - low, 0, None), axis=2))


def iou(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """(N, M): intersection over union, 0 of empty boxes."""
    both = overlap(a, b)
    return np.asarray(both / np.maximum(area(a)[:, None] + area(b)[None] - both, 1e-9))


def covered(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """(N, M): the share of each of `a` that each of `b` covers."""
    return np.asarray(overlap(a, b) / np.maximum(area(a)[:, None], 1e-9))


def nms(boxes: Boxes, scores: NDArray[np.float32], labels: NDArray[np.int8], most: float) -> NDArray[np.int64]:
    """Greedy suppression within a label; indices of what stays, best first."""
    order = np.argsort(-scores, kind="stable")
    rivals = (iou(boxes, boxes) > most) & (labels[:, None] == labels[None])
    gone = np.zeros(len(boxes), bool)
    kept = []
    for index in order:
        if not gone[index]:
            kept.append(index)
            gone |= rivals[index]
    return np.array(kept, np.int64)
