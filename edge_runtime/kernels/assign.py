"""Optimal assignment: which track gets which detection. Plain twin: tests/naive_track.py."""

from __future__ import annotations

import numpy as np
from numba import float64, int64, njit, types
from numpy.typing import NDArray


@njit(inline="always")
def _nearest(shortest: NDArray[np.float64], reached: NDArray[np.bool_], owner: NDArray[np.int64]) -> int:
    """The cheapest column that the tree has not reached; of equals a free one, of those the first."""
    best = -1
    for j in range(len(shortest)):
        if reached[j]:
            continue
        if best < 0 or shortest[j] < shortest[best] or (shortest[j] == shortest[best] and owner[j] < 0 <= owner[best]):
            best = j
    return best


@njit([types.void(float64[:, ::1], int64[::1])], nogil=True, cache=True, error_model="numpy")
def assign(cost: NDArray[np.float64], column: NDArray[np.int64]) -> None:
    """Minimum-cost assignment of rows to columns: cost [N, M], N ≤ M, finite -> column [N], the column of each row.

    Shortest augmenting paths with dual variables (Jonker and Volgenant, Computing 38, 1987; the rectangular form of Crouse, "On implementing
    2D rectangular assignment algorithms", IEEE TAES 52(4), 2016). O(N² M). Reproducible: ties always fall the same way.

        rows    r₀   r₁   r₂            every row in turn enters with a tree of cheapest alternating paths (─ free, ═ assigned);
                 │╲ ╱║    ║             when the tree reaches a column without a row, the assignments along the path to it flip
        columns c₀  c₁   c₂   c₃
    """
    rows, columns = cost.shape
    row_price = np.zeros(rows)
    column_price = np.zeros(columns)
    owner = np.full(columns, -1, np.int64)
    parent = np.empty(columns, np.int64)
    column[:] = -1
    for start in range(rows):
        shortest = np.full(columns, np.inf)
        reached = np.zeros(columns, np.bool_)
        length = 0.0
        row = start
        while True:
            for j in range(columns):
                through = length + cost[row, j] - row_price[row] - column_price[j]
                if not reached[j] and through < shortest[j]:
                    shortest[j] = through
                    parent[j] = row
            sink = _nearest(shortest, reached, owner)
            length = shortest[sink]
            reached[sink] = True
            if owner[sink] < 0:
                break
            row = owner[sink]
        row_price[start] += length
        for j in range(columns):
            if reached[j]:
                column_price[j] -= length - shortest[j]
                if owner[j] >= 0:
                    row_price[owner[j]] += length - shortest[j]
        while True:  # flip the path, from its end back to `start`
            row = parent[sink]
            owner[sink] = row
            column[row], sink = sink, column[row]
            if row == start:
                break
