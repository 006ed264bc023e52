"""Heads: which of a detector's many anchors say something, and what. Plain NumPy twins: tests/naive_heads.py.

A head has thousands of anchors, and a street fills some dozens of them. So one pass finds those whose best class reaches the floor, at the speed of
memory; what their boxes are, each family works out for these few. Inputs may be read-only; outputs are given by the caller. Each kernel has one
explicit signature: it is compiled at import, or read from Numba's cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, float32, int16, int64, njit, types
from numpy.typing import NDArray

_BLOCK = 256  # anchors: their scores of one class are looked at together, and lie in one page


def _in(dtype: Any, ndim: int) -> Any:
    """A C-contiguous array that is only read (a writable one fits too)."""
    return types.Array(dtype, ndim, "C", readonly=True)


@njit(
    [int64(_in(float32, 2), int64, int64, float32, _in(boolean, 1), int64[::1], float32[::1], int16[::1])],
    nogil=True,
    cache=True,
    error_model="numpy",
)
def best_in_rows(
    head: NDArray[np.float32],
    first: int,
    gate: int,
    floor: float,
    keep: NDArray[np.bool_],
    row: NDArray[np.int64],
    score: NDArray[np.float32],
    label: NDArray[np.int16],
) -> int:
    """An anchor a row -> rows whose best class is wanted and reaches `floor`; the answer is how many places of row, score and label were filled.

    head [N, K]: C classes from column `first`; keep [C]: the labels that are wanted. `gate`: the column of an objectness that multiplies each
    class, and is at most 1 as they are; negative: there is none, and scores may be any number, logits too.

    An anchor whose objectness is below `floor` cannot reach it: nearly all of them cost one comparison. Of the others the classes that reach it
    are counted first, which the compiler does many at a time; then they are looked for until that many were found. Of equal classes the first wins.
    Scores that are not finite are dropped.
    """
    count = 0
    for i in range(head.shape[0]):
        factor = float32(1)
        if gate >= 0:
            factor = head[i, gate]
            if not factor >= floor:
                continue
        hits = 0
        for c in range(keep.shape[0]):
            hits += factor * head[i, first + c] >= floor
        best = -1
        c = 0
        while hits > 0 and c < keep.shape[0]:
            if factor * head[i, first + c] >= floor:
                hits -= 1
                if best < 0 or head[i, first + c] > head[i, first + best]:
                    best = c
            c += 1
        if best < 0 or not keep[best] or not np.isfinite(factor * head[i, first + best]):
            continue
        row[count] = i
        score[count] = factor * head[i, first + best]
        label[count] = best
        count += 1
    return count


@njit(
    [int64(_in(float32, 2), int64, float32, _in(boolean, 1), int64[::1], float32[::1], int16[::1])],
    nogil=True,
    cache=True,
    error_model="numpy",
)
def best_in_columns(
    head: NDArray[np.float32],
    first: int,
    floor: float,
    keep: NDArray[np.bool_],
    column: NDArray[np.int64],
    score: NDArray[np.float32],
    label: NDArray[np.int16],
) -> int:
    """An anchor a column -> columns whose best class is wanted and reaches `floor`; the answer is how many places were filled, as in `best_in_rows`.

    head [K, N]: C classes from row `first`. Read as it lies in memory, a class at a time: blocks of one class in which no anchor reaches the floor,
    nearly all of them, cost a vectorised count. column, score and label [N] are scratch first and the answer afterwards.
    """
    anchors = head.shape[1]
    label[:] = -1
    for c in range(keep.shape[0]):
        for start in range(0, anchors, _BLOCK):
            stop = min(start + _BLOCK, anchors)
            hits = 0
            for i in range(start, stop):
                hits += head[first + c, i] >= floor
            if hits == 0:
                continue
            for i in range(start, stop):
                value = head[first + c, i]
                if value >= floor and (label[i] < 0 or value > score[i]):
                    score[i] = value
                    label[i] = c
    count = 0
    for i in range(anchors):
        if label[i] < 0 or not keep[label[i]] or not np.isfinite(score[i]):
            continue
        column[count] = i
        score[count] = score[i]
        label[count] = label[i]
        count += 1
    return count
