"""Who is who: pairs of tracks and detections that together explain a frame best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Matcher:
    """Optimal pairs, where leaving two apart is allowed too. Owns the kernel, so that importing this module stays light."""

    def __init__(self) -> None:
        from edge_runtime.kernels.assign import assign

        self._assign = assign

    def match(self, cost: NDArray[np.float64], apart: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """cost [N, M] (inf: impossible) -> rows and columns of the pairs.

        A pair costs what `cost` says, a row and a column left apart cost `apart` together. The sum over the frame is least, and every pair
        that comes back costs less than `apart`: clipping the matrix at `apart` makes "paired at that price" and "left apart" the same.
        """
        clipped = np.minimum(cost, apart)
        transposed = clipped.shape[0] > clipped.shape[1]
        square = np.ascontiguousarray(clipped.T if transposed else clipped, np.float64)
        partner = np.empty(square.shape[0], np.int64)
        if square.size:
            self._assign(square, partner)
        else:
            partner = np.empty(0, np.int64)
        first = np.arange(len(partner), dtype=np.int64)
        rows, columns = (partner, first) if transposed else (first, partner)
        worth = cost[rows, columns] < apart
        return rows[worth], columns[worth]
