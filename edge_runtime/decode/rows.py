"""Rows that a graph has chosen itself: some hundreds at most, each one box, one score and one label. NumPy is fast enough for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode.suppress import Candidates

FEW = 0.1  # of a head that regresses sides freely: what it likes least, on noise, may be a box turned inside out


def chosen(xyxy: NDArray[np.float32], score: NDArray[np.float32], label: NDArray[Any], floor: float, keep: NDArray[np.bool_]) -> Candidates:
    """Of rows [N, 4], [N] and [N] those at or above the floor whose label is wanted.

    Raises ValueError for such a row of a label that has no name: labels.txt was written for another model.
    """
    good = np.isfinite(score) & (score >= np.float32(floor))
    index = label[good]
    known = (index >= 0) & (index < len(keep))  # no number is neither
    if not known.all():
        raise ValueError(f"class {index[~known][0]:g} of a model whose labels are {len(keep)}: labels.txt must name all of its classes")
    index = index.astype(np.int16)
    wanted = keep[index]
    return Candidates(xyxy[good][wanted], score[good][wanted], index[wanted])


def require_rows(xyxy: NDArray[Any], score: NDArray[Any], label: NDArray[Any]) -> None:
    """Raises ValueError when rows of one real inference are no boxes in tensor pixels with a probability and a class. None at all may be such."""
    if not all(np.isfinite(each).all() for each in (xyxy, score, label)):
        raise ValueError("outputs that are not finite")
    if not len(score):
        return
    if score.min() < 0 or score.max() > 1:
        raise ValueError("scores outside 0–1")
    if (label != np.floor(label)).any() or label.min() < -1:  # some fill with -1
        raise ValueError("classes that are no whole numbers")
    if np.mean((xyxy[:, 2:] < xyxy[:, :2]).any(axis=1)) > FEW:
        raise ValueError("boxes whose second corner lies before the first")
    if xyxy.any() and np.abs(xyxy).max() <= 2:
        raise ValueError("boxes as fractions of the picture, not in pixels")
