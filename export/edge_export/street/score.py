"""How good a network is while it learns: average precision of a group of labels on the tuning split. Not the final measure.

VOC's measure (Everingham et al. 2015) with the area under the interpolated curve: a prediction is right when it overlaps a truth of its group, not
yet taken, by half. Ignored regions and objects lower than `least_height` neither count nor cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_export.street import boxes as geometry
from edge_export.street.augment import Example
from edge_export.street.data import IGNORED
from edge_export.street.recipe import LABELS, STRIDES, Architecture

GROUPS = {"vehicles": (2, 4, 5), "two-wheelers": (1, 3), "pedestrians": (0,)}
SURE = 0.3  # the score from which a device reports


@dataclass(frozen=True, slots=True)
class Score:
    """Average precision at half overlap, and recall and precision at SURE; NaN where there is nothing to find."""

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
    group = np.zeros(len(LABELS), np.int8)
    for index, members in enumerate(GROUPS.values()):
        group[list(members)] = index
    kept = geometry.nms(found, scores[good], group[labels], most)
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
    hits: list[NDArray[np.bool_]] = []
    scores: list[NDArray[np.float32]] = []
    total = 0
    for truth, guess in zip(truths, predicted, strict=True):
        hit, score, count = _picture(truth, guess, members, least_height)
        hits.append(hit)
        scores.append(score)
        total += count
    if not total:
        return Score(float("nan"), float("nan"), float("nan"))
    hit, score = np.concatenate(hits), np.concatenate(scores)
    order = np.argsort(-score, kind="stable")
    right = np.cumsum(hit[order])
    precision = right / np.arange(1, len(order) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    sure = score >= SURE
    return Score(float(envelope[hit[order]].sum() / total), float(hit[sure].sum() / total), float(hit[sure].sum() / max(sure.sum(), 1)))


def _picture(truth: Example, guess: Predictions, members: Sequence[int], least_height: float) -> tuple[NDArray[np.bool_], NDArray[np.float32], int]:
    """Whether each counting prediction is right, its score, and how many there are to find."""
    ours, tall = np.isin(truth.labels, members), truth.boxes[:, 3] - truth.boxes[:, 1] >= least_height
    wanted = ours & tall
    boxes, rest = truth.boxes[wanted], truth.boxes[(truth.labels == IGNORED) | (ours & ~tall)]  # on an object of another kind it is false
    mine = np.isin(guess.labels, members)
    at, scores = guess.boxes[mine], guess.scores[mine]
    order = np.argsort(-scores, kind="stable")
    overlap, free = geometry.iou(at, boxes), np.ones(len(boxes), bool)
    hit, counts = np.zeros(len(at), bool), np.ones(len(at), bool)
    excused = (geometry.covered(at, rest).max(axis=1, initial=0) > 0.5) | (at[:, 3] - at[:, 1] < least_height)
    for row in order:
        rivals = np.where(free, overlap[row], 0)
        best = int(rivals.argmax()) if len(boxes) else -1
        if best >= 0 and rivals[best] >= 0.5:
            hit[row], free[best] = True, False
        else:
            counts[row] = not excused[row]
    return hit[counts], scores[counts], int(wanted.sum())
