"""Boxes: overlap, non-maximum suppression and the YOLOX decode. Plain NumPy twins: tests/naive.py.

Every box is [x1, y1, x2, y2], float32. Inputs may be read-only; outputs are given by the caller, so nothing is allocated per
frame but what `argsort` needs. Each kernel has one explicit signature: it is compiled at import, or read from Numba's cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, float32, int16, int64, njit, types
from numpy.typing import NDArray


def _in(dtype: Any, ndim: int) -> Any:
    """A C-contiguous array that is only read (a writable one fits too)."""
    return types.Array(dtype, ndim, "C", readonly=True)


@njit(inline="always")
def _overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> np.float32:
    """Intersection over union of two boxes; 0 where either is empty, inverted or not finite.

           a ┌───────┐
             │   ┌───┼───┐        w = min(x2) − max(x1), h alike
             │   │ w·h   │        iou = w·h / (area a + area b − w·h)
             └───┼───┘   │
                 └───────┘ b

    A NaN in any coordinate makes that box's area NaN, and so the quotient, and NaN is not > 0.
    """
    width = (a[2] if a[2] < b[2] else b[2]) - (a[0] if a[0] > b[0] else b[0])
    height = (a[3] if a[3] < b[3] else b[3]) - (a[1] if a[1] > b[1] else b[1])
    if not (width > 0 and height > 0):
        return np.float32(0)
    shared = width * height
    quotient = shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
    return quotient if quotient > 0 else np.float32(0)


@njit([types.void(_in(float32, 2), _in(float32, 2), float32[:, ::1])], nogil=True, cache=True, error_model="numpy")
def iou(a: NDArray[np.float32], b: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Intersection over union of every pair: a [N, 4] × b [M, 4] -> out [N, M]. Empty, inverted and non-finite boxes overlap nothing."""
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            out[i, j] = _overlap(a[i], b[j])


@njit(
    [int64(_in(float32, 2), _in(float32, 1), _in(int16, 1), float32, float32, int64[::1])],
    nogil=True,
    cache=True,
    error_model="numpy",
)
def nms(
    xyxy: NDArray[np.float32],
    score: NDArray[np.float32],
    label: NDArray[np.int16],
    iou_same: float,
    iou_cross: float,
    kept: NDArray[np.int64],
) -> int:
    """Greedy non-maximum suppression: the rows that stay, best first, in kept [N]; the answer is how many.

    A box falls when a better one that stays overlaps it by more than `iou_same` (same label) or `iou_cross` (another label;
    1 or more: labels never touch each other). Equal scores: the earlier row is the better one, so the order never depends on
    the sort. NaN scores come last. O(N · kept), after a stable merge sort.
    """
    order = np.argsort(-score, kind="mergesort")
    count = 0
    for row in order:
        stays = True
        for k in range(count):
            other = kept[k]
            limit = iou_same if label[other] == label[row] else iou_cross
            if limit < 1 and _overlap(xyxy[other], xyxy[row]) > limit:
                stays = False
                break
        if stays:
            kept[count] = row
            count += 1
    return count


@njit(
    [int64(_in(float32, 2), _in(float32, 2), float32, _in(boolean, 1), float32[:, ::1], float32[::1], int16[::1])],
    nogil=True,
    cache=True,
    error_model="numpy",
)
def decode_yolox(
    raw: NDArray[np.float32],
    grid: NDArray[np.float32],
    floor: float,
    keep: NDArray[np.bool_],
    xyxy: NDArray[np.float32],
    score: NDArray[np.float32],
    label: NDArray[np.int16],
) -> int:
    """YOLOX head -> candidates in tensor pixels; the answer is how many rows of xyxy, score and label were filled.

    raw [N, 5 + C]: dx dy log(w) log(h) objectness class₀ …, the last two kinds after their sigmoid; grid [N, 3]: the anchor's cell
    x and y, and its stride; keep [C]: the labels that are wanted. Per anchor (Ge et al., YOLOX, arXiv:2107.08430, and its demo code):

        centre = (d + cell) · stride      size = exp(log size) · stride      score = objectness · max(class)

    No class exceeds 1, so an anchor whose objectness is below `floor` cannot reach it: nearly all of them cost one comparison. Of the others the
    classes that reach it are counted first, which the compiler does many at a time; then they are looked for until that many were found.
    Of equal classes the first wins. Boxes and scores that are not finite are dropped.
    """
    count = 0
    for i in range(raw.shape[0]):
        objectness = raw[i, 4]
        if not objectness >= floor:
            continue
        hits = 0
        for c in range(keep.shape[0]):
            hits += objectness * raw[i, 5 + c] >= floor
        best = -1
        c = 0
        while hits > 0 and c < keep.shape[0]:
            if objectness * raw[i, 5 + c] >= floor:
                hits -= 1
                if best < 0 or raw[i, 5 + c] > raw[i, 5 + best]:
                    best = c
            c += 1
        if best < 0 or not keep[best]:
            continue
        value = objectness * raw[i, 5 + best]
        stride = grid[i, 2]
        x = (raw[i, 0] + grid[i, 0]) * stride
        y = (raw[i, 1] + grid[i, 1]) * stride
        half_width = np.exp(raw[i, 2]) * stride * float32(0.5)
        half_height = np.exp(raw[i, 3]) * stride * float32(0.5)
        if not np.isfinite(x + y + half_width + half_height + value):
            continue
        xyxy[count, 0] = x - half_width
        xyxy[count, 1] = y - half_height
        xyxy[count, 2] = x + half_width
        xyxy[count, 3] = y + half_height
        score[count] = value
        label[count] = best
        count += 1
    return count
