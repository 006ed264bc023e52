"""Suppression of boxes (N, 4) x1 y1 x2 y2, by the kernel that a device uses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_NEVER = 1.0  # the overlap from which another label suppresses: none is above it


def nms(boxes: NDArray[np.float32], scores: NDArray[np.float32], labels: NDArray[np.int8], most: float) -> NDArray[np.int64]:
    """Greedy suppression within a label; indices of what stays, best first."""
    from edge_runtime.kernels import boxes as kernels

    kept = np.empty(len(boxes), np.int64)
    rows = np.ascontiguousarray(boxes, np.float32), np.ascontiguousarray(scores, np.float32), labels.astype(np.int16)
    return kept[: kernels.nms(*rows, most, _NEVER, kept)]
