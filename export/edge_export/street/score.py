"""How good a network is while it learns: average precision of a group of labels on the tuning split. Not the final measure.

A prediction is right when it overlaps a truth of its group, not yet taken, by half. What lies mostly in an ignored region, and what is lower than
`least_height`, neither counts nor costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_export.street.augment import Example
from edge_export.street.boxes import nms
from edge_export.street.data import IGNORED
from edge_export.street.groups import grouped
from edge_export.street.recipe import STRIDES, Architecture
from edge_runtime.evaluate import average_precision as evaluate
from edge_runtime.evaluate.average_precision import Judged, average, curve, precision_at, recall_at
from edge_runtime.evaluate.overlap import covered

SURE = 0.3  # the score from which a device reports


@dataclass(frozen=True, slots=True)
class Score:
    """Average precision at half overlap, and recall and precision at SURE; NaN where there is nothing to find, precision 0 where nothing is sure."""

    ap50: float
    recall: float
    precision: float


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Of one picture: boxes (N, 4) px of the input, scores (N,), labels (N,)."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int8]


def read_rows(rows: NDArray[np.float32], plan: Architecture, floor: float = 0.02, most: float = 0.5) -> Predictions:
    """The network's output [A, 5 + C] of one picture, after suppression."""
    grid, stride = _grid(plan)
    scores = rows[:, 4] * rows[:, 5:].max(axis=1)
    good = np.flatnonzero(scores >= floor)
    centre, half = (rows[good, :2] + grid[good]) * stride[good], np.exp(rows[good, 2:4]) * stride[good] / 2
    found = np.concatenate([centre - half, centre + half], axis=1)
    labels = rows[good, 5:].argmax(axis=1).astype(np.int8)
    kept = nms(found, scores[good], grouped(labels), most)
    return Predictions(found[kept], scores[good][kept], labels[kept])


def _grid(plan: Architecture) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    cells, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: plan.height // stride, : plan.width // stride]
        cells.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full((x.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def judge(truths: Sequence[Example], predicted: Sequence[Predictions], members: Sequence[int], least_height: float) -> Score:
    """Score of the labels `members` taken as one class, truths in the input's pixels as `predicted` are."""
    line = curve([_judged(truth, guess, members, least_height) for truth, guess in zip(truths, predicted, strict=True)])
    if not line.demanded:
        return Score(float("nan"), float("nan"), float("nan"))
    precision = precision_at(line, SURE)
    return Score(average(line), recall_at(line, SURE), 0.0 if np.isnan(precision) else precision)


def _judged(truth: Example, guess: Predictions, members: Sequence[int], least_height: float) -> Judged:
    ours, tall = np.isin(truth.labels, members), truth.boxes[:, 3] - truth.boxes[:, 1] >= least_height
    rest = truth.boxes[(truth.labels == IGNORED) | (ours & ~tall)]  # on an object of another kind it is false
    mine = np.isin(guess.labels, members)
    at = guess.boxes[mine]
    excused = (covered(at, rest).max(axis=1, initial=0) > 0.5) | (at[:, 3] - at[:, 1] < least_height)
    return evaluate.judge((at, guess.scores[mine]), truth.boxes[ours & tall], 0.5, outside=excused)
